"""SmoothGrad against the exact blur of simple gradients."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from small_classifiers import convolutional_classifier, images

from cfx_jax.attributions import gradient, integrated_gradients, smooth_grad
from cfx_jax.errors import InputError

IMAGE = jnp.asarray(images(1)[0])
KEY = jax.random.key(0)
NET = partial(gradient, lambda x: convolutional_classifier(x)[1])


def test_of_a_linear_score_it_is_the_gradient():
    weights = jnp.asarray(images(1, seed=3)[0])
    found = smooth_grad(
        KEY, partial(gradient, lambda x: (weights * x).sum()), IMAGE, num_samples=3, sigma=0.5
    )
    np.testing.assert_allclose(found, weights, rtol=1e-6)


@pytest.mark.parametrize("sigma", [0.1, 0.4])
def test_of_a_cube_it_rises_by_the_variance(sigma):
    """The mean of 3 (x + noise)^2 is 3 x^2 + 3 sigma^2."""
    found = smooth_grad(
        KEY,
        partial(gradient, lambda x: (x**3).sum()),
        IMAGE,
        num_samples=20_000,
        sigma=sigma,
        samples_per_batch=5_000,
    )
    np.testing.assert_allclose(found, 3 * IMAGE**2 + 3 * sigma**2, atol=0.1)
    assert float((found - 3 * IMAGE**2).mean()) == pytest.approx(3 * sigma**2, abs=3e-3)


def test_of_a_step_it_is_the_normal_distribution():
    """The gradient of relu(x - 1/2) is a step; blurred by the noise it is the noise's distribution
    function.
    """
    step = partial(gradient, lambda x: jax.nn.relu(x - 0.5).sum())
    found = smooth_grad(KEY, step, IMAGE, num_samples=20_000, sigma=0.2, samples_per_batch=5_000)
    np.testing.assert_allclose(found, stats.norm.cdf((np.asarray(IMAGE) - 0.5) / 0.2), atol=0.02)


@pytest.mark.parametrize("samples_per_batch", [2, 3, 100])
def test_sample_batches_change_nothing(samples_per_batch):
    whole = smooth_grad(KEY, NET, IMAGE, num_samples=3, sigma=0.2)
    found = smooth_grad(
        KEY, NET, IMAGE, num_samples=3, sigma=0.2, samples_per_batch=samples_per_batch
    )
    np.testing.assert_allclose(found, whole, atol=1e-6)


def test_a_sample_depends_on_the_key_and_its_number_only():
    one, two = (num * smooth_grad(KEY, lambda x: x, IMAGE, num_samples=num) for num in (1, 2))
    first, second = one - IMAGE, two - one - IMAGE
    for noise in (first, second):
        assert float(noise.std()) == pytest.approx(0.15, rel=0.3)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.4
    np.testing.assert_allclose(
        smooth_grad(KEY, lambda x: x**2, IMAGE, num_samples=1), one**2, atol=1e-6
    )


def test_any_attribution_can_be_wrapped_also_one_without_channels():
    path = partial(integrated_gradients, lambda x: (x**2).sum(), num_steps=2)
    noisy = smooth_grad(KEY, lambda x: x, IMAGE, num_samples=1)
    np.testing.assert_allclose(smooth_grad(KEY, path, IMAGE, num_samples=1), noisy**2, atol=1e-5)
    without_channels = smooth_grad(KEY, lambda x: x.sum(axis=-1), IMAGE, num_samples=1)
    np.testing.assert_allclose(without_channels, noisy[..., 0], atol=1e-6)


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (IMAGE + 1, {}, r"image: expected values in \[0, 1\]"),
        (IMAGE, {"num_samples": 0}, "num_samples: expected an integer of at least 1, got 0"),
        (IMAGE, {"num_samples": None}, "num_samples: expected an integer of at least 1, got None"),
        (
            IMAGE,
            {"samples_per_batch": 0},
            "samples_per_batch: expected an integer of at least 1, got 0",
        ),
        (IMAGE, {"sigma": 0.0}, "sigma: expected a finite number above 0, got 0.0"),
    ],
)
def test_mistakes_are_named(image, options, message):
    with pytest.raises(InputError, match=message):
        smooth_grad(KEY, NET, image, **options)
