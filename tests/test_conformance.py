"""Every algorithm, attribution and counterfactual through one table of properties that all of them
must have.
"""

import json
import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import conformance_table as table
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import counted_compilations, counted_traces

from cfx_jax.compilation import num_mappings

METHODS = sorted(table.methods(1.0))
RARE = tuple(name for name in METHODS if name not in table.TYPICAL)
TRACES = []


def counted(name, scale, key, image):
    TRACES.append(name)
    return table.call(name, scale, key, image)


@cache
def mapped(name):
    """All images at once, in a program that is compiled once for all tests."""
    return jax.jit(jax.vmap(partial(counted, name), in_axes=(None, 0, 0)))


@cache
def answers(name):
    return np.asarray(mapped(name)(1.0, table.KEYS, table.IMAGES))


@pytest.mark.parametrize("name", METHODS)
def test_eager_equals_jit_and_vmap(name):
    alone = table.call(name, 1.0, table.KEYS[5], jnp.asarray(table.IMAGES[5]))
    assert alone.dtype == jnp.float32
    assert alone.shape == table.IMAGES[5].shape
    np.testing.assert_allclose(alone, answers(name)[5], atol=2e-4)


@pytest.mark.parametrize("name", METHODS)
def test_finite_on_constant_images_and_saturated_classifiers(name):
    constant = np.broadcast_to(
        np.linspace(0, 1, 8, dtype=np.float32)[:, None, None, None], table.IMAGES.shape
    )
    assert np.isfinite(mapped(name)(1.0, table.KEYS, constant)).all()
    assert np.isfinite(mapped(name)(1e4, table.KEYS, table.IMAGES)).all()


@pytest.mark.parametrize("name", METHODS)
def test_an_image_does_not_depend_on_its_batch(name):
    others = 1 - table.IMAGES
    others[5] = table.IMAGES[5]
    np.testing.assert_allclose(
        mapped(name)(1.0, table.KEYS, others)[5], answers(name)[5], atol=1e-6
    )
    assert TRACES.count(name) == 1, "other values compile anew"


@pytest.mark.parametrize("name", METHODS)
def test_float64_stays_float64(name):
    """Traced, not computed: what a method rounds to float32 on its way would show as a conversion
    of an array.
    """
    with jax.enable_x64(True):
        method = partial(table.call, name, 1.0, table.KEYS[0])
        traced, shape = jax.make_jaxpr(method, return_shape=True)(
            table.IMAGES[0].astype(np.float64)
        )
    assert shape.dtype == np.float64
    assert "f32[" not in str(traced)


@cache
def on_eight_devices(names):
    """Results under pmap, shard_map and a mesh, from a process with 8 virtual devices."""
    command = [sys.executable, str(Path(table.__file__)), *names]
    done = subprocess.run(command, capture_output=True, text=True, env=table.environment(8))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "name", [*table.TYPICAL, *(pytest.param(name, marks=pytest.mark.slow) for name in RARE)]
)
@pytest.mark.parametrize("way", ["pmap", "shard_map", "mesh"])
def test_eight_devices_equal_one(name, way):
    found = on_eight_devices(table.TYPICAL if name in table.TYPICAL else RARE)[name][way]
    np.testing.assert_allclose(found, answers(name), atol=2e-4)


@pytest.mark.parametrize("name", METHODS)
def test_eager_calls_compile_once(name):
    """Scores, constraint sets and algorithms are made anew for each of them; the classifier's code
    is the same.
    """
    table.call(name, 1.0, table.KEYS[5], jnp.asarray(table.IMAGES[5]))
    table.call(name, 1.0, table.KEYS[6], jnp.asarray(table.IMAGES[6]))
    before = num_mappings()
    with counted_compilations() as compilations, counted_traces() as traces:
        for index in range(10):
            table.call(name, 1.0, table.KEYS[index % 8], jnp.asarray(table.IMAGES[index % 8]))
    assert not compilations
    assert not traces, traces
    assert num_mappings() < before + 10
