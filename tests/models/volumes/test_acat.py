"""ACAT: equal to its baseline without attention, its masks by hand, and parts left out."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import ACAT, SliceWise, Trunk, half_brain_stages, warm_start
from cfx_jax.models.layers import last_layer
from cfx_jax.models.volumes.slice_trunks import Repeated

FILTERS = (2, 2, 3, 3, 4, 4, 5)


def tiny_stages(**options):
    return half_brain_stages(filters=FILTERS, strides=(2, 1, 2, 1, 2, 1, 1), **options)


@functools.cache
def baseline():
    rngs = nnx.Rngs(0)
    trunk = tiny_stages(rngs=rngs)
    model = SliceWise(trunk, last_layer(trunk.slice_width, 2, rngs=rngs), rngs=rngs)
    for _, norm in nnx.iter_modules(model):
        if isinstance(norm, nnx.BatchNorm):
            norm.mean[...] = jnp.linspace(
                -0.2, 0.1, norm.mean.shape[0]
            )  # unlike those of a fresh network
    return model


@functools.cache
def acat(*, num_slices=3, **options):
    rngs = nnx.Rngs(1)
    trunk = tiny_stages(rngs=rngs)
    branch = tiny_stages(num_stages=3, rngs=rngs)
    return ACAT(
        trunk,
        branch,
        last_layer(trunk.slice_width, 2, rngs=rngs),
        num_slices=num_slices,
        rngs=rngs,
        **options,
    )


def without_weights(
    *, bias=(0.5, -1.0, 2.0), split="whole", masks=("early", "middle", "late"), **options
):
    """Stages that do nothing, and masks that are the sigmoids of three numbers everywhere."""
    rngs = nnx.Rngs(0)
    trunk, branch = (
        Trunk([[Repeated(1)]] * number, widths=(1,) * number, in_channels=1, split=split)
        for number in (4, 3)
    )
    head = last_layer(trunk.slice_width, 2, rngs=rngs)
    model = ACAT(trunk, branch, head, num_slices=None, masks=masks, rngs=rngs, **options)
    for name, value in zip(("early", "middle", "late"), bias, strict=True):
        if name in masks:
            model.attention[name].conv.kernel[...] = jnp.zeros((3, 3, 1, 1))
            model.attention[name].norm.bias[...] = jnp.full(1, value)
    return inference(model)


def inference(model):
    return nnx.view(model, use_running_average=True, deterministic=True, raise_if_not_found=False)


@jax.jit
def apply(model, *inputs):
    return inference(model)(*inputs)


def random_volumes(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=shape), jnp.float32)


# Slices of three brightnesses, so that they have different features.
BRIGHTNESS = jnp.asarray([0.2, 0.6, 1.0])[:, None, None, None]
VOLUMES, SALIENCY = (
    BRIGHTNESS * random_volumes(2, 3, 16, 16, 1),
    random_volumes(2, 3, 16, 16, 1, seed=1),
)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


def neutral(model):
    """Without attention: masks 0, fused mask 0, equal weights of three slices."""
    for mask in model.attention.values():
        mask.norm.bias[...] = jnp.full(1, -200.0)
    model.fusion.weights.kernel[...] = jnp.zeros((3, 1))
    model.slices.out.kernel[...] = jnp.zeros((64, 3))
    model.slices.out.bias[...] = jnp.full(3, -jnp.log(2.0))
    return model


def test_masks_have_the_size_of_the_maps_of_the_first_three_stages():
    masks = jax.eval_shape(lambda model, x: model.masks(x), inference(acat()), SALIENCY)
    shapes = {"early": (2, 3, 8, 8, 1), "middle": (2, 3, 4, 4, 1), "late": (2, 3, 2, 2, 1)}
    assert {name: mask.shape for name, mask in masks.items()} == shapes


def test_without_attention_it_is_the_baseline():
    model = neutral(warm_start(acat(), baseline()).model)
    np.testing.assert_allclose(
        apply(model, VOLUMES, SALIENCY), apply(baseline(), VOLUMES), rtol=1e-5, atol=1e-7
    )


def test_with_fresh_attention_it_is_not():
    model = warm_start(acat(), baseline()).model
    assert not np.allclose(apply(model, VOLUMES, SALIENCY), apply(baseline(), VOLUMES), atol=1e-3)


def test_with_no_part_left_it_is_the_baseline():
    rngs = nnx.Rngs(2)
    trunk = tiny_stages(rngs=rngs)
    head = last_layer(trunk.slice_width, 2, rngs=rngs)
    model = ACAT(trunk, None, head, num_slices=None, masks=(), fusion=False, rngs=rngs)
    start = warm_start(model, baseline())
    assert start.fresh == start.unused == ()
    np.testing.assert_allclose(
        apply(start.model, VOLUMES, SALIENCY), apply(baseline(), VOLUMES), rtol=1e-5, atol=1e-7
    )


def test_each_mask_and_then_the_fused_one_weigh_the_features():
    model = without_weights()
    model.fusion.weights.kernel[...] = jnp.asarray([[1.0], [-2.0], [0.5]])
    masks = sigmoid([0.5, -1.0, 2.0])
    factor = np.prod(1 + masks) * (1 + masks @ [1.0, -2.0, 0.5])
    np.testing.assert_allclose(
        model.features(VOLUMES, SALIENCY), factor * np.asarray(VOLUMES), rtol=1e-5
    )


@pytest.mark.parametrize("masks", [("early", "middle", "late"), ("late", "early"), ("middle",)])
def test_masks_that_are_left_out_weigh_nothing(masks):
    model = (
        without_weights(masks=masks, fusion=False) if "late" in masks else _up_to_the_middle(masks)
    )
    values = dict(zip(("early", "middle", "late"), sigmoid([0.5, -1.0, 2.0]), strict=True))
    factor = np.prod([1 + values[name] for name in masks])
    np.testing.assert_allclose(
        model.features(VOLUMES, SALIENCY), factor * np.asarray(VOLUMES), rtol=1e-5
    )
    assert set(model.masks(SALIENCY)) == set(masks)


def _up_to_the_middle(masks):
    rngs = nnx.Rngs(0)
    trunk, branch = (
        Trunk([[Repeated(1)]] * number, widths=(1,) * number, in_channels=1) for number in (4, 2)
    )
    model = ACAT(
        trunk,
        branch,
        last_layer(1, 2, rngs=rngs),
        num_slices=None,
        masks=masks,
        fusion=False,
        rngs=rngs,
    )
    model.attention["middle"].conv.kernel[...] = jnp.zeros((3, 3, 1, 1))
    model.attention["middle"].norm.bias[...] = jnp.full(1, -1.0)
    return inference(model)


def test_fused_mask_from_zero_has_no_effect():
    model = without_weights(zero_fusion=True)
    factor = np.prod(1 + sigmoid([0.5, -1.0, 2.0]))
    np.testing.assert_allclose(
        model.features(VOLUMES, SALIENCY), factor * np.asarray(VOLUMES), rtol=1e-5
    )


def test_masks_of_halves_lie_where_the_saliency_does():
    """Features of a mirrored volume with a mirrored map are mirrored; those with another map are
    not.
    """
    model = inference(acat())
    features = jax.jit(lambda model, *inputs: model.features(*inputs))
    mirrored = features(model, VOLUMES[..., ::-1, :], SALIENCY[..., ::-1, :])
    maps = features(model, VOLUMES, SALIENCY)
    np.testing.assert_allclose(mirrored, maps[..., ::-1, :], rtol=1e-4, atol=1e-6)
    one_sided = features(model, VOLUMES, SALIENCY.at[..., :8, :].set(0))
    np.testing.assert_allclose(one_sided[..., 1:, :], maps[..., 1:, :], rtol=1e-4, atol=1e-6)
    assert not np.allclose(one_sided[..., :1, :], maps[..., :1, :])


def test_order_of_slices_matters_to_the_slice_attention_only():
    order = jnp.asarray([2, 0, 1])
    weighing, averaging = nnx.clone(acat()), acat(num_slices=None)
    weighing.slices.out.bias[...] = jnp.asarray([3.0, 0.0, -3.0])
    for model, same in ((weighing, False), (averaging, True)):
        found, permuted = (
            apply(model, VOLUMES, SALIENCY),
            apply(model, VOLUMES[:, order], SALIENCY[:, order]),
        )
        assert np.allclose(found, permuted, rtol=1e-3, atol=1e-6) == same


def test_every_parameter_learns():
    model = nnx.view(acat(), use_running_average=False, deterministic=True)
    graph, params, rest = nnx.split(model, nnx.Param, ...)

    @jax.jit
    def slopes(params, rest):
        return jax.grad(
            lambda p: (nnx.merge(graph, p, rest, copy=True)(VOLUMES, SALIENCY)[:, 0] ** 2).sum()
        )(params)

    zero = [
        path for path, slope in nnx.to_flat_state(slopes(params, rest)) if not np.any(slope[...])
    ]
    assert zero == []


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(
        InputError, match=r"saliency: expected .*\(2, 3, 16, 16, 1\), got \(2, 3, 16, 8, 1\)"
    ):
        acat()(VOLUMES, SALIENCY[..., :8, :])
    with pytest.raises(
        InputError, match=r"volumes: expected 3 slices, .* got 2: choose that many slices"
    ):
        jax.eval_shape(inference(acat()), VOLUMES[:, :2], SALIENCY[:, :2])


def test_unknown_masks_list_the_valid_ones():
    with pytest.raises(
        InputError, match="masks: expected one of 'early', 'middle', 'late', got 'last'"
    ):
        without_weights(masks=("last",))


def test_fusion_needs_masks():
    with pytest.raises(InputError, match="fusion: expected False without masks to fuse, got True"):
        without_weights(masks=())


def test_trunks_that_do_not_fit_are_refused():
    trunk, head = (
        Trunk([[Repeated(1)]] * 4, widths=(1,) * 4, in_channels=1),
        last_layer(1, 2, rngs=nnx.Rngs(0)),
    )
    short = Trunk([[Repeated(1)]] * 3, widths=(1,) * 3, in_channels=1)
    with pytest.raises(
        InputError, match="trunk: expected 4 stages, got 3: make it without num_stages"
    ):
        ACAT(short, short, head, num_slices=3, rngs=nnx.Rngs(0))
    halves = Trunk([[Repeated(1)]] * 3, widths=(1,) * 3, in_channels=1, split="halves")
    for branch, message in (
        (
            trunk,
            "saliency_trunk: expected 3 stages, up to the last that has a mask, got 4: give"
            " num_stages",
        ),
        (None, "saliency_trunk: expected 3 stages, .* got 0"),
        (
            halves,
            "saliency_trunk: expected one channel and the trunk's split 'whole', got 1 and"
            " 'halves'",
        ),
    ):
        with pytest.raises(InputError, match=message):
            ACAT(trunk, branch, head, num_slices=3, rngs=nnx.Rngs(0))
