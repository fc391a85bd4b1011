"""Augmentation averaging against a loop that moves with SciPy, and on explanations that move with
the image.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage
from small_classifiers import images

from cfx_jax.attributions import AugmentationRanges, augment_average
from cfx_jax.attributions.affine_moves import draw_move
from cfx_jax.errors import InputError

KEY = jax.random.key(3)
IMAGE = jnp.asarray(images(1, size=9)[0])
RANGES = AugmentationRanges(10.0, 2.0, 2.0, (0.8, 1.2))
FLIPS = AugmentationRanges(0.0, 0.0, 0.0, (1.0, 1.0))
averaged = jax.jit(
    augment_average,
    static_argnames=("explain", "num", "ranges", "visible_only", "samples_per_batch"),
)


def explain(image):
    """Depends on the place, so that a wrong way back would be seen; signed."""
    return jnp.cos(7 * image) * jnp.arange(9)[:, None, None] - 2


def scipys_move(picture, matrix, shift):
    center = (np.asarray(picture.shape[:2]) - 1) / 2
    planes = [
        ndimage.affine_transform(
            plane, matrix, center + shift - matrix @ center, order=1, mode="nearest"
        )
        for plane in np.moveaxis(np.asarray(picture, float), -1, 0)
    ]
    return np.stack(planes, axis=-1)


def seen_after_moving(matrix, shift):
    """Whether the moved image shows a pixel: the pixel's place there is solved for."""
    places = np.indices((9, 9)).reshape(2, -1) - 4
    there = np.linalg.solve(matrix, places - shift[:, None])
    return (abs(there) <= 4.5).all(axis=0).reshape(9, 9, 1)


@pytest.mark.parametrize("visible_only", [False, True])
def test_the_mean_is_that_of_a_loop_with_scipy(visible_only):
    total, count = np.asarray(explain(IMAGE), float), np.ones((9, 9, 1))
    for i in range(6):
        matrix, shift = (
            np.asarray(each, float) for each in draw_move(jax.random.fold_in(KEY, i), RANGES)
        )
        map_there = explain(scipys_move(IMAGE, matrix, shift))
        inverse = np.linalg.inv(matrix)
        weight = seen_after_moving(matrix, shift) if visible_only else 1
        total += weight * scipys_move(map_there, inverse, -inverse @ shift)
        count += weight
    found = averaged(KEY, explain, IMAGE, num=6, ranges=RANGES, visible_only=visible_only)
    assert not visible_only or count.min() < 7
    np.testing.assert_allclose(found, total / count, atol=1e-3)


@pytest.mark.parametrize("shape", ["h w c", "h w"])
def test_an_explanation_that_flips_with_the_image_stays_as_it_is(shape):
    def pixelwise(image):
        return jnp.sin(5 * image) if shape == "h w c" else jnp.sin(5 * image).sum(axis=-1)

    found = averaged(KEY, pixelwise, IMAGE, num=8, ranges=FLIPS)
    np.testing.assert_allclose(found, pixelwise(IMAGE), atol=1e-6)


def test_no_augmentation_gives_the_explanation_itself():
    np.testing.assert_array_equal(augment_average(KEY, explain, IMAGE, num=0), explain(IMAGE))


def test_moved_images_stay_in_the_unit_range():
    seen = []

    def watch(image):
        jax.debug.callback(lambda values: seen.append((values.min(), values.max())), image)
        return image

    averaged(KEY, watch, jnp.round(IMAGE), num=5, ranges=RANGES)
    jax.effects_barrier()
    assert len(seen) == 6
    assert min(low for low, _ in seen) >= 0
    assert max(high for _, high in seen) <= 1


@pytest.mark.parametrize("samples_per_batch", [2, 100])
def test_sample_batches_change_nothing(samples_per_batch):
    whole = averaged(KEY, explain, IMAGE, num=5, ranges=RANGES)
    found = averaged(KEY, explain, IMAGE, num=5, ranges=RANGES, samples_per_batch=samples_per_batch)
    np.testing.assert_allclose(found, whole, atol=1e-5)


def test_another_key_gives_another_mean():
    one, other = (
        averaged(jax.random.key(seed), explain, IMAGE, num=5, ranges=RANGES) for seed in (0, 1)
    )
    assert float(jnp.abs(one - other).max()) > 0.1


def test_jit_and_vmap_equal_a_loop():
    def explained(key, image):
        return augment_average(key, explain, image, num=5, ranges=RANGES)

    batch, keys = jnp.asarray(images(3, size=9)), jax.random.split(KEY, 3)
    mapped = jax.jit(jax.vmap(explained))(keys, batch)
    assert mapped.dtype == jnp.float32
    alone = averaged(keys[2], explain, batch[2], num=5, ranges=RANGES)
    np.testing.assert_allclose(mapped[2], alone, atol=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: augment_average(KEY, explain, IMAGE + 1), r"image: expected values in \[0, 1\]"),
        (
            lambda: augment_average(KEY, explain, IMAGE, num=-1),
            "num: expected an integer of at least 0, got -1",
        ),
        (
            lambda: augment_average(KEY, explain, IMAGE, samples_per_batch=0),
            "samples_per_batch: expected an integer of at least 1, got 0",
        ),
        (
            lambda: augment_average(KEY, lambda x: x[:4], IMAGE),
            r"explain: expected a map \(9, 9\), with or without channels, got shape \(4, 9, 1\)",
        ),
        (
            lambda: augment_average(KEY, jnp.sum, IMAGE),
            r"explain: expected a map \(9, 9\), with or without channels, got shape \(\)",
        ),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
