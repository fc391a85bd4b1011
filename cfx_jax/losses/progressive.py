"""The losses of the explainer of progressive exaggeration.

Singla et al. 2020, "Explanation by Progressive Exaggeration", section 3, and the authors' code.

An image x whose probability of class 1 falls into bin s is drawn for another bin t, ``x_t = G(E(x),
t)``; for its own bin it is to be x again, both from x and from x_t.

Deviations, where the paper contradicts itself or the code:

- The discriminator minimises the hinge loss (equation 9 maximises it).
- The desired probability is the bin's centre, as in the authors' plots, or its lower edge, as in
  their code.
- The paper's additional ``r(c|x)`` of the classifier loss is a part of the discriminator's logit,
  and is not added again.

Errors of images are in units of images in [-1, 1], twice ours, so that the published weights keep
their meaning.
"""

from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from cfx_jax.checks import check_array, check_choice, check_count, check_real
from cfx_jax.errors import InputError
from cfx_jax.losses.checks import check_alike
from cfx_jax.losses.subgradients import safe_abs

Images = Float[Array, "b h w c"]
Logits = Float[Array, "b 2"]
TargetName = Literal["centre", "edge"]
"""The probability that a bin asks for: its centre, or its lower edge."""
ReconstructionName = Literal["pixels", "latent"]
"""The kind of reconstruction: of the image (equation 5), or of its latent (the code)."""


@dataclass(frozen=True)
class ProgressiveWeights:
    """The weights of the generator's terms of the same names; a term of weight 0 is left out."""

    adversarial: float = 1.0
    """Weight of the discriminator's verdict on x_t; its own loss has this weight too (paper: 1)."""
    compatibility: float = 1.0
    """Weight of the classifier's disagreement with the desired probability of x_t (paper: 1)."""
    reconstruction: float = 100.0
    """Weight of the error of the image drawn for its own bin, or of its latent (paper: 100)."""
    cycle: float = 100.0
    """Weight of the error of x_t drawn for the image's own bin (paper: 100, the weight of the
    reconstruction).
    """
    returned_class: float = 0.0
    """Weight of the classifier's disagreement on that image with x (code: 1; the paper has no such
    term).
    """


class Exaggerations(NamedTuple):
    """The drawings of a batch of images with source bins s and target bins t, and their latents.

    Attributes:
        exaggerated: x_t, drawn for the target bins.
        same: drawn for the source bins.
        returned: x_t drawn for the source bins.
        latents: the latents of the images and of x_t, encoded with the source bins.
    """

    exaggerated: Images
    same: Images
    returned: Images
    latents: tuple[Float[Array, "b ..."], Float[Array, "b ..."]]


class Compatibility(NamedTuple):
    """The distance of a classifier from desired probabilities; both numbers have the same gradient.

    Attributes:
        cross_entropy: the cross-entropy in nats, at least the mean entropy of the desired
            probabilities (for each of ten bins once: 0.504 of their centres, 0.491 of their lower
            edges).
        divergence: the cross-entropy less that entropy, D_KL(desired ‖ achieved) in nats, 0 where
            all are met.
    """

    cross_entropy: Float[Array, ""]
    divergence: Float[Array, ""]


def ordinal_code(bins: Int[Array, "*b"], num_bins: int) -> Float[Array, "*b k"]:
    """Computes the code of a bin: the bin, then for each j in 1..num_bins - 1 whether j <= bin.

    Those are the answers to "is it above the first bin?", "above the second?", ... (Frank and Hall
    2001, "A Simple Approach to Ordinal Classification"). Bin 3 of 5 is (3, 1, 1, 1, 0).

    Args:
        bins: in 0..num_bins - 1.
        num_bins: at least 1.

    Returns:
        A code for each, float32.

    >>> ordinal_code(jnp.array(3), 5).tolist()
    [3.0, 1.0, 1.0, 1.0, 0.0]
    """
    check_array(bins, name="bins")
    check_count(num_bins, name="num_bins")
    above = jnp.arange(1, num_bins) <= bins[..., None]
    return jnp.concatenate([bins[..., None], above], axis=-1, dtype=jnp.float32)


def desired_probability(
    bins: Int[Array, "*b"], num_bins: int, *, target: TargetName = "centre"
) -> Float[Array, "*b"]:
    """Computes the probability of class 1 that a bin asks for.

    Args:
        bins: in 0..num_bins - 1.
        num_bins: equal parts of [0, 1], at least 1.
        target: ``"centre"``, (k + 1/2) / num_bins, or ``"edge"``, k / num_bins, which never asks
            for the highest values.

    Returns:
        A probability for each.

    Raises:
        InputError: another target.

    >>> desired_probability(jnp.array([0, 1]), 2).tolist()
    [0.25, 0.75]
    """
    check_choice(target, ("centre", "edge"), name="target")
    check_real(bins, name="bins")
    check_count(num_bins, name="num_bins")
    return (jnp.asarray(bins) + (0.5 if target == "centre" else 0.0)) / num_bins


def discriminator_terms(
    real_logits: Float[Array, " b"], fake_logits: Float[Array, " b"]
) -> dict[str, Array]:
    """Computes the discriminator's hinge loss as its two parts; their sum is the loss (equation 7).

    Args:
        real_logits: the discriminator's logits of images with their own bins.
        fake_logits: the discriminator's logits of x_t with the target bins; no gradient is to reach
            the generator, which made them.

    Returns:
        The scalars ``"real"``, mean of max(0, 1 - logit), and ``"fake"``, mean of max(0, 1 +
        logit).

    >>> terms = discriminator_terms(jnp.array([0.5]), jnp.array([-2.0]))
    >>> {name: float(term) for name, term in terms.items()}
    {'real': 0.5, 'fake': 0.0}
    """
    return {
        "real": jax.nn.relu(1 - real_logits).mean(),
        "fake": jax.nn.relu(1 + fake_logits).mean(),
    }


def compatibility(logits: Logits, desired: Float[Array, " b"]) -> Compatibility:
    """Computes how far a classifier's probabilities of class 1 are from the desired ones.

    It is computed from logits.

    Source: section 3.2, D_KL(desired ‖ achieved) of two Bernoulli distributions; finite for every
    finite logit and for desired probabilities of 0 and 1.

    Args:
        logits: the classifier's of x_t, differentiable in it: the code that the authors released
            last blocks this gradient.
        desired: a probability for each.

    Returns:
        The means over the images.

    Raises:
        InputError: another number of classes than two.

    >>> result = compatibility(jnp.zeros((1, 2)), jnp.array([0.5]))
    >>> round(float(result.cross_entropy), 3), round(float(result.divergence), 3)
    (0.693, 0.0)
    """
    cross_entropy = _disagreement(logits, desired)
    entropy = jax.scipy.special.entr(desired) + jax.scipy.special.entr(1 - desired)
    return Compatibility(cross_entropy, cross_entropy - entropy.mean())


def generator_terms(
    images: Images,
    made: Exaggerations,
    realness: Float[Array, " b"],
    logits: tuple[Logits, Logits, Logits],
    desired: Float[Array, " b"],
    *,
    reconstruction: ReconstructionName = "pixels",
    weights: ProgressiveWeights,
) -> dict[str, Array]:
    """Computes the loss of encoder and decoder as its weighted parts (equation 9).

    The sum of the parts is the loss.

    Args:
        images: the images, values in [0, 1].
        made: the drawings of these images, and their latents.
        realness: logits of the discriminator on x_t and the target bins, above 0 for what seems
            real.
        logits: the classifier's two, of the images, of x_t and of the returned images; it is
            frozen.
        desired: the probability of class 1 that each x_t should have, as ``desired_probability``
            returns it.
        reconstruction: ``"pixels"``, the mean magnitude of the difference of x and its
            reconstruction (equation 5), or ``"latent"``, the mean square of the difference of the
            latents of x and x_t, both with gradient (the code).
        weights: the price of each term.

    Returns:
        Scalars by the names of the fields of ``ProgressiveWeights`` whose weight is not 0.

    Raises:
        InputError: another reconstruction, or another number of classes than two.

    >>> image, logits, latent = jnp.full((1, 4, 4, 1), 0.5), jnp.zeros((1, 2)), jnp.zeros((1, 3))
    >>> made = Exaggerations(image, image, image + 0.25, (latent, latent))
    >>> terms = generator_terms(
    ...     image,
    ...     made,
    ...     jnp.array([2.0]),
    ...     (logits, logits, logits),
    ...     jnp.array([0.5]),
    ...     weights=ProgressiveWeights(),
    ... )
    >>> {name: round(float(term), 3) for name, term in terms.items()}
    {'adversarial': -2.0, 'compatibility': 0.693, 'reconstruction': 0.0, 'cycle': 50.0}
    """
    check_choice(reconstruction, ("pixels", "latent"), name="reconstruction")
    of_images, of_exaggerated, of_returned = logits
    in_pixels = reconstruction == "pixels"
    terms = {
        "adversarial": -realness.mean(),
        "compatibility": compatibility(of_exaggerated, desired).cross_entropy,
        "reconstruction": pixel_error(images, made.same)
        if in_pixels
        else latent_error(*made.latents),
        "cycle": pixel_error(images, made.returned),
        "returned_class": _disagreement(of_returned, jax.nn.softmax(of_images)[:, 1]),
    }
    return {name: weight * terms[name] for name, weight in asdict(weights).items() if weight}


def pixel_error(images: Images, others: Images) -> Float[Array, ""]:
    """Computes the mean magnitude of the difference of two batches of images in [0, 1].

    The unit is the unit of images in [-1, 1].
    """
    return 2 * safe_abs(images - others).mean()


def latent_error(latents: Float[Array, "b ..."], others: Float[Array, "b ..."]) -> Float[Array, ""]:
    """Computes the mean square of the difference of two batches of latents."""
    return jnp.square(latents - others).mean()


def _disagreement(logits: Logits, probability: Float[Array, " b"]) -> Float[Array, ""]:
    """Computes the mean cross-entropy of the probability of class 1 with a given one, in nats."""
    check_alike(logits=logits, ndim=2)
    if logits.shape[-1] != 2:
        raise InputError(f"logits: expected two classes, got {logits.shape[-1]}")
    check_array(probability, name="desired")
    if jnp.shape(probability) != logits.shape[:1]:
        raise InputError(
            f"desired: expected a probability for each of the {len(logits)} images, got shape"
            f" {jnp.shape(probability)}"
        )
    odds = logits[:, 1] - logits[:, 0]
    return (probability * jax.nn.softplus(-odds) + (1 - probability) * jax.nn.softplus(odds)).mean()
