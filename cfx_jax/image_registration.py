"""Registration: the smooth displacement that carries one image onto another, or a mask.

Singla et al. 2020 (section 4.2) register a radiograph with its explanation and move the mask of the
heart along; which registration is not stated. Here the displacement is a sum of low-frequency
cosines with a penalty on its bending (Ashburner and Friston 1999, "Nonlinear spatial normalization
using basis functions"), fitted from blurred images to sharper ones. That images differ in more than
shape, say in brightness, is not modelled.

Positions and displacements are in pixels, rows first; a field (h, w, 2) says from where each pixel
is read.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Float, Shaped

from cfx_jax.checks import (
    check_array,
    check_count,
    check_image,
    check_num_steps,
    check_positive,
    check_real,
)
from cfx_jax.compilation import compiled
from cfx_jax.errors import InputError
from cfx_jax.maps import smooth
from cfx_jax.optimise import from_optax, run


class _Cosines(NamedTuple):
    """The cosines along each axis, ``down`` and ``across``.

    ``frequency`` is the frequency of their products, in radians per side.
    """

    down: Float[Array, "h f"]
    across: Float[Array, "w f"]
    frequency: Float[Array, "f f"]


def register(
    moving: Float[Array, "h w c"],
    fixed: Float[Array, "h w c"],
    *,
    num_frequencies: int = 12,
    bending: float = 3e-5,
    blurs: Sequence[float] = (1 / 16, 1 / 32, 1 / 64),
    num_steps: int = 60,
    step_size: float = 0.03,
) -> Float[Array, "h w 2"]:
    """Finds the displacement with which ``warp(moving, displacement)`` looks like ``fixed``.

    Minimises the mean squared error of the blurred images plus ``bending`` times the bending
    energy, by Adam on the slopes of the cosines, whose steps shrink to 0 over each blur. Composes
    with jit and vmap.

    Args:
        moving: the image whose mask is known, in [0, 1].
        fixed: the image that the mask is wanted for, of the same shape.
        num_frequencies: cosines along each axis, at least 1 (a shift alone); the finest has a
            half-wave of ``side / (num_frequencies - 1)``.
        bending: weight of the mean squared Laplacian of the displacement, both in units of the
            image's sides, above 0.
        blurs: standard deviations of the Gaussians, in units of the longer side, above 0; from wide
            to narrow.
        num_steps: the number of steps of each blur, at least 1.
        step_size: the size of the first step of each blur, above 0; a slope of the displacement, in
            pixels per pixel.

    Returns:
        The displacement in pixels; all 0 for an image and itself. It may fold where images have
        nothing in common.

    Raises:
        InputError: no valid images, shapes that differ, no blur, or an option out of its range.

    Example:
        >>> image = jnp.zeros((8, 8, 1)).at[2:6, 2:6].set(1.0)
        >>> register(image, image, num_frequencies=1, num_steps=2, blurs=(0.25,)).shape
        (8, 8, 2)
    """
    _check(moving, fixed, num_frequencies, blurs)
    check_num_steps(num_steps)
    for name, value in dict(bending=bending, step_size=step_size).items():
        check_positive(value, name=name)
    sigmas = tuple(blur * max(moving.shape[:2]) for blur in blurs)
    return compiled(_fit, moving, fixed, num_frequencies, bending, sigmas, num_steps, step_size)


def _fit(
    moving: Float[Array, "h w c"],
    fixed: Float[Array, "h w c"],
    num_frequencies: int,
    bending: float,
    sigmas: tuple[float, ...],
    num_steps: int,
    step_size: float,
) -> Float[Array, "h w 2"]:
    basis = _cosines(moving.shape[:2], num_frequencies, moving.dtype)
    # (blurs, 2, h, w, c): both images, from the widest blur to the narrowest.
    pairs = jnp.stack([smooth(jnp.stack([moving, fixed]), sigma=sigma) for sigma in sigmas])
    descent = from_optax(
        optax.adam(optax.cosine_decay_schedule(step_size, num_steps)), num_steps=num_steps
    )

    def fit(slopes: Float[Array, "2 f f"], pair: Float[Array, "2 h w c"]) -> tuple[Array, None]:
        def objective(slopes: Float[Array, "2 f f"]) -> Float[Array, ""]:
            error = jnp.square(warp(pair[0], _field(basis, slopes)) - pair[1]).mean()
            return error + bending * jnp.square(slopes * basis.frequency).sum()

        return run(descent, objective, slopes).solution, None

    start = jnp.zeros((2, num_frequencies, num_frequencies), moving.dtype)
    return _field(basis, lax.scan(fit, start, pairs)[0])


def warp(
    picture: Shaped[Array, "h w *c"], displacement: Float[Array, "h w 2"]
) -> Shaped[Array, "h w *c"]:
    """Moves an image or a mask: each pixel is read at its own place plus the displacement.

    Images are interpolated bilinearly, the border repeated beyond the frame. A pixel belongs to the
    moved mask where the interpolated mask is at least one half.

    Args:
        picture: an image or a map, float; or a mask, bool.
        displacement: rows and columns, in pixels.

    Returns:
        The moved picture, of the same shape and dtype.

    Raises:
        InputError: a picture of another size, or of integers.

    Example:
        >>> one_to_the_right = jnp.zeros((1, 3, 2)).at[..., 1].set(1.0)
        >>> warp(jnp.array([[0.0, 0.25, 1.0]]), one_to_the_right).tolist()
        [[0.25, 1.0, 1.0]]
    """
    check_array(picture, name="picture")
    check_array(displacement, name="displacement")
    check_real(displacement, name="displacement")
    if jnp.ndim(picture) not in (2, 3) or jnp.shape(displacement) != (*jnp.shape(picture)[:2], 2):
        raise InputError(
            "displacement: expected (h, w, 2) for a picture (h, w) or (h, w, c), got shapes"
            f" {jnp.shape(displacement)}, {jnp.shape(picture)}"
        )
    picture = jnp.asarray(picture)
    if picture.dtype == bool:
        return warp(picture.astype(displacement.dtype), displacement) >= 0.5
    if not jnp.issubdtype(picture.dtype, jnp.floating):
        raise InputError(
            f"picture: expected an image (float) or a mask (bool), got {picture.dtype}: compare"
            " labels first"
        )
    rows, columns = jnp.indices(picture.shape[:2])
    places = [rows + displacement[..., 0], columns + displacement[..., 1]]
    channels = picture.reshape(*picture.shape[:2], -1)
    interpolate = jax.vmap(
        lambda channel: map_coordinates(channel, places, 1, mode="nearest"), -1, -1
    )
    return interpolate(channels).reshape(picture.shape)


def _field(basis: _Cosines, slopes: Float[Array, "2 f f"]) -> Float[Array, "h w 2"]:
    """The displacement in pixels, of cosines with these root mean square slopes."""
    relative = jnp.einsum(
        "yi,aij,xj->yxa",
        basis.down,
        slopes / basis.frequency,
        basis.across,
        precision=lax.Precision.HIGHEST,
    )
    return relative * jnp.asarray([len(basis.down), len(basis.across)], relative.dtype)


def _cosines(size: tuple[int, ...], num_frequencies: int, dtype: jnp.dtype) -> _Cosines:
    """Cosines of mean square 1 at pixel centres, whose slope at the borders is 0."""
    wave = np.arange(num_frequencies)
    down, across = (
        np.where(wave, np.sqrt(2), 1)
        * np.cos(np.pi * wave * (np.arange(side)[:, None] + 0.5) / side)
        for side in size
    )
    # A shift has no frequency. It counts as the slowest wave, so that it has a price too.
    frequency = np.pi * np.sqrt(np.maximum(wave[:, None] ** 2 + wave**2, 1))
    return _Cosines(*(jnp.asarray(values, dtype) for values in (down, across, frequency)))


def _check(moving: Array, fixed: Array, num_frequencies: int, blurs: Sequence[float]) -> None:
    check_image(moving, name="moving")
    check_image(fixed, name="fixed")
    if moving.shape != fixed.shape:
        raise InputError(f"fixed: expected the shape of moving {moving.shape}, got {fixed.shape}")
    check_count(num_frequencies, name="num_frequencies")
    if num_frequencies > min(moving.shape[:2]):
        raise InputError(
            f"num_frequencies: expected at most the image's shorter side {min(moving.shape[:2])},"
            f" got {num_frequencies}"
        )
    if not isinstance(blurs, Sequence) or not len(blurs):
        raise InputError(f"blurs: expected at least one number in a list, got {blurs!r}")
    for blur in blurs:
        check_positive(blur, name="blurs")
