"""Weights of one model in another: what is shared, what is not, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import shape_mismatches, warm_start


class Small(nnx.Module):
    def __init__(self, seed, *, outputs=2):
        rngs = nnx.Rngs(seed)
        self.trunk = nnx.Sequential(nnx.Linear(3, 4, rngs=rngs), nnx.BatchNorm(4, rngs=rngs))
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(4, outputs, rngs=rngs)


class Larger(Small):
    def __init__(self, seed, **options):
        super().__init__(seed, **options)
        self.attention = nnx.Linear(2, 2, rngs=nnx.Rngs(seed))


class Other(nnx.Module):
    def __init__(self):
        self.layer = nnx.Linear(3, 4, rngs=nnx.Rngs(0))


def source():
    model = Small(0)
    model.trunk.layers[1].mean[...] = jnp.asarray([1.0, 2.0, 3.0, 4.0])
    model.head.bias[...] = jnp.asarray([5.0, 6.0])
    return model


def test_shared_parameters_and_statistics_are_copied():
    trained, model = source(), Larger(1)
    start = warm_start(model, trained)
    np.testing.assert_array_equal(
        start.model.trunk.layers[0].kernel[...], trained.trunk.layers[0].kernel[...]
    )
    np.testing.assert_array_equal(start.model.trunk.layers[1].mean[...], [1, 2, 3, 4])
    np.testing.assert_array_equal(start.model.head.bias[...], [5, 6])
    np.testing.assert_array_equal(start.model.attention.kernel[...], model.attention.kernel[...])
    assert start.fresh == ("attention.bias", "attention.kernel")
    assert start.unused == ()


def test_neither_model_is_changed():
    trained, model = source(), Larger(1)
    before = [
        np.asarray(leaf)
        for each in (trained, model)
        for leaf in jax.tree.leaves(nnx.state(each, nnx.Param))
    ]
    start = warm_start(model, trained)
    start.model.head.kernel[...] = jnp.zeros((4, 2))
    after = [
        leaf for each in (trained, model) for leaf in jax.tree.leaves(nnx.state(each, nnx.Param))
    ]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_step_that_donates_the_copy_leaves_the_source():
    trained = source()
    before = np.array(trained.head.kernel[...])
    start = warm_start(Larger(1), trained)
    jax.jit(lambda state: jax.tree.map(lambda x: x + 1, state), donate_argnums=0)(
        nnx.state(start.model, nnx.Param)
    )
    np.testing.assert_array_equal(trained.head.kernel[...], before)


def test_what_the_source_has_more_is_told():
    start = warm_start(Small(1), Larger(0))
    assert start.fresh == () and start.unused == ("attention.bias", "attention.kernel")


def test_skipped_parts_stay_the_models_own():
    model = Small(1, outputs=3)
    start = warm_start(model, source(), skip=("head",))
    np.testing.assert_array_equal(start.model.head.kernel[...], model.head.kernel[...])
    assert start.fresh == start.unused == ("head.bias", "head.kernel")


def test_other_shapes_are_refused_by_name():
    message = r"source: expected head.bias of shape \(3,\), got \(2,\): name the part in `skip`"
    with pytest.raises(InputError, match=message):
        warm_start(Small(1, outputs=3), source())


def test_a_source_with_nothing_in_common_is_refused():
    message = (
        "source: expected parts that Small has too, such as head.bias, got Other with layer.bias:"
        " give the baseline"
    )
    with pytest.raises(InputError, match=message):
        warm_start(Small(1), Other())


def test_unknown_parts_are_refused():
    with pytest.raises(
        InputError, match="skip: expected names of parts of the model, such as 'head', got 'hea'"
    ):
        warm_start(Small(1), source(), skip=("hea",))


def test_arrays_of_another_shape_are_named_to_be_skipped():
    larger = Larger(1, outputs=3)
    names = shape_mismatches(larger, source())
    assert names == ("head.bias", "head.kernel") and shape_mismatches(Larger(1), source()) == ()
    assert (
        shape_mismatches(nnx.eval_shape(lambda: Larger(1, outputs=3)), nnx.eval_shape(source))
        == names
    )
    start = warm_start(larger, source(), skip=names)
    assert {"head.bias", "head.kernel"} <= set(
        start.fresh
    ) and "trunk.layers.0.kernel" not in start.fresh
