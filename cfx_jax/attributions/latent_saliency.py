"""Saliency maps of counterfactuals from a latent.

ACAT: Fontanella et al. 2023, section 3.2, with the code released for it, and the saliency of
Fontanella et al. 2023, "Diffusion Models for Counterfactual Generation and Anomaly Detection in
Brain Images".

A map is the magnitude of the difference between the counterfactual and the decoder's image of the
original. The class-agnostic map is the mean of the maps of both target classes, so that no class
must be known; each is scaled before, since the target that the classifier has decided already takes
a much smaller change.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from cfx_jax.checks import check_array, check_choice, is_concrete
from cfx_jax.errors import InputError

_SCALINGS = ("each", "released", "dif_fuse")


class LatentSaliency(NamedTuple):
    """A map in [0, 1] and what it hides.

    Attributes:
        map: the saliency, an array of the image's shape, channels included.
        flat: whether a counterfactual differs nowhere, so that its map is 0; of the class-agnostic
            map one for each target, positive first. Count them: a flat map says nothing of the
            image.
    """

    map: Float[Array, "*s h w c"]
    flat: Bool[Array, "*targets"]


def difference_saliency(
    reference: Float[Array, "*s h w c"], counterfactual: Float[Array, "*s h w c"]
) -> LatentSaliency:
    """The map of one counterfactual, such as the negative one of an image known to be positive.

    Args:
        reference: the reconstruction of an image (h, w, c) or a volume (s, h, w, c), as released.
            Or the original, as in the paper's text: the map then also contains the errors of the
            autoencoder.
        counterfactual: the counterfactual, of the same shape.

    Returns:
        ``|reference - counterfactual|``, divided by its maximum over the whole volume.

    Raises:
        InputError: the shapes differ, or there is NaN or infinity, as where a search diverged.

    Example:
        >>> image = jnp.array([[0.25, 0.5]])[..., None]
        >>> difference_saliency(image, jnp.zeros_like(image)).map[..., 0].tolist()
        [[0.5, 1.0]]
    """
    difference = _difference(reference, counterfactual, name="counterfactual")
    return LatentSaliency(*_scaled(difference))


def latent_saliency(
    reference: Float[Array, "*s h w c"],
    positive: Float[Array, "*s h w c"],
    negative: Float[Array, "*s h w c"],
    *,
    scaling: str = "each",
) -> LatentSaliency:
    """The class-agnostic map of the counterfactuals of both target classes.

    Args:
        reference: as in ``difference_saliency``.
        positive: the counterfactual whose target is the positive class, of the same shape.
        negative: the counterfactual of the negative class.
        scaling: ``"each"`` divides each difference by its own maximum over the whole volume;
            ``"released"`` leaves the negative one as it is, as the released code does against its
            intention: its size then tells the classifier's decision; ``"dif_fuse"``, the later
            code, divides the mean by its maximum once more.

    Returns:
        The mean of both maps.

    Raises:
        InputError: the shapes differ, there is NaN or infinity, or an unknown scaling.

    Example:
        >>> image = jnp.array([[0.25, 0.5]])[..., None]
        >>> saliency = latent_saliency(image, 2 * image, jnp.array([[0.0, 0.5]])[..., None])
        >>> saliency.map[..., 0].tolist(), saliency.flat.tolist()
        ([[0.75, 0.5]], [False, False])
    """
    check_choice(scaling, _SCALINGS, name="scaling")
    negative_difference = _difference(reference, negative, name="negative")
    positive_map, positive_is_flat = _scaled(_difference(reference, positive, name="positive"))
    negative_map, negative_is_flat = _scaled(negative_difference)
    if scaling == "released":
        negative_map = negative_difference
    mean = (positive_map + negative_map) / 2
    flat = jnp.stack([positive_is_flat, negative_is_flat])
    return LatentSaliency(_scaled(mean)[0] if scaling == "dif_fuse" else mean, flat)


def _difference(reference: Array, counterfactual: Array, *, name: str) -> Float[Array, "*s h w c"]:
    check_array(reference, name="reference")
    check_array(counterfactual, name=name)
    if reference.shape != counterfactual.shape:
        raise InputError(
            f"{name}: expected the shape of reference {reference.shape}, got {counterfactual.shape}"
        )
    difference = jnp.abs(jnp.asarray(reference) - counterfactual)
    if is_concrete(difference) and not np.isfinite(np.asarray(difference)).all():
        raise InputError(
            f"{name}: expected finite values, got NaN or infinity: lower the step size of the"
            " search"
        )
    return difference


def _scaled(
    difference: Float[Array, "*s h w c"],
) -> tuple[Float[Array, "*s h w c"], Bool[Array, ""]]:
    """The difference divided by its maximum, and whether it is 0 everywhere."""
    largest = difference.max()
    return difference / jnp.where(largest > 0, largest, 1), largest == 0
