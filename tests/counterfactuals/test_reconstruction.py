"""Images that an autoencoder does not reconstruct are refused by name, and only those."""

import numpy as np
import pytest
from toy_coder import CODER, ToyCoder, decode, encode, volumes

from cfx_jax.counterfactuals import check_reconstruction, find_unexplainable, reconstruction_psnr
from cfx_jax.errors import InputError
from cfx_jax.metrics import psnr

VOLUMES = volumes(5)


def test_the_ratio_is_that_of_the_mean_squared_difference():
    volume = VOLUMES[0]
    assert float(reconstruction_psnr(volume, volume + 0.1)) == pytest.approx(20, abs=1e-3)
    assert float(reconstruction_psnr(volume, volume)) == np.inf
    slices = float(reconstruction_psnr(volume[0], volume[1]))
    assert slices == pytest.approx(float(psnr(volume[0], volume[1])), rel=1e-5)


def test_good_reconstructions_pass():
    check_reconstruction(VOLUMES[0], VOLUMES[0] + 0.01, minimum_psnr=39.9)


@pytest.mark.parametrize(
    ("image", "reconstruction", "message"),
    [
        (
            VOLUMES[0],
            VOLUMES[0] + 0.1,
            r"expected a PSNR of at least 25 dB, got 20\.00 dB: train the autoencoder longer",
        ),
        (VOLUMES[0], VOLUMES[0] * np.nan, "expected a PSNR of at least 25 dB, got nan dB"),
        (
            0 * VOLUMES[0] + 0.25,
            0 * VOLUMES[0] + 0.25,
            r"image: .*something to see, got the value 0\.25 everywhere",
        ),
        (
            np.full_like(VOLUMES[0], np.inf),
            VOLUMES[0],
            "image: expected finite values, got NaN or infinity: repair the file",
        ),
        (
            VOLUMES[0],
            VOLUMES[0, :1],
            r"reconstruction: expected the image's shape \(3, 4, 4, 1\), got \(1, 4, 4, 1\)",
        ),
    ],
)
def test_what_cannot_be_explained_is_named(image, reconstruction, message):
    with pytest.raises(InputError, match=message):
        check_reconstruction(image, reconstruction, minimum_psnr=25)


@pytest.mark.parametrize("slices_per_batch", [None, 2])
def test_of_many_only_the_bad_ones_are_refused(slices_per_batch):
    drawn = np.clip(
        decode(encode(VOLUMES)), 0, 1
    )  # in the reach of the decoder, unlike noise, but for the clipping
    images = np.array(decode(encode(0.2 * drawn + 0.4)), np.float32)
    images[1] = np.nan
    images[2] = 0.5
    images[4] = VOLUMES[4]
    found = find_unexplainable(
        CODER, images, minimum_psnr=40, slices_per_batch=slices_per_batch, batch_size=2
    )
    assert sorted(found) == [1, 2, 4]
    assert "NaN" in found[1] and "everywhere" in found[2]
    own = float(reconstruction_psnr(VOLUMES[4], decode(encode(VOLUMES[4]))))
    assert f"got {own:.2f} dB" in found[4]


def test_mistakes_in_batches_are_named():
    with pytest.raises(InputError, match=r"images: expected values in \[0, 1\]"):
        find_unexplainable(CODER, VOLUMES * 3, minimum_psnr=40)
    with pytest.raises(InputError, match="coder: expected encode to give one array"):
        find_unexplainable(ToyCoder(lambda x: (encode(x),), decode), VOLUMES, minimum_psnr=40)
