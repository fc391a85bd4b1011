"""Attributions along a path between two images.

Charachon et al. 2021, "Visual explanation by unifying adversarial generation and feature importance
attributions", equations 2 to 6.

With gradients g of the score on the path and the path's velocity d, all products pixelwise, a map
is ``|mean over the path of F(g, d) d|``: F = 1 is the difference of the ends (E), F = g d is
E_FI^v1, F = |g| d is E_FI^v2. The straight path is the published one. Its footnote 3 sets aside the
path of decoded images, because the decoder's Jacobian is too large; only its product with one
vector is needed, which costs about two forward passes.

The paper smooths each term of the integral; that equals smoothing the finished map, which is what
is done here.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from cfx_jax.attributions.bounded_memory_sum import sum_over
from cfx_jax.attributions.gradient import Score, slope
from cfx_jax.checks import (
    check_array,
    check_callable,
    check_choice,
    check_count,
    check_image_or_volume,
    check_num_steps,
    check_positive,
)
from cfx_jax.compilation import compiled, shape_of
from cfx_jax.errors import InputError
from cfx_jax.maps import smooth

Weight = Callable[[Float[Array, "*s h w c"], Float[Array, "*s h w c"]], Float[Array, "*s h w c"]]

_VARIANTS: dict[str, Weight] = {
    "E": lambda gradient, velocity: jnp.ones_like(gradient),
    "v1": lambda gradient, velocity: gradient * velocity,
    "v2": lambda gradient, velocity: jnp.abs(gradient) * velocity,
}
_VARIANT, _NUM_STEPS = "v2", 50
_RADIUS_IN_SIGMAS = 7  # sigma 2 then has the paper's kernel: 28 pixels wide, 29 taps


class PathAttribution(NamedTuple):
    """A map and how far its path integral is from exact.

    Attributes:
        map: the attribution, at least 0, of the image's shape.
        residual: the summed integral of gradient times velocity less
            ``score(path's end) - score(path's start)``; it approaches 0 as ``num_steps`` grows.
    """

    map: Float[Array, "*s h w c"]
    residual: Float[Array, ""]


def path_attribution(
    score: Score,
    start: Float[Array, "*s h w c"],
    end: Float[Array, "*s h w c"],
    *,
    variant: str | Weight = _VARIANT,
    num_steps: int = _NUM_STEPS,
    sigma: float | None = None,
    nodes_per_batch: int | None = None,
) -> PathAttribution:
    """The change between two images, weighted by what the score made of it on the straight path.

    Args:
        score: one image, or volume, -> scalar. For grey images that the model wants in three
            channels, tile inside of the score: the gradient is then the sum over the channels.
        start: the image or volume, or its stable generation; values in [0, 1].
        end: its adversary, of the same shape.
        variant: ``"E"`` for ``|end - start|``, ``"v1"`` for ``D^2 |mean gradient|``, ``"v2"`` for
            ``D^2 mean |gradient|``, where D is the difference; or a function F of gradient and
            velocity (equation 3).
        num_steps: number of nodes on the path (midpoint rule), at least 1.
        sigma: standard deviation in pixels of the Gaussian that smooths the map, zero beyond the
            border, each slice of a volume for itself; the paper takes 2 with v2. None leaves the
            map as it is.
        nodes_per_batch: how many nodes are differentiated at once, which bounds the memory; None
            takes all.

    Returns:
        The map and the completeness residual. Swapping the ends, or ``1 - score`` for the score,
        gives the same map.

    Raises:
        InputError: no valid images or volumes, different shapes, a score that is no scalar, an
            unknown variant, ``num_steps`` or ``nodes_per_batch`` below 1, sigma not above 0.

    Example:
        >>> start, end = jnp.zeros((1, 2, 1)), jnp.array([[0.5, 1.0]])[..., None]
        >>> path_attribution(jnp.sum, start, end).map[..., 0].tolist()
        [[0.25, 1.0]]
    """
    check_image_or_volume(start, name="start")
    check_image_or_volume(end, name="end")
    if start.shape != end.shape:
        raise InputError(f"end: expected the shape of start {start.shape}, got {end.shape}")
    return path_attribution_along(
        score,
        lambda image: image,
        start,
        end,
        variant=variant,
        num_steps=num_steps,
        sigma=sigma,
        nodes_per_batch=nodes_per_batch,
    )


def path_attribution_along(
    score: Score,
    decode: Callable[[Any], Float[Array, "*s h w c"]],
    latent_start: Any,
    latent_end: Any,
    *,
    variant: str | Weight = _VARIANT,
    num_steps: int = _NUM_STEPS,
    sigma: float | None = None,
    nodes_per_batch: int | None = None,
) -> PathAttribution:
    """``path_attribution`` on the path of decoded images, whose latents are on a straight line.

    This is the path that footnote 3 sets aside.

    Each node costs one Jacobian-vector product of the decoder and one gradient of the score. Where
    the decoder clips to [0, 1] a clipped pixel does not move and so is not marked.

    Args:
        score: one image, or volume, -> scalar.
        decode: a latent -> image or volume; differentiable in forward mode.
        latent_start: any pytree of float arrays, such as a bottleneck with all its skip tensors.
        latent_end: the latent at the end, of the same structure, shapes and dtypes.
        variant, num_steps, sigma, nodes_per_batch: as in ``path_attribution``.

    Returns:
        The map and the completeness residual, between the decoded ends.

    Raises:
        InputError: latents of different structure or no float arrays, a decoder that returns no
            image, or an option outside its range.

    Example:
        >>> start, end = jnp.zeros((1, 2, 1)), jnp.array([[0.25, 0.5]])[..., None]
        >>> path_attribution_along(jnp.sum, lambda z: 2 * z, start, end).map[..., 0].tolist()
        [[0.25, 1.0]]
    """
    check_num_steps(num_steps)
    check_count(nodes_per_batch, name="nodes_per_batch", or_none=True)
    weight = _weight(variant)
    if sigma is not None:
        check_positive(sigma, name="sigma")
    check_callable(decode, name="decode", gives="one latent -> one image")
    _check_latents(latent_start, latent_end)
    _check_decoder(decode, latent_start)
    options = {"num_steps": num_steps, "sigma": sigma, "nodes_per_batch": nodes_per_batch}
    return compiled(_integrate, score, decode, latent_start, latent_end, weight, **options)


def _integrate(
    score: Score,
    decode: Callable[[Any], Float[Array, "*s h w c"]],
    latent_start: Any,
    latent_end: Any,
    weight: Weight,
    *,
    num_steps: int,
    sigma: float | None,
    nodes_per_batch: int | None,
) -> PathAttribution:
    latent_change = jax.tree.map(jnp.subtract, latent_end, latent_start)

    def image_and_velocity(
        share: Float[Array, ""],
    ) -> tuple[Float[Array, "*s h w c"], Float[Array, "*s h w c"]]:
        """The image after a share of the path, and its derivative by the share."""
        latent = jax.tree.map(
            lambda start, change: start + share.astype(change.dtype) * change,
            latent_start,
            latent_change,
        )
        return jax.jvp(decode, (latent,), (latent_change,))

    def node(index: Array) -> Float[Array, "2 *s h w c"]:
        image, velocity = image_and_velocity((index + 0.5) / num_steps)
        gradient = slope(score, image)
        return jnp.stack([weight(gradient, velocity) * velocity, gradient * velocity])

    integral, change = sum_over(node, num_steps, per_batch=nodes_per_batch) / num_steps
    saliency = jnp.abs(integral)
    if sigma is not None:
        saliency = smooth(
            saliency, sigma=sigma, radius=math.ceil(_RADIUS_IN_SIGMAS * sigma), border="zero"
        )
    rise = score(decode(latent_end)) - score(decode(latent_start))
    return PathAttribution(saliency, change.sum() - rise)


def _weight(variant: str | Weight) -> Weight:
    if callable(variant):
        return variant
    check_choice(variant, tuple(_VARIANTS), name="variant")
    return _VARIANTS[variant]


def _check_latents(start: Any, end: Any) -> None:
    for name, latent in (("latent_start", start), ("latent_end", end)):
        for leaf in jax.tree.leaves(latent):
            check_array(leaf, name=name)
    start_kinds, end_kinds = (
        jax.tree.map(lambda leaf: f"{jnp.result_type(leaf)}{jnp.shape(leaf)}", latent)
        for latent in (start, end)
    )
    if start_kinds != end_kinds:
        raise InputError(
            f"latent_end: expected the structure of latent_start {start_kinds}, got {end_kinds}"
        )
    if not all(
        jnp.issubdtype(jnp.result_type(leaf), jnp.floating) for leaf in jax.tree.leaves(start)
    ):
        raise InputError(f"latent_start: expected float arrays, got {start_kinds}: cast them")


def _check_decoder(decode: Callable[[Any], Array], latent: Any) -> None:
    shape = getattr(shape_of(decode, latent), "shape", None)
    if shape is None or len(shape) not in (3, 4):
        raise InputError(
            "decode: expected one latent -> image (h, w, c) or volume (s, h, w, c), got shape"
            f" {shape}"
        )
