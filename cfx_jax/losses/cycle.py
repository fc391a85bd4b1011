"""The losses of the generators and discriminators of SyCE and CyCE.

Charachon et al. 2021, "Leveraging Conditional Generative Models in a General Explanation Framework
of Classifier Decisions"; weights as released.

One generator for each class that the classifier may predict: for images predicted c,
``x_a = g_c(x)`` is the adversary, ``x_s = g_c(x_a)`` the same generator applied twice,
``x_cy = g_c'(x_a)`` the cycle back. Targets are the classifier's decisions, not the labels of the
data. The distance of x and x_a has no price of its own.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from cfx_jax.checks import check_array, check_callable, check_key, check_number, check_type
from cfx_jax.errors import InputError
from cfx_jax.losses.checks import check_alike, check_several
from cfx_jax.losses.cross_entropy import cross_entropy
from cfx_jax.losses.subgradients import safe_abs, safe_sqrt

Images = Float[Array, "b h w c"]
Logits = Float[Array, "b 2"]


@dataclass(frozen=True)
class CycleWeights:
    """The weights of the terms of the same names; a term of weight 0 is left out."""

    symmetric: float
    """Weight of the reconstruction error of x by x_s."""
    cyclic: float
    """Weight of the reconstruction error of x by x_cy."""
    adversarial_class: float
    """Weight of the cross-entropy of x_a with the other class."""
    symmetric_class: float
    """Weight of the cross-entropy of x_s with the predicted class."""
    cyclic_class: float
    """Weight of the cross-entropy of x_cy with the predicted class."""
    realness: float
    """Weight of the discriminator's verdict on x_a."""


SYCE = CycleWeights(10.0, 2.0, 0.2, 0.01, 0.005, 0.25)
"""The released weights of SyCE (symmetric and cyclic)."""

CYCE = CycleWeights(0.0, 10.0, 0.2, 0.0, 0.005, 0.25)
"""The released weights of CyCE (cyclic alone)."""


def cycle_terms(
    images: Images,
    generated: tuple[Images, Images, Images],
    predicted: Int[Array, " b"],
    generated_logits: tuple[Logits, Logits, Logits],
    realness: Float[Array, " b"],
    *,
    weights: CycleWeights,
) -> dict[str, Array]:
    """Computes the generators' loss on images predicted one class, as its weighted parts.

    The sum of the parts is the loss.

    Args:
        images: the images, values in [0, 1].
        generated: the adversary x_a, the image x_s of symmetry and the image x_cy of the cycle, of
            each.
        predicted: the class that the classifier decides on for each image, 0 or 1.
        generated_logits: the classifier's two logits of the images in ``generated``; it is frozen.
        realness: logits of the other class's discriminator on x_a, above 0 for what seems real.
        weights: ``SYCE``, ``CYCE`` or others.

    Returns:
        Scalars by the names of the fields of ``CycleWeights`` whose weight is not 0.

    Raises:
        InputError: another number of classes than two.

    >>> image, logits = jnp.full((1, 4, 4, 1), 0.5), jnp.zeros((1, 2))
    >>> terms = cycle_terms(
    ...     image, (image,) * 3, jnp.array([0]), (logits,) * 3, jnp.zeros(1), weights=CYCE
    ... )
    >>> sorted(terms), float(terms["cyclic"])
    (['adversarial_class', 'cyclic', 'cyclic_class', 'realness'], 0.0)
    """
    check_several(generated, 3, name="generated")
    check_several(generated_logits, 3, name="generated_logits")
    check_type(weights, CycleWeights, name="weights", wanted="CycleWeights, such as SYCE")
    _, symmetric, cyclic = generated
    adversarial_logits, symmetric_logits, cyclic_logits = generated_logits
    check_alike(images=images, symmetric=symmetric, cyclic=cyclic)
    check_alike(ndim=1, realness=realness)
    check_array(predicted, name="predicted")
    check_alike(
        ndim=2, adversarial=adversarial_logits, symmetric=symmetric_logits, cyclic=cyclic_logits
    )
    if adversarial_logits.shape[-1] != 2:
        raise InputError(f"logits: expected two classes, got {adversarial_logits.shape[-1]}")
    terms = {
        "symmetric": reconstruction_error(images, symmetric),
        "cyclic": reconstruction_error(images, cyclic),
        "adversarial_class": cross_entropy(adversarial_logits, 1 - predicted),
        "symmetric_class": cross_entropy(symmetric_logits, predicted),
        "cyclic_class": cross_entropy(cyclic_logits, predicted),
        "realness": jax.nn.softplus(-realness).mean(),
    }
    return {name: weight * terms[name] for name, weight in asdict(weights).items() if weight}


def reconstruction_error(images: Images, reconstructions: Images) -> Float[Array, ""]:
    """Computes the mean square plus the mean magnitude of the difference of two batches of images.

    >>> float(reconstruction_error(jnp.zeros((1, 2, 2, 1)), jnp.full((1, 2, 2, 1), 0.5)))
    0.75
    """
    difference = images - reconstructions
    return jnp.square(difference).mean() + safe_abs(difference).mean()


def discriminator_terms(
    key: PRNGKeyArray,
    discriminator: Callable[[Float[Array, "h w c"]], Float[Array, ""]],
    real: Images,
    fake: Images,
    *,
    penalty: float = 1.0,
) -> dict[str, Array]:
    """Computes a discriminator's loss as its parts: two verdicts and the gradient penalty.

    The sum of the parts is the loss.

    Args:
        key: draws the penalty's images.
        discriminator: one image -> logit, above 0 for what seems real.
        real: images of a class by the classifier's decision.
        fake: generated images that are to pass for it, of the same shape; no gradient reaches their
            generator.
        penalty: weight of the gradient penalty, at least 0 (released: 1).

    Returns:
        The scalars ``"real"``, ``"fake"`` and ``"penalty"``, the last weighted.

    Raises:
        InputError: real and generated images of different shapes.

    >>> real, fake = jnp.ones((1, 2, 2, 1)), jnp.zeros((1, 2, 2, 1))
    >>> terms = discriminator_terms(jax.random.key(0), jnp.sum, real, fake)
    >>> {name: round(float(term), 3) for name, term in terms.items()}
    {'real': 0.018, 'fake': 0.693, 'penalty': 1.0}
    """
    check_callable(discriminator, name="discriminator", gives="one image -> one number")
    check_alike(real=real, fake=fake)
    check_number(penalty, name="penalty")
    fake = jax.lax.stop_gradient(fake)
    return {
        "real": jax.nn.softplus(-jax.vmap(discriminator)(real)).mean(),
        "fake": jax.nn.softplus(jax.vmap(discriminator)(fake)).mean(),
        "penalty": penalty * gradient_penalty(key, discriminator, real, fake),
    }


def gradient_penalty(
    key: PRNGKeyArray,
    discriminator: Callable[[Float[Array, "h w c"]], Float[Array, ""]],
    real: Images,
    fake: Images,
) -> Float[Array, ""]:
    """Computes how far a discriminator's slope is from 1 between real and generated images.

    It is the mean of (‖∇D‖ - 1)^2. Source: Gulrajani et al. 2017, "Improved training of Wasserstein
    GANs", equation 3, both sides. The slope is taken at ``real + e (fake - real)`` with e uniform
    in [0, 1] for each pair.

    Args:
        key: draws e.
        discriminator: one image -> scalar, twice differentiable almost everywhere.
        real: real images.
        fake: generated images, of the same shape.

    Returns:
        A scalar, at least 0; where the slope is 0 its derivative is taken as 0.

    Raises:
        InputError: different shapes.

    >>> real, fake = jnp.ones((1, 2, 2, 1)), jnp.zeros((1, 2, 2, 1))
    >>> float(gradient_penalty(jax.random.key(0), jnp.sum, real, fake))  # slope 2
    1.0
    """
    check_key(key)
    check_alike(real=real, fake=fake, ndim=4)
    check_callable(discriminator, name="discriminator", gives="one image -> scalar")
    share = jax.random.uniform(key, (len(real), 1, 1, 1), real.dtype)
    slopes = jax.vmap(jax.grad(discriminator))(real + share * (fake - real))
    return jnp.square(safe_sqrt(jnp.square(slopes).sum(axis=(1, 2, 3))) - 1).mean()
