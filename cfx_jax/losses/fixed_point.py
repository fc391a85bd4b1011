"""The losses of the translator and the critic of Fixed-Point GAN.

Siddiquee et al. 2019, "Learning Fixed Points in Generative Adversarial Networks"; weights and terms
as released. The domains are a frozen classifier's decisions.

An image x decided c is translated into the other domain, ``x~ = T(x, 1 - c)``, and into its own,
``T(x, c)``, which is to be x itself; from either T leads back to c, and so to x.

Deviations:

- Every image is translated into the other domain, where the released code draws the domain.
- The classifier's cross-entropy of x~ with the other class is a term of its own, since the
  translation is to turn its decision over.

Errors are in units of images in [-1, 1], twice ours, so that the released weights keep their
meaning.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple, Protocol

import jax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from cfx_jax.checks import check_array, check_callable, check_key, check_number, check_type
from cfx_jax.errors import InputError
from cfx_jax.losses.checks import check_alike, check_several
from cfx_jax.losses.cross_entropy import cross_entropy
from cfx_jax.losses.cycle import gradient_penalty
from cfx_jax.losses.subgradients import safe_abs

Images = Float[Array, "b h w c"]
Logits = Float[Array, "b 2"]


class Verdict(Protocol):
    """A critic's judgement of images, such as ``models.fixed_point.Verdict``."""

    @property
    def realness(self) -> Float[Array, "b _ _"]:
        """Realness of each patch, larger for what seems real."""

    @property
    def logits(self) -> Logits:
        """Logits of the two domains."""


Critic = Callable[[Images], Verdict]


@dataclass(frozen=True)
class FixedPointWeights:
    """The weights of the translator's terms of the same names; a term of weight 0 is left out."""

    realness: float = 1.0
    """Weight of the critic's verdict on both translations (released: 1)."""
    domain: float = 1.0
    """Weight of the cross-entropy of the critic's domain of both with the requested one
    (released: 1).
    """
    reconstruction: float = 10.0
    """Weight of the error of both ways back (released: 10)."""
    identity: float = 10.0
    """Weight of the error of the translation into the image's own domain (released: 10; 0.1 on
    BRATS).
    """
    decision: float = 1.0
    """Weight of the cross-entropy of the classifier's decision on x~ with the other class; ours."""


class Translations(NamedTuple):
    """The translations of a batch of images, each (b, h, w, c) in [0, 1].

    Attributes:
        crossed: into the other domain, x~.
        crossed_back: the translations of ``crossed``, into the images' own domain.
        same: into the images' own domain.
        same_back: the translations of ``same``, into that domain again.
    """

    crossed: Images
    crossed_back: Images
    same: Images
    same_back: Images


def fixed_point_terms(
    images: Images,
    translations: Translations,
    predicted: Int[Array, " b"],
    verdicts: tuple[Verdict, Verdict],
    crossed_logits: Logits,
    *,
    weights: FixedPointWeights,
) -> dict[str, Array]:
    """Computes the translator's loss as its weighted parts; their sum is the loss.

    Args:
        images: the images, values in [0, 1].
        translations: the translations of these images.
        predicted: the class that the classifier decides on for each image, 0 or 1.
        verdicts: the verdicts of the critic, on ``crossed`` and on ``same``.
        crossed_logits: the classifier's two logits of ``crossed``; it is frozen.
        weights: the price of each term.

    Returns:
        Scalars by the names of the fields of ``FixedPointWeights`` whose weight is not 0.

    Raises:
        InputError: another number of classes than two.

    >>> import jax.numpy as jnp
    >>> image, logits = jnp.full((1, 4, 4, 1), 0.5), jnp.zeros((1, 2))
    >>> from collections import namedtuple
    >>> Judged = namedtuple("Judged", ["realness", "logits"])
    >>> verdict = Judged(jnp.ones((1, 2, 2)), logits)
    >>> terms = fixed_point_terms(
    ...     image,
    ...     Translations(image, image, image, image),
    ...     jnp.array([0]),
    ...     (verdict, verdict),
    ...     logits,
    ...     weights=FixedPointWeights(),
    ... )
    >>> {name: round(float(term), 3) for name, term in terms.items()}
    {'realness': -2.0, 'domain': 1.386, 'reconstruction': 0.0, 'identity': 0.0, 'decision': 0.693}
    """
    check_type(translations, Translations, name="translations", wanted="Translations")
    check_type(weights, FixedPointWeights, name="weights", wanted="FixedPointWeights")
    check_several(verdicts, 2, name="verdicts")
    check_alike(images=images, **translations._asdict())
    check_alike(ndim=2, crossed_logits=crossed_logits)
    check_array(predicted, name="predicted")
    if crossed_logits.shape[-1] != 2:
        raise InputError(f"logits: expected two classes, got {crossed_logits.shape[-1]}")
    crossed, same = verdicts
    terms = {
        "realness": -crossed.realness.mean() - same.realness.mean(),
        "domain": cross_entropy(crossed.logits, 1 - predicted)
        + cross_entropy(same.logits, predicted),
        "reconstruction": _error(images, translations.crossed_back)
        + _error(images, translations.same_back),
        "identity": _error(images, translations.same),
        "decision": cross_entropy(crossed_logits, 1 - predicted),
    }
    return {name: weight * terms[name] for name, weight in asdict(weights).items() if weight}


def critic_terms(
    key: PRNGKeyArray,
    critic: Critic,
    real: Images,
    fake: Images,
    predicted: Int[Array, " b"],
    *,
    domain: float = 1.0,
    penalty: float = 10.0,
) -> dict[str, Array]:
    """Computes the critic's loss as its parts; their sum is the loss.

    Args:
        key: draws the penalty's images.
        critic: images -> verdict, twice differentiable almost everywhere.
        real: images in [0, 1].
        fake: their translations into the other domain; no gradient reaches the translator.
        predicted: the class that the classifier decides on for each real image, the critic's target
            for it.
        domain: weight of the cross-entropy of that target (released: 1).
        penalty: weight of the gradient penalty, at least 0 (released: 10). As released, the slope
            is taken of the sum over patches, while the verdicts are means over them.

    Returns:
        The scalars ``"real"``, ``"fake"``, ``"domain"`` and ``"penalty"``, the last two weighted.

    Raises:
        InputError: real and generated images of different shapes.

    >>> from collections import namedtuple
    >>> Judged = namedtuple("Judged", ["realness", "logits"])
    >>> import jax.numpy as jnp
    >>> def critic(images):
    ...     return Judged(images.sum(axis=-1), jnp.zeros((len(images), 2)))
    >>> real, fake = jnp.ones((1, 2, 2, 1)), jnp.zeros((1, 2, 2, 1))
    >>> terms = critic_terms(jax.random.key(0), critic, real, fake, jnp.array([1]))
    >>> {name: round(float(term), 3) for name, term in terms.items()}
    {'real': -1.0, 'fake': 0.0, 'domain': 0.693, 'penalty': 0.0}
    """
    check_key(key)
    check_callable(critic, name="critic", gives="images -> verdict")
    check_alike(real=real, fake=fake, ndim=4)
    check_array(predicted, name="predicted")
    for name, weight in (("domain", domain), ("penalty", penalty)):
        check_number(weight, name=name)
    fake = jax.lax.stop_gradient(fake)
    verdict = critic(real)

    def total(centred: Float[Array, "h w c"]) -> Float[Array, ""]:
        return critic((centred[None] + 1) / 2).realness.sum()

    return {
        "real": -verdict.realness.mean(),
        "fake": critic(fake).realness.mean(),
        "domain": domain * cross_entropy(verdict.logits, predicted),
        "penalty": penalty * gradient_penalty(key, total, 2 * real - 1, 2 * fake - 1),
    }


def _error(images: Images, others: Images) -> Float[Array, ""]:
    """Computes the mean magnitude of the difference, in units of images in [-1, 1]."""
    return 2 * safe_abs(images - others).mean()
