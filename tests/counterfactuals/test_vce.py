"""Visual counterfactuals: feasible, better than the start, the same one by one and in batches;
mistakes named.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import convolutional_classifier, images, linear_classifier

from cfx_jax.backend import equations_of
from cfx_jax.counterfactuals import vce, vce_batch, vce_sweep
from cfx_jax.errors import InputError
from cfx_jax.geometry import lp_norm

IMAGES = images(5)
TARGETS = np.asarray([0, 1, 2, 0, 1])
KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("p", "radius"), [(1, 4.0), (1.5, 2.0), (2, 1.0), (4, 0.4), (math.inf, 0.1)]
)
def test_counterfactual_is_feasible_and_raises_the_target(p, radius):
    masks = np.zeros((5, 8, 8), bool)
    masks[:, 2:] = True
    result = vce_batch(
        convolutional_classifier,
        IMAGES,
        TARGETS,
        p=p,
        radius=radius,
        masks=masks,
        num_steps=20,
        key=KEY,
    )
    for image, changed in zip(IMAGES, result.image, strict=True):
        assert float(lp_norm(jnp.asarray(changed - image), p)) <= radius * (1 + 1e-5)
        np.testing.assert_array_equal(changed[:2], image[:2])
    assert result.image.min() >= 0
    assert result.image.max() <= 1
    assert (result.probability > result.initial_probability + 0.02).all()
    logits = jax.vmap(convolutional_classifier)(result.image)
    rescored = jax.nn.softmax(logits)[np.arange(5), TARGETS]
    np.testing.assert_allclose(result.probability, rescored, rtol=1e-4)
    assert result.trace.shape == (5, 21)


@pytest.mark.parametrize("p", [1.5, 2])
def test_one_image_vmap_and_batch_agree(p):
    options = {"p": p, "radius": 0.5, "num_steps": 10}
    keys = jax.vmap(jax.random.fold_in, (None, 0))(KEY, jnp.arange(5))
    one = jax.jit(
        lambda image, target, key: vce(convolutional_classifier, image, target, key=key, **options)
    )
    by_vmap = jax.vmap(one)(IMAGES, TARGETS, keys)
    by_batch = vce_batch(
        convolutional_classifier, IMAGES, TARGETS, key=KEY, batch_size=2, **options
    )
    alone = one(IMAGES[3], TARGETS[3], keys[3])
    np.testing.assert_allclose(by_batch.image, by_vmap.image, atol=2e-4)
    np.testing.assert_allclose(by_batch.trace, by_vmap.trace, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(by_batch.image[3], alone.image, atol=2e-4)


def test_linear_classifier_gets_the_closed_form():
    image = jnp.full((8, 8, 1), 0.5)
    slope = np.broadcast_to(np.linspace(1, -1, 8)[None, :, None], (8, 8, 1))
    result = vce(linear_classifier, image, 1, p=2, radius=0.3, num_steps=40)
    np.testing.assert_allclose(result.image - image, 0.3 * slope / np.linalg.norm(slope), atol=1e-4)


def test_confidence_rises_with_the_radius():
    probabilities = [
        vce_batch(
            convolutional_classifier, IMAGES, TARGETS, p=4, radius=radius, num_steps=30
        ).probability
        for radius in (0.05, 0.1, 0.2, 0.4)
    ]
    assert (np.diff(probabilities, axis=0) > -1e-3).all()


def test_the_image_itself_is_kept_where_nothing_better_is_found():
    def peaked(image):
        distance = ((image - 0.5) ** 2).sum()
        return jnp.stack([0.0, -100 * distance])

    image = jnp.full((8, 8, 1), 0.5)
    result = jax.jit(lambda image: vce(peaked, image, 1, p=1.5, radius=0.5, num_steps=3, key=KEY))(
        image
    )
    np.testing.assert_array_equal(result.image, image)
    assert float(result.probability) == pytest.approx(0.5)


def test_saturated_classifiers_still_give_a_search_direction():
    result = vce(
        lambda x: 40 * linear_classifier(x) + jnp.asarray([0.0, -30.0]),
        jnp.full((8, 8, 1), 0.5),
        1,
        p=2,
        radius=0.2,
    )
    assert float(result.probability) > 1e3 * float(result.initial_probability)


def test_mask_after_the_oracle_changes_less():
    masks = np.zeros((5, 8, 8), bool)
    masks[:, 4:] = True
    options = {"p": 1.5, "radius": 0.5, "masks": masks, "num_steps": 20, "key": KEY}
    before = vce_batch(convolutional_classifier, IMAGES, TARGETS, **options)
    after = vce_batch(convolutional_classifier, IMAGES, TARGETS, mask_after_oracle=True, **options)
    assert (
        np.abs(after.image - IMAGES).sum((1, 2, 3)) < np.abs(before.image - IMAGES).sum((1, 2, 3))
    ).all()
    np.testing.assert_array_equal(after.image[:, :4], IMAGES[:, :4])


GOOD = {
    "classifier": convolutional_classifier,
    "image": jnp.asarray(IMAGES[0]),
    "target": 1,
    "p": 2,
    "radius": 0.5,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"image": 2 * jnp.asarray(IMAGES[0])},
            r"image: expected values in \[0, 1\], got \[.*\]: rescale",
        ),
        (
            {"image": (255 * jnp.asarray(IMAGES[0])).astype(jnp.uint8)},
            "image: expected dtype float32, got uint8: divide by 255",
        ),
        (
            {"image": jnp.asarray(IMAGES[0]).at[0, 0].set(jnp.nan)},
            "image: expected finite values, got NaN",
        ),
        (
            {"image": jnp.asarray(IMAGES)},
            r"image: expected one image \(h, w, c\), got shape \(5, 8, 8, 1\); use jax.vmap",
        ),
        ({"target": 3}, r"target: expected a class in 0\.\.2, got 3"),
        ({"target": -1}, r"target: expected a class in 0\.\.2, got -1"),
        ({"target": 1.0}, "target: expected a class index"),
        ({"radius": 0.0}, "radius: expected a finite number above 0"),
        ({"p": 0.5}, "p: expected a norm with p >= 1"),
        (
            {"mask": jnp.ones((4, 8), bool)},
            r"mask: expected shape \(8, 8, 1\) or \(8, 8\) like the image, got \(4, 8\)",
        ),
        ({"num_steps": 0}, "num_steps: expected an integer of at least 1"),
        ({"method": "pgd"}, "method: expected one of 'auto', 'apgd', 'afw', got 'pgd'"),
        (
            {"method": "apgd", "p": 1.5},
            "method: 'apgd' needs p in 1, 2, inf, got p = 1.5: use 'afw'",
        ),
        ({"mask_after_oracle": True}, "mask_after_oracle: is an option of Auto-Frank-Wolfe"),
        (
            {"classifier": lambda x: jax.nn.softmax(convolutional_classifier(x))},
            "expected logits, got probabilities",
        ),
        (
            {"classifier": lambda x: convolutional_classifier(x) * jnp.nan},
            "expected finite logits, got NaN or infinity",
        ),
        ({"classifier": lambda x: x.sum()}, r"classifier: expected one image -> logits \(k,\)"),
    ],
)
def test_mistakes_are_named(change, message):
    arguments = GOOD | change
    positional = [arguments.pop(name) for name in ("classifier", "image", "target")]
    with pytest.raises(InputError, match=message):
        vce(*positional, **arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"classifier": lambda x: jax.nn.softmax(convolutional_classifier(x))},
            "expected logits, got probabilities",
        ),
        (
            {"classifier": lambda x: convolutional_classifier(x) * jnp.nan},
            "expected finite logits, got NaN or infinity on 4 of 4",
        ),
        (
            {"images": IMAGES[0]},
            r"images: expected a batch of images \(n, h, w, c\), got shape \(8, 8, 1\)",
        ),
        ({"images": IMAGES[:0]}, "images: expected at least one image"),
        (
            {"targets": TARGETS[:3]},
            r"targets: expected one class for each of the 5 images, got shape \(3,\)",
        ),
        ({"targets": TARGETS + 2}, r"targets: expected a class in 0\.\.2, got 3"),
        (
            {"masks": np.ones((8, 8), bool)},
            r"masks: expected one for each of the 5 images, got shape \(8, 8\)",
        ),
    ],
)
def test_mistakes_in_batches_are_named(change, message):
    arguments = {
        "classifier": convolutional_classifier,
        "images": IMAGES,
        "targets": TARGETS,
    } | change
    with pytest.raises(InputError, match=message):
        vce_batch(*arguments.values(), p=2, radius=0.5) if "masks" not in change else vce_batch(
            convolutional_classifier, IMAGES, TARGETS, p=2, radius=0.5, masks=change["masks"]
        )


@pytest.mark.parametrize("p", [1.5, 2])
def test_a_sweep_has_the_counterfactual_of_each_radius_and_of_a_random_start(p):
    options = {"p": p, "num_steps": 10}
    sweep = vce_sweep(KEY, convolutional_classifier, IMAGES[0], 1, radii=[0.25, 0.5], **options)
    for number, (radius, key) in enumerate([(0.25, None), (0.5, None), (0.5, KEY)]):
        alone = vce(convolutional_classifier, IMAGES[0], 1, radius=radius, key=key, **options)
        for values, expected in zip(sweep, alone, strict=True):
            np.testing.assert_allclose(values[number], expected, atol=5e-4)


def test_all_searches_of_a_sweep_are_one_loop():
    def count_loops(search):
        jaxpr = jax.make_jaxpr(search)(IMAGES[0]).jaxpr
        return sum(equation.primitive.name == "scan" for equation in equations_of(jaxpr))

    options = {"p": 2, "num_steps": 10}
    one = count_loops(partial(vce, convolutional_classifier, target=1, radius=0.5, **options))
    sweep = partial(vce_sweep, KEY, convolutional_classifier, target=1, radii=[0.2, 0.5], **options)
    assert count_loops(sweep) == one > 0


@pytest.mark.parametrize("radii", [[], 0.5, [0.5, -1.0], ["a"], [[0.5]], None])
def test_radii_of_a_sweep_are_numbers_above_0_in_a_list(radii):
    with pytest.raises(InputError, match="radii: expected"):
        vce_sweep(KEY, convolutional_classifier, IMAGES[0], 1, p=2, radii=radii)
