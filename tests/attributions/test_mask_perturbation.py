"""Mask perturbation against SciPy's filters and optimisers, and on scores whose only cause is
known.
"""

from dataclasses import fields

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, optimize
from small_classifiers import images, linear_classifier

from cfx_jax.attributions import MaskProblem, mask_perturbation
from cfx_jax.errors import InputError
from cfx_jax.optimise import solve

SIZE = 24
CHECKERS = jnp.asarray((np.indices((SIZE, SIZE)).sum(axis=0) % 2)[..., None], jnp.float32)
PATCH = np.zeros((SIZE, SIZE), bool)
PATCH[4:10, 13:19] = True
OPTIONS = tuple(field.name for field in fields(MaskProblem))
explained = jax.jit(mask_perturbation, static_argnames=("score", *OPTIONS))


def contrast_of_the_patch(image):
    """1 on the checkers, 0 where the patch is blurred away; nothing else matters."""
    return 4 * ((image[..., 0] - 0.5) ** 2 * PATCH).sum() / PATCH.sum()


def probability(image):
    return jax.nn.softmax(linear_classifier(image))[1]


def test_the_mask_concentrates_on_what_the_score_reads():
    found = np.asarray(
        explained(
            contrast_of_the_patch, CHECKERS, mask_shape=(12, 12), mask_sigma=0.5, area_weight=1e-2
        )
    )
    far = ~ndimage.binary_dilation(PATCH, iterations=5)
    assert found.shape == (SIZE, SIZE)
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-6
    assert found[5:9, 14:18].min() > 0.9
    assert found[far].max() < 0.05


def test_a_mask_of_one_leaves_the_image_and_of_zero_gives_scipys_blur():
    problem = MaskProblem(area_weight=0.0)
    image = jnp.asarray(images(1, size=SIZE, channels=3)[0])
    weights = np.random.default_rng(1).normal(size=image.shape)
    objective = problem(lambda x: (weights * x).sum(), image).objective
    blurred = ndimage.gaussian_filter(np.asarray(image), (5, 5, 0), mode="reflect", truncate=4)
    assert float(objective(jnp.ones((6, 6)))) == pytest.approx(
        (weights * np.asarray(image)).sum(), rel=1e-4
    )
    assert float(objective(jnp.zeros((6, 6)))) == pytest.approx((weights * blurred).sum(), abs=1e-3)


def test_penalties_agree_with_a_hand_computed_mask():
    """Differences of [[1, .5], [0, 1]]: rows .5 and 1, columns 1 and .5; hidden 1.5."""
    objective = MaskProblem(mask_shape=(2, 2))(lambda x: jnp.float32(0), CHECKERS).objective
    expected = 1e-4 * 1.5 + 1e-2 * 2 * (1 + 0.5**3)
    assert float(objective(jnp.asarray([[1.0, 0.5], [0.0, 1.0]]))) == pytest.approx(
        expected, rel=1e-5
    )


def test_the_solution_is_scipys_on_a_convex_objective():
    """A linear score with the square of differences is a box-constrained quadratic programme."""
    image = jnp.asarray(images(1, size=8)[0])
    weights = jnp.asarray(np.random.default_rng(2).normal(size=(8, 8, 1)), jnp.float32)
    problem = MaskProblem((4, 4), 2.0, 1.0, 2000, 0.01, 1e-2, 1e-1, 2.0)
    _, objective, start = problem(lambda x: (weights * x).sum(), image)
    value_and_grad = jax.jit(jax.value_and_grad(objective))
    best = optimize.minimize(
        lambda m: tuple(
            np.asarray(each, float).ravel() for each in value_and_grad(jnp.float32(m.reshape(4, 4)))
        ),
        np.full(16, 0.5),
        jac=True,
        bounds=[(0, 1)] * 16,
    )
    found = explained(
        lambda x: (weights * x).sum(),
        image,
        mask_shape=(4, 4),
        blur_sigma=2.0,
        mask_sigma=1.0,
        num_steps=2000,
        step_size=0.01,
        area_weight=1e-2,
        variation_weight=1e-1,
        variation_power=2.0,
    )
    expected = problem.coverage(jnp.float32(best.x.reshape(start.shape)), (8, 8))
    np.testing.assert_allclose(found, expected, atol=5e-3)


def test_a_score_that_reads_nothing_gives_an_empty_map():
    np.testing.assert_array_equal(explained(lambda x: 0 * x.sum(), CHECKERS, num_steps=3), 0)


def test_a_dearer_area_hides_less():
    cheap, dear = (
        explained(contrast_of_the_patch, CHECKERS, num_steps=50, area_weight=weight).sum()
        for weight in (1e-4, 1e-2)
    )
    assert float(dear) < float(cheap)


def test_the_mask_is_a_quarter_of_the_image_unless_told():
    shape = jax.eval_shape(
        lambda x: MaskProblem()(probability, x).x0, jnp.zeros((224, 223, 3))
    ).shape
    assert shape == (56, 56)


def test_a_batch_gives_the_same_maps():
    batch = images(2)
    problem = MaskProblem(num_steps=5)
    masks = solve(problem, jax.tree_util.Partial(probability), batch).solution
    for image, mask in zip(batch, masks, strict=True):
        alone = explained(probability, jnp.asarray(image), num_steps=5)
        np.testing.assert_allclose(problem.coverage(jnp.asarray(mask), (8, 8)), alone, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": 0}, "num_steps: expected an integer of at least 1"),
        ({"blur_sigma": 0.0}, "blur_sigma: expected a finite number above 0"),
        ({"mask_sigma": -1.0}, "mask_sigma: expected a finite number above 0"),
        ({"step_size": 0.0}, "step_size: expected a finite number above 0"),
        ({"area_weight": -1.0}, "area_weight: expected a number of at least 0, got -1.0"),
        (
            {"variation_weight": float("nan")},
            "variation_weight: expected a number of at least 0, got nan",
        ),
        ({"variation_power": 0.5}, "variation_power: expected a number of at least 1, got 0.5"),
        (
            {"mask_shape": (25, 4)},
            r"mask_shape: expected \(rows, columns\) from \(1, 1\) to \(24, 24\), got \(25, 4\)",
        ),
        (
            {"mask_shape": (4,)},
            r"mask_shape: expected \(rows, columns\) from \(1, 1\) to \(24, 24\), got \(4,\)",
        ),
        (
            {"mask_shape": (4, 0)},
            r"mask_shape: expected \(rows, columns\) from \(1, 1\) to \(24, 24\), got \(4, 0\)",
        ),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        mask_perturbation(probability, CHECKERS, **options)


def test_a_wrong_image_is_named():
    with pytest.raises(InputError, match=r"image: expected values in \[0, 1\]"):
        mask_perturbation(probability, CHECKERS + 1)
