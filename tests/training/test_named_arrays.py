from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from cfx_jax.training.named_arrays import describe, from_arrays, to_arrays


class Pair(NamedTuple):
    first: object
    second: object


def _tree() -> Pair:
    arrays = {
        "float": jnp.ones((2, 3)),
        "half": jnp.ones(2, jnp.bfloat16),
        "flags": jnp.array([True, False]),
    }
    scalars = {
        "int": 3,
        "float": 2.5,
        "bool": True,
        "numpy": np.int16(4),
        "empty": jnp.zeros((0, 2)),
    }
    keys = {"one": jax.random.key(1), "several": jax.random.split(jax.random.key(2, impl="rbg"), 3)}
    return Pair(arrays, [scalars, keys, np.arange(3), None])


def test_names_are_the_paths_of_the_leaves() -> None:
    tree = {"a": [1.0, {"b": 2.0}], "a.b": 3.0, "c": Pair(1.0, 2.0)}
    assert set(to_arrays(tree)) == {
        "['a'][0]",
        "['a'][1]['b']",
        "['a.b']",
        "['c'].first",
        "['c'].second",
    }


def test_every_kind_of_leaf_comes_back_with_its_type_and_value() -> None:
    tree = _tree()
    back = from_arrays(tree, to_arrays(tree))
    assert jax.tree.structure(back) == jax.tree.structure(tree)
    for old, new in zip(jax.tree.leaves(tree), jax.tree.leaves(back), strict=True):
        assert type(new) is type(old)
        assert getattr(new, "dtype", None) == getattr(old, "dtype", None)
        plain = (
            jax.random.key_data
            if jnp.issubdtype(jnp.result_type(old), jax.dtypes.prng_key)
            else np.asarray
        )
        np.testing.assert_array_equal(plain(new), plain(old))


def test_values_come_from_the_arrays_and_not_from_the_template() -> None:
    template, saved = (
        {"x": jnp.zeros(3), "key": jax.random.key(0)},
        {"x": jnp.arange(3.0), "key": jax.random.key(7)},
    )
    back = from_arrays(template, to_arrays(saved))
    np.testing.assert_array_equal(back["x"], [0, 1, 2])
    assert (jax.random.key_data(back["key"]) == jax.random.key_data(jax.random.key(7))).all()


def test_variables_of_an_nnx_model_come_back() -> None:
    state = nnx.state(nnx.BatchNorm(2, rngs=nnx.Rngs(0)))
    back = from_arrays(state, {name: array + 1 for name, array in to_arrays(state).items()})
    np.testing.assert_array_equal(back["mean"][...], np.ones(2))
    np.testing.assert_array_equal(back["var"][...], np.full(2, 2.0))


def test_description_gives_type_and_shape() -> None:
    assert describe({"x": jnp.zeros((2, 3)), "n": np.asarray(True)}) == {
        "x": "float32(2, 3)",
        "n": "bool()",
    }
