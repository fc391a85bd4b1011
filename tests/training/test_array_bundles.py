"""Arrays are stored in few vectors and come back as they were, wherever they are to be."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.training.array_bundles import bundle, bundle_like, split_over_devices, unbundle
from cfx_jax.training.named_arrays import Arrays


def _arrays() -> Arrays:
    rng = np.random.default_rng(0)
    return {
        "kernel": jnp.asarray(rng.normal(size=(2, 3)), jnp.float32),
        "count": np.asarray(7),
        "half": jnp.asarray([1.5, -2.0], jnp.bfloat16),
        "bias": jnp.asarray(rng.normal(size=3), jnp.float32),
        "scalar": jnp.asarray(0.1, jnp.float32),
        "flags": np.array([True, False]),
    }


def test_there_is_one_vector_for_each_type() -> None:
    stored = bundle(_arrays(), [])
    assert {name: (array.shape, str(array.dtype)) for name, array in stored.items()} == {
        "all float32": ((10,), "float32"),
        "all int64": ((1,), "int64"),
        "all bfloat16": ((2,), "bfloat16"),
        "all bool": ((2,), "bool"),
    }
    np.testing.assert_array_equal(
        stored["all float32"][:6], np.asarray(_arrays()["kernel"]).ravel()
    )


@pytest.mark.parametrize("split", [[], ["bias", "half"]])
def test_arrays_come_back_with_their_types_and_values(split: list[str]) -> None:
    arrays = _arrays()
    template: Arrays = {
        name: array * 0 if array.dtype != bool else ~array for name, array in arrays.items()
    }
    back = unbundle(template, bundle(arrays, split), split)
    assert set(back) == set(arrays)
    for name, array in arrays.items():
        assert (
            isinstance(back[name], jax.Array) == isinstance(array, jax.Array)
            and back[name].dtype == array.dtype
        )
        np.testing.assert_array_equal(back[name], array)


def test_the_template_of_reading_has_the_shapes_of_what_is_stored() -> None:
    for split in ([], ["bias"]):
        stored, wanted = bundle(_arrays(), split), bundle_like(_arrays(), split)
        assert {name: (each.shape, each.dtype) for name, each in stored.items()} == {
            name: (each.shape, each.dtype) for name, each in wanted.items()
        }


ON_DEVICES = """
import json
import jax, jax.numpy as jnp, numpy as np
from cfx_jax.parallel import data_mesh, replicate, shard
from cfx_jax.training import CheckpointStore
from cfx_jax.training.named_arrays import to_arrays
from cfx_jax.training.array_bundles import split_over_devices

mesh, values = data_mesh(), jnp.arange(8.0)
alone, everywhere, parts = {"x": values, "y": 2 * values}, None, None
everywhere = replicate(alone, mesh)
parts = {"x": shard(values, mesh), "y": everywhere["y"]}
found = {"split": [split_over_devices(to_arrays(each)) for each in (alone, everywhere, parts)]}
import sys
agree = []
for number, saved in enumerate((alone, everywhere, parts)):
    for other, template in enumerate((alone, everywhere, parts)):
        store = CheckpointStore(f"{sys.argv[1]}/{number}{other}", {"a": 1})
        store.save(1, saved)
        back = store.restore(jax.tree.map(jnp.zeros_like, template)).state
        agree.append(all(np.array_equal(back[each], alone[each]) for each in alone))
        expected = {name: jnp.zeros_like(template[name]).sharding for name in alone}
        agree.append(all(back[name].sharding == expected[name] for name in alone))
print(json.dumps(found | {"agree": agree}))
"""


@pytest.mark.slow
def test_arrays_are_read_to_where_they_are_wanted(tmp_path) -> None:
    environment = os.environ | {
        "JAX_NUM_CPU_DEVICES": "4",
        "JAX_PLATFORMS": "cpu",
    }
    done = subprocess.run(
        [sys.executable, "-c", ON_DEVICES, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["split"] == [[], [], ["['x']"]]
    assert all(found["agree"])


def test_whole_arrays_are_not_split() -> None:
    assert split_over_devices(_arrays()) == []
