"""Classifiers of volumes by name."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import (
    ACAT,
    HalfBrainLogits,
    SliceWise,
    build_acat,
    build_slice_wise,
    build_trunk,
    build_volume_model,
)
from cfx_jax.models.volumes.build import build_head

TRUNKS = ("slice_resnet50", "slice_small", "half_brain", "half_brain_small", "half_brain_fine")


@functools.cache
def abstract(build, *args, **options):
    """The model's shapes, with nothing allocated."""
    return nnx.eval_shape(lambda: build(*args, **options, rngs=nnx.Rngs(0)))


def logits_of(model, *shapes):
    return jax.eval_shape(
        lambda model, *x: model(*x), model, *(jax.ShapeDtypeStruct(s, jnp.float32) for s in shapes)
    )


@pytest.mark.parametrize("name", TRUNKS[1:])
def test_every_name_gives_a_model_with_the_options(name):
    baseline = abstract(build_volume_model, name, num_classes=3, in_channels=2)
    aided = abstract(build_volume_model, f"acat_{name}", num_classes=3, in_channels=2, num_slices=5)
    assert type(baseline) is SliceWise and type(aided) is ACAT
    volumes, saliency = (1, 5, 32, 32, 2), (1, 5, 32, 32, 1)
    for logits in (logits_of(baseline, volumes), logits_of(aided, volumes, saliency)):
        if name.startswith("half_brain"):
            assert (
                isinstance(logits, HalfBrainLogits)
                and logits.lesion.shape == (1, 2)
                and logits.side.shape == (1, 3)
            )
        else:
            assert logits.shape == (1, 3)


def test_published_name_has_as_many_parameters_as_counted_in_the_released_one():
    """Image branch and head, saliency branch, three masks, their fusion, slice attention."""
    model = abstract(build_volume_model, "acat_slice_resnet50")
    count = sum(
        np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))
    )
    assert count == 23_512_130 + 8_543_296 + 3 * 11 + 3 + 1_442_571
    assert model.trunk.widths == (256, 512, 1024, 2048) and model.saliency_trunk.widths == (
        256,
        512,
        1024,
    )


def test_names_of_a_model_and_its_acat_are_shared():
    of_baseline, of_aided = (
        {
            path
            for path, _ in nnx.to_flat_state(
                nnx.state(abstract(build, "slice_small", **options), nnx.Param)
            )
        }
        for build, options in ((build_slice_wise, {}), (build_acat, {"num_slices": 3}))
    )
    assert of_baseline < of_aided


@pytest.mark.parametrize(("masks", "stages"), [(("early", "middle"), 2), (("early",), 1)])
def test_saliency_branch_ends_at_the_last_mask(masks, stages):
    model = abstract(build_acat, "slice_small", num_slices=3, masks=masks, fusion=False)
    assert len(model.saliency_trunk.stages) == stages


def test_without_masks_there_is_no_saliency_branch():
    model = abstract(build_acat, "slice_small", num_slices=3, masks=(), fusion=False)
    assert model.saliency_trunk is None and model.slices.num_slices == 3


def test_other_options_reach_the_model():
    model = abstract(build_acat, "slice_small", num_slices=3, pooling="mean", normalise=True)
    assert model.attention["early"].pooling == "mean" and model.slices.normalise
    assert abstract(build_slice_wise, "slice_small", dropout=0.2).dropout.rate == 0.2


def test_unknown_names_list_the_valid_ones():
    message = (
        r"model: expected one of 'slice_resnet50', .*'half_brain_fine',"
        r" 'acat_slice_resnet50', .* got 'resnet50'"
    )
    with pytest.raises(InputError, match=message):
        build_volume_model("resnet50", rngs=nnx.Rngs(0))
    with pytest.raises(
        InputError, match=r"trunk: expected one of 'slice_resnet50', .* got 'acat_slice_small'"
    ):
        build_trunk("acat_slice_small", rngs=nnx.Rngs(0))


def test_masks_and_numbers_out_of_range_are_refused():
    with pytest.raises(
        InputError, match="masks: expected one of 'early', 'middle', 'late', got 'last'"
    ):
        build_acat("slice_small", num_slices=3, masks=("last",), rngs=nnx.Rngs(0))
    trunk = abstract(build_trunk, "slice_small")
    with pytest.raises(InputError, match="num_classes: expected at least 1, got 0"):
        build_head("slice_small", trunk, num_classes=0, rngs=nnx.Rngs(0))
