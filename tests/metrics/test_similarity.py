"""Structural similarity and signal-to-noise ratio against scikit-image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from cfx_jax.errors import InputError
from cfx_jax.metrics import psnr, ssim

RNG = np.random.default_rng(0)
NOISE = RNG.uniform(size=(24, 31, 3)).astype(np.float32)
PHOTOGRAPH = (skimage.data.astronaut()[100:164, 180:250] / 255).astype(np.float32)
FLAT = np.full((20, 20, 1), 0.9, np.float32)
OPTIONS = {
    "gaussian": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    "uniform": {},
}


def pairs():
    yield "noise", NOISE, RNG.uniform(size=NOISE.shape).astype(np.float32)
    for scale in (1e-3, 0.02, 0.2):
        disturbed = np.clip(PHOTOGRAPH + scale * RNG.normal(size=PHOTOGRAPH.shape), 0, 1).astype(
            np.float32
        )
        yield f"photograph {scale}", PHOTOGRAPH, disturbed
    yield "negative", PHOTOGRAPH, 1 - PHOTOGRAPH
    yield "flat", FLAT, (FLAT - 0.01 * RNG.uniform(size=FLAT.shape)).astype(np.float32)
    yield "black and white", np.zeros_like(FLAT), np.ones_like(FLAT)


@pytest.mark.parametrize("window", ["gaussian", "uniform"])
@pytest.mark.parametrize(
    ("first", "second"), [pair[1:] for pair in pairs()], ids=[pair[0] for pair in pairs()]
)
def test_similarity_equals_that_of_scikit_image(first, second, window):
    expected = structural_similarity(
        first.astype(float), second.astype(float), channel_axis=-1, data_range=1, **OPTIONS[window]
    )
    assert float(ssim(first, second, window=window)) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(
    ("first", "second"), [pair[1:] for pair in pairs()], ids=[pair[0] for pair in pairs()]
)
def test_ratio_equals_that_of_scikit_image(first, second):
    expected = peak_signal_noise_ratio(first.astype(float), second.astype(float), data_range=1)
    assert float(psnr(first, second)) == pytest.approx(expected, abs=1e-4)


def test_equal_images():
    assert float(ssim(PHOTOGRAPH, PHOTOGRAPH)) == pytest.approx(1, abs=1e-6)
    assert float(ssim(FLAT, FLAT)) == pytest.approx(1, abs=1e-6)
    assert float(psnr(PHOTOGRAPH, PHOTOGRAPH)) == np.inf


def test_ratio_by_hand():
    assert float(psnr(FLAT, FLAT - 0.1)) == pytest.approx(20, abs=1e-4)


def test_similarity_is_symmetric():
    assert float(ssim(NOISE, NOISE[::-1])) == pytest.approx(
        float(ssim(NOISE[::-1], NOISE)), abs=1e-6
    )


@pytest.mark.parametrize("function", [psnr, ssim])
def test_many_pairs_under_vmap_and_jit(function):
    first, second = jnp.asarray(RNG.uniform(size=(2, 4, 16, 16, 1)), jnp.float32)
    together = jax.jit(jax.vmap(function))(first, second)
    np.testing.assert_allclose(
        together, [function(a, b) for a, b in zip(first, second, strict=True)], rtol=1e-5
    )


def test_similarity_has_a_gradient_that_raises_it():
    goal = jnp.asarray(PHOTOGRAPH[:24, :31])
    before, slope = jax.jit(jax.value_and_grad(ssim))(NOISE, goal)
    assert np.isfinite(slope).all()
    assert ssim(jnp.clip(NOISE + 0.01 * slope / jnp.abs(slope).max(), 0, 1), goal) > before


def test_what_is_no_pair_of_images_is_refused():
    with pytest.raises(
        InputError, match=r"second: expected the shape of first \(24, 31, 3\), got \(20, 20, 1\)"
    ):
        ssim(NOISE, FLAT)
    with pytest.raises(InputError, match=r"first: expected values in \[0, 1\]"):
        psnr(2 * NOISE, NOISE)
    with pytest.raises(InputError, match="second: expected finite values"):
        ssim(FLAT, np.nan * FLAT)
    with pytest.raises(
        InputError, match="window: expected one of 'gaussian', 'uniform', got 'box'"
    ):
        ssim(FLAT, FLAT, window="box")
    with pytest.raises(
        InputError, match=r"at least 11 x 11 pixels for window 'gaussian', got shape \(9, 20, 1\)"
    ):
        ssim(FLAT[:9], FLAT[:9])
    with pytest.raises(
        InputError, match=r"at least 7 x 7 pixels for window 'uniform', got shape \(20, 6, 1\)"
    ):
        ssim(FLAT[:, :6], FLAT[:, :6], window="uniform")
    with pytest.raises(
        InputError,
        match=r"first: expected one image \(h, w, c\), got shape \(1, 24, 31, 3\); use jax.vmap",
    ):
        psnr(NOISE[None], NOISE[None])
