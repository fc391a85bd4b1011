"""Finds the images that an autoencoder does not reconstruct well enough to be explained.

A search in the latent begins at the reconstruction, and the classifier sees what the decoder draws.
Where the reconstruction is bad, both say something about another image. The bound is the caller's:
it depends on noise and contrast of the images.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import as_numpy, check_array, check_images_or_volumes, check_number, check_real
from cfx_jax.counterfactuals.autoencoder import Autoencoder, as_autoencoder
from cfx_jax.errors import InputError
from cfx_jax.generator_interfaces import Coder
from cfx_jax.metrics import psnr_of_mse
from cfx_jax.parallel import map_examples


def reconstruction_psnr(
    image: Float[AnyArray, "*s h w c"], reconstruction: Float[AnyArray, "*s h w c"]
) -> Float[Array, ""]:
    """The peak signal-to-noise ratio of a reconstruction, in decibels.

    ``10 log10(1 / mean squared difference)``.

    As ``metrics.psnr``, but of volumes too, and of drawings that leave [0, 1].

    Args:
        image: an image (h, w, c) or a volume (s, h, w, c), values in [0, 1].
        reconstruction: the autoencoder's image of it, of the same shape.

    Returns:
        A scalar; infinity where both are equal.

    Raises:
        InputError: the shapes differ.

    Example:
        >>> round(float(reconstruction_psnr(jnp.zeros((2, 2, 1)), jnp.full((2, 2, 1), 0.1))), 2)
        20.0
    """
    check_array(image, name="image")
    check_array(reconstruction, name="reconstruction")
    check_real(image, name="image")
    check_real(reconstruction, name="reconstruction")
    if image.shape != reconstruction.shape:
        raise InputError(
            f"reconstruction: expected the image's shape {image.shape}, got {reconstruction.shape}"
        )
    return psnr_of_mse(jnp.mean((jnp.asarray(image) - reconstruction) ** 2))


def check_reconstruction(
    image: Float[AnyArray, "*s h w c"],
    reconstruction: Float[AnyArray, "*s h w c"],
    *,
    minimum_psnr: float,
) -> None:
    """Checks that an image can be explained by way of its reconstruction.

    Args:
        image: an image (h, w, c) or a volume (s, h, w, c), values at hand, not traced.
        reconstruction: the autoencoder's image of it, of the same shape.
        minimum_psnr: in decibels.

    Raises:
        InputError: the reconstruction is below the bound, giving its figure; the image is constant,
            or has NaN or infinity; or the shapes differ.

    Example:
        >>> image = jnp.array([[0.0, 1.0]])[..., None]
        >>> check_reconstruction(image, image + 0.1, minimum_psnr=15)
        >>> check_reconstruction(image, 1 - image, minimum_psnr=15)
        Traceback (most recent call last):
        ...
        cfx_jax.errors.InputError: reconstruction: expected a PSNR of at least 15 dB, ...
    """
    check_number(minimum_psnr, name="minimum_psnr")
    values = as_numpy(image, name="image")
    psnr = float(reconstruction_psnr(image, reconstruction))
    message = _objection(float(values.min()), float(values.max()), psnr, minimum_psnr)
    if message:
        raise InputError(message)


def find_unexplainable(
    coder: Coder,
    images: Float[AnyArray, "n *s h w c"],
    *,
    minimum_psnr: float,
    slices_per_batch: int | None = None,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
) -> dict[int, str]:
    """Finds which of many images cannot be explained by way of their reconstructions, and why.

    Args:
        coder: as in ``latent_counterfactual``.
        images: images (n, h, w, c) or volumes (n, s, h, w, c). One with NaN is found, rather than
            an error.
        minimum_psnr: in decibels.
        slices_per_batch: as in ``latent_counterfactual``.
        batch_size, mesh: as in ``parallel.map_examples``.

    Returns:
        For the index of each such image, the message of ``check_reconstruction``.

    Raises:
        InputError: no batch of images, or a coder that ``latent_counterfactual`` does not take.

    Example:
        >>> from types import SimpleNamespace
        >>> coder = SimpleNamespace(encode=lambda image: image - 0.5, decode=lambda z: z + 0.5)
        >>> images = np.zeros((2, 1, 2, 1), np.float32)
        >>> images[1, 0, 1] = 1
        >>> find_unexplainable(coder, images, minimum_psnr=20)
        {0: 'image: expected something to see, got the value 0 everywhere: look at the file, ...'}
    """
    check_number(minimum_psnr, name="minimum_psnr")
    check_array(images, name="images")
    check_real(images, name="images")
    values = np.asarray(images)
    check_images_or_volumes(np.where(np.isfinite(values), values, 0))
    autoencoder = as_autoencoder(coder, jnp.asarray(values[0]), slices_per_batch=slices_per_batch)
    psnrs = map_examples(_psnr, autoencoder, values, batch_size=batch_size, mesh=mesh)
    flat = values.reshape(len(values), -1)
    lows, highs = flat.min(axis=1), flat.max(axis=1)
    messages = [
        _objection(float(low), float(high), float(psnr), minimum_psnr)
        for low, high, psnr in zip(lows, highs, psnrs, strict=True)
    ]
    return {index: message for index, message in enumerate(messages) if message}


def _psnr(autoencoder: Autoencoder, image: Float[Array, "*s h w c"]) -> Float[Array, ""]:
    return reconstruction_psnr(image, autoencoder.decode(autoencoder.encode(image)))


def _objection(low: float, high: float, psnr: float, minimum: float) -> str | None:
    """Why an image with these smallest and largest values cannot be explained, or None."""
    if not np.isfinite([low, high]).all():
        return (
            "image: expected finite values, got NaN or infinity: repair the file, or leave it out"
        )
    if low == high:
        return (
            f"image: expected something to see, got the value {low:g} everywhere: look at the file,"
            " or leave it out"
        )
    # A reconstruction with NaN is below every bound.
    if not psnr >= minimum:
        return (
            f"reconstruction: expected a PSNR of at least {minimum:g} dB, got {psnr:.2f} dB: train"
            " the autoencoder longer, or leave the image out"
        )
    return None
