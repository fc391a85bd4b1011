"""The loss of a generator of masks.

Dabkowski and Gal 2017, "Real time image saliency for black box classifiers".

A mask is to show, at each pixel, how much of the image the classifier needs: what it keeps
preserves the decision, what it leaves out destroys it, and it is small and smooth. Terms, weights
and backgrounds come from the authors' released training script, in our units [0, 1]; the class
selector is left out, as in Charachon et al. 2020 and 2021. Deviation: without the script's noise on
the kept part of the image.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from cfx_jax.checks import (
    check_array,
    check_classes,
    check_key,
    check_number,
    check_positive,
    check_type,
)
from cfx_jax.errors import InputError
from cfx_jax.losses.checks import check_alike
from cfx_jax.maps import smooth

Images = Float[Array, "b h w c"]
Masks = Float[Array, "b h w 1"]
Logits = Float[Array, "b k"]

_AREA_OFFSET = 5e-4
"""Keeps the derivative of a power below 1 finite where the mask is 0 (released)."""


@dataclass(frozen=True)
class MaskGeneratorWeights:
    """The weights of the terms of the same names, and the terms' options; defaults as released."""

    destroyer: float = 1.0
    """Weight of the decision that is left outside of the mask."""
    preserver: float = 0.3
    """Weight of the decision that is lost inside of the mask."""
    area: float = 8.0
    """Weight of the mean of the mask's power."""
    smoothness: float = 0.005
    """Weight of the mask's squared differences between neighbours, a sum over pixels (training
    script; 0.5 is the default of the released loss).
    """
    destroyer_margin: float = 5.0
    """Lead that another class is to have outside of the mask, in units of the logits."""
    preserver_margin: float = 1.0
    """Lead that the decided class is to have inside of the mask, in units of the logits."""
    area_power: float = 0.3
    """Power of the mask, above 0; below 1 it prefers masks of 0 and 1 to grey ones."""
    border: float = 0.3
    """Weight of the mask's squares along the four sides of the image, in units of the squares of
    the differences.
    """


def mask_generator_terms(
    masks: Masks,
    decided: Int[Array, " b"],
    preserved_logits: Logits,
    destroyed_logits: Logits,
    *,
    weights: MaskGeneratorWeights,
) -> dict[str, Array]:
    """Computes the loss of a generator of masks as its weighted parts; their sum is the loss.

    Args:
        masks: a mask of each image's size, in [0, 1], 1 where the image is kept.
        decided: the class that the classifier decides on for each image.
        preserved_logits: the classifier's, of the images inside of the masks,
            ``blend(images, masks, backgrounds)``; it is frozen.
        destroyed_logits: the logits of the images outside of the masks, ``blend(images, 1 - masks,
            backgrounds)``.
        weights: one for each term.

    Returns:
        The scalars ``"destroyer"``, ``"preserver"``, ``"area"`` and ``"smoothness"``.

    Raises:
        InputError: masks that are no batch with one channel.

    >>> masks, logits = jnp.ones((1, 4, 4, 1)), jnp.array([[9.0, 0.0]])
    >>> terms = mask_generator_terms(
    ...     masks, jnp.array([0]), logits, -logits, weights=MaskGeneratorWeights()
    ... )
    >>> {name: round(float(term), 2) for name, term in terms.items()}
    {'destroyer': 0.0, 'preserver': 0.0, 'area': 8.0, 'smoothness': 0.01}
    """
    check_type(weights, MaskGeneratorWeights, name="weights", wanted="MaskGeneratorWeights")
    check_alike(preserved_logits=preserved_logits, destroyed_logits=destroyed_logits, ndim=2)
    check_classes(decided, preserved_logits.shape[1], name="decided")
    check_array(masks, name="masks")
    if masks.ndim != 4 or masks.shape[-1] != 1:
        raise InputError(f"masks: expected a batch (b, h, w, 1), got shape {masks.shape}")
    outside, inside = _lead(destroyed_logits, decided), _lead(preserved_logits, decided)
    return {
        "destroyer": weights.destroyer * jax.nn.relu(outside + weights.destroyer_margin).mean(),
        "preserver": weights.preserver * jax.nn.relu(weights.preserver_margin - inside).mean(),
        "area": weights.area * ((masks + _AREA_OFFSET) ** weights.area_power).mean(),
        "smoothness": weights.smoothness * roughness(masks, border=weights.border),
    }


def roughness(masks: Masks, *, border: float) -> Float[Array, ""]:
    """Computes half the sum of squared differences between neighbours, and of squares at borders.

    Neighbours are those in rows and in columns.

    Neighbours are those in rows and in columns.

    Args:
        masks: (b, h, w, 1).
        border: weight of the squares along each of the four sides; corners count twice.

    Returns:
        The mean over images, at least 0.

    >>> float(roughness(jnp.array([[[[0.0], [1.0]]]]), border=0.0))
    0.5
    """
    down, right = (jnp.square(jnp.diff(masks, axis=axis)).sum() for axis in (1, 2))
    sides = (
        jnp.square(masks[:, 0]) + jnp.square(masks[:, -1]),
        jnp.square(masks[:, :, 0]) + jnp.square(masks[:, :, -1]),
    )
    return (down + right + border * (sides[0].sum() + sides[1].sum())) / (2 * len(masks))


def blend(images: Images, masks: Masks, backgrounds: Images) -> Images:
    """Joins the images where the masks are 1, and the backgrounds where they are 0.

    Args:
        images: (b, h, w, c).
        masks: (b, h, w, 1) in [0, 1].
        backgrounds: (b, h, w, c), as ``random_backgrounds`` returns it.

    Returns:
        ``masks * images + (1 - masks) * backgrounds``.

    >>> images, backgrounds = jnp.ones((1, 1, 2, 1)), jnp.zeros((1, 1, 2, 1))
    >>> blend(images, jnp.array([[[[0.25], [1.0]]]]), backgrounds).ravel().tolist()
    [0.25, 1.0]
    """
    check_alike(images=images, backgrounds=backgrounds, ndim=4)
    check_alike(masks=masks, ndim=4)
    if masks.shape != (*images.shape[:-1], 1):
        raise InputError(
            f"masks: expected one channel for images of shape {images.shape}, got {masks.shape}"
        )
    return backgrounds + masks * (images - backgrounds)


def random_backgrounds(
    key: PRNGKeyArray,
    images: Images,
    *,
    blurred: float = 0.5,
    sigma: float = 11.0,
    colour_range: float = 0.33,
    noise: float = 0.055,
) -> Images:
    """Draws what is seen outside of a mask: the image, strongly blurred, or one colour with noise.

    So no background of one kind is a trace that the classifier could go by.

    Args:
        key: source of randomness.
        images: (b, h, w, c) in [0, 1].
        blurred: probability of the blurred image, in [0, 1] (released: 0.5).
        sigma: standard deviation of the blur in pixels (released: 11 for 224 pixels, with 55 taps
            that sum to 1).
        colour_range: width of the range around 0.5 that each channel of a colour is drawn from
            (released: 0.66 of images in [-1, 1]).
        noise: standard deviation of the noise on a colour (released: 0.11 of such images).

    Returns:
        As many images, in [0, 1].

    Raises:
        InputError: a probability outside [0, 1], or sigma not above 0.

    >>> backgrounds = random_backgrounds(jax.random.key(0), jnp.ones((2, 8, 8, 3)), sigma=1.0)
    >>> backgrounds.shape
    (2, 8, 8, 3)
    """
    check_key(key)
    check_alike(images=images, ndim=4)
    for name, value in {"blurred": blurred, "colour_range": colour_range, "noise": noise}.items():
        check_number(value, name=name)
    check_positive(sigma, name="sigma")
    if not 0 <= blurred <= 1:
        raise InputError(f"blurred: expected a probability in [0, 1], got {blurred}")
    which, colour, grain = jax.random.split(key, 3)
    radius = round(2.5 * sigma)
    soft = jax.vmap(lambda image: smooth(image, sigma=sigma, radius=radius))(images)
    colours = 0.5 + colour_range * (
        jax.random.uniform(colour, (len(images), 1, 1, images.shape[-1]), jnp.float32) - 0.5
    )
    plain = colours + noise * jax.random.normal(grain, images.shape, jnp.float32)
    is_soft = jax.random.uniform(which, (len(images), 1, 1, 1), jnp.float32) < blurred
    return jnp.clip(jnp.where(is_soft, soft, plain), 0, 1).astype(images.dtype)


def _lead(logits: Logits, decided: Int[Array, " b"]) -> Float[Array, " b"]:
    """Computes how far the decided class is above the highest other one, in units of the logits."""
    is_decided = jax.nn.one_hot(decided, logits.shape[-1], dtype=bool)
    return jnp.where(is_decided, logits, 0).sum(axis=-1) - jnp.where(
        is_decided, -jnp.inf, logits
    ).max(axis=-1)
