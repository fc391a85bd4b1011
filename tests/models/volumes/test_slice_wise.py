"""The baseline of volumes: each slice by itself, then means; as a classifier of one volume and in
its parts.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.attributions import grad_cam, over_slices
from cfx_jax.errors import InputError
from cfx_jax.maps import upsample
from cfx_jax.models import (
    Parts,
    SliceWise,
    Trunk,
    parts,
    per_image,
    resnet50_stages,
    resnet_small_stages,
)
from cfx_jax.models.layers import last_layer
from cfx_jax.models.volumes.slice_trunks import Repeated


def small(seed=0, **options):
    rngs = nnx.Rngs(seed)
    trunk = resnet_small_stages(rngs=rngs)
    return SliceWise(trunk, last_layer(trunk.slice_width, 2, rngs=rngs), rngs=rngs, **options)


def without_weights(**options):
    """Four stages that do nothing."""
    rngs = nnx.Rngs(0)
    trunk = Trunk([[Repeated(1)]] * 4, widths=(1,) * 4, in_channels=1)
    return SliceWise(trunk, last_layer(1, 2, rngs=rngs), rngs=rngs, **options)


@pytest.fixture(scope="module")
def model():
    return nnx.view(small(), use_running_average=True, deterministic=True)


@jax.jit
def apply(model, volumes):
    return model(volumes)


@jax.jit
def features_of(model, volumes):
    return model.features(volumes)


def random_volumes(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=shape), jnp.float32)


def test_published_network_has_as_many_parameters_as_counted_in_the_released_one():
    def make():
        trunk = resnet50_stages(rngs=nnx.Rngs(0))
        return SliceWise(
            trunk, last_layer(trunk.slice_width, 2, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0)
        )

    model = nnx.eval_shape(make)
    count = sum(
        np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))
    )
    assert count == 23_512_130
    maps = jax.eval_shape(
        lambda m, x: m.features(x), model, jax.ShapeDtypeStruct((2, 11, 128, 128, 1), jnp.float32)
    )
    assert maps.shape == (2, 11, 4, 4, 2048)


def test_logits_are_those_of_the_mean_over_slices(model):
    volumes = random_volumes(2, 3, 32, 32, 1)
    maps = features_of(model, volumes.reshape(6, 1, 32, 32, 1))
    means = np.asarray(maps, np.float64).mean(axis=(1, 2, 3)).reshape(2, 3, -1).mean(axis=1)
    expected = means @ np.asarray(model.head.kernel[...], np.float64) + np.asarray(
        model.head.bias[...]
    )
    np.testing.assert_allclose(apply(model, volumes), expected, rtol=1e-4, atol=1e-6)


def test_order_of_slices_does_not_matter(model):
    volumes = random_volumes(2, 3, 32, 32, 1)
    np.testing.assert_allclose(
        apply(model, volumes[:, [2, 0, 1]]), apply(model, volumes), rtol=1e-5, atol=1e-6
    )


def test_a_slice_told_twice_counts_twice(model):
    volume = random_volumes(1, 2, 32, 32, 1)
    once, twice = (apply(model, volume[:, slices]) for slices in ([0, 1], [0, 0, 1]))
    first, second = (apply(model, volume[:, [index, index]]) for index in (0, 1))
    np.testing.assert_allclose(once, (first + second) / 2, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(twice, (2 * first + second) / 3, rtol=1e-4, atol=1e-6)


def test_views_take_one_volume(model):
    volumes = random_volumes(2, 3, 32, 32, 1)
    expected, (features, head) = apply(model, volumes), parts(small())
    both = jax.jit(
        lambda classifier, features, head, volume: (classifier(volume), head(features(volume)))
    )
    for volume, row in zip(volumes, expected, strict=True):
        for logits in both(per_image(small()), features, head, volume):
            np.testing.assert_allclose(logits, row, rtol=1e-4, atol=1e-6)


def test_grad_cam_of_each_slice_is_that_of_its_maps_and_the_linear_layer(model):
    volume = random_volumes(2, 32, 32, 1)
    features, head = parts(model)

    @jax.jit
    def explained(features, head, volume):
        all_maps = features(volume)
        return all_maps, over_slices(
            lambda image, index: grad_cam(
                Parts(
                    lambda x: features(x[None])[0],
                    lambda maps: head(all_maps.at[index].set(maps)),
                ),
                image,
                1,
            ),
            volume,
        )

    maps, found = explained(features, head, volume)
    slopes = np.asarray(model.head.kernel[:, 1]) / maps[..., 0].size
    coarse = np.maximum(np.asarray(maps) @ slopes, 0)
    for image, expected in zip(found, coarse, strict=True):
        np.testing.assert_allclose(
            image, upsample(jnp.asarray(expected), (32, 32)), rtol=1e-3, atol=1e-8
        )
    assert np.asarray(found).max() > 0


def test_dropout_acts_in_three_places():
    """Each of three doubles what it keeps, so a value is 8 with probability one eighth, else 0."""
    model = nnx.view(without_weights(dropout=0.5), deterministic=False)
    values = np.asarray(model.features(jnp.ones((2, 4, 64, 64, 1))))
    assert set(np.unique(values)) == {0.0, 8.0}
    assert (values == 8).mean() == pytest.approx(1 / 8, abs=0.01)


def test_dropout_is_off_in_inference_mode():
    model, volumes = (
        nnx.view(without_weights(dropout=0.5), deterministic=True),
        random_volumes(1, 2, 8, 8, 1),
    )
    np.testing.assert_array_equal(model.features(volumes), volumes)


def test_a_share_out_of_range_is_refused():
    with pytest.raises(InputError, match=r"dropout: expected a share in \[0, 1\), got 1"):
        without_weights(dropout=1.0)


def test_batches_of_images_are_refused(model):
    with pytest.raises(
        InputError, match=r"volumes: expected a batch \(b, s, h, w, 1\), got shape \(2, 32, 32, 1\)"
    ):
        model(random_volumes(2, 32, 32, 1))
