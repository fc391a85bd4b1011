"""The losses of generators of a similar and an adversarial image (SAGen).

Charachon et al. 2020, "Combining Similarity and Adversarial Learning to Generate Visual
Explanation", equations 5 to 10.

The terms are the similarity of three images, the classifier's answers, the closeness of the two
generators' weights, and the smoothness of the differences. The paper's norms of images are read as
means over their values (mean square, mean magnitude), total variation as a mean over pixels: with
the paper's weights and its reported peak signal-to-noise ratios only means leave the classifier a
say. Its norms of weights are kept as printed, one root for each array of weights.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice, check_positive, check_type
from cfx_jax.errors import InputError
from cfx_jax.losses.checks import check_alike, check_several
from cfx_jax.losses.subgradients import safe_abs, safe_sqrt
from cfx_jax.objectives import decision

Images = Float[Array, "b h w c"]
Logits = Float[Array, "b k"]
Terms = dict[str, Array]
"""A loss as its parts, each a scalar with its weight: they sum to the loss."""
Proximity = Literal["norm", "mean_square"]
_PROXIMITY: Proximity = "norm"
_WEIGHTS = "SimilarAdversarialWeights"


@dataclass(frozen=True)
class SimilarAdversarialWeights:
    """The weights of the terms of the same names.

    Defaults: Single AE2 (W,TV), the best of the paper (table I).
    """

    similar: float = 3.0
    """Weight of the mean square of image less similar image (paper: alpha 1)."""
    adversarial: float = 1.0
    """Weight of the mean square of image less adversarial image (alpha 2)."""
    difference: float = 1.0
    """Weight of the mean square of similar less adversarial image (alpha 3)."""
    absolute_difference: float = 0.2
    """Weight of the mean magnitude of similar less adversarial image (alpha 4)."""
    similar_class: float = 1e-3
    """Weight of the classifier's disagreement about image and similar image (beta 1)."""
    adversarial_class: float = 1e-3
    """Weight of the classifier's agreement about image and adversarial image (beta 2)."""
    proximity: float = 0.2
    """Weight of the distance between the two generators' weights (gamma, the paper's W)."""
    variation: float = 0.2
    """Weight of the total variation of similar less adversarial image (lambda, the paper's TV)."""


def _row(*values: float) -> SimilarAdversarialWeights:
    a1, a2, a3, a4, proximity, variation = values
    return SimilarAdversarialWeights(a1, a2, a3, a4, proximity=proximity, variation=variation)


PUBLISHED_WEIGHTS: Mapping[str, SimilarAdversarialWeights] = MappingProxyType(
    {
        "Duo AE (TV)": _row(1, 1, 1, 0, 0, 0.2),
        "Duo AE (W,TV)": _row(1, 1, 1, 0, 0.1, 0.2),
        "Single AE1 (TV)": _row(1, 1, 1, 0, 0, 0.2),
        "Single AE1 (W)": _row(3, 1, 1, 0.2, 0.1, 0),
        "Single AE1 (W,TV)": _row(1, 1, 1, 0.2, 0.1, 0.2),
        "Single AE2 (W)": _row(3, 1, 1, 0.2, 0.2, 0),
        "Single AE2 (W,TV)": _row(3, 1, 1, 0.2, 0.2, 0.2),
    }
)
"""Table I of the paper, by the names of its rows."""


def similar_adversarial_terms(
    images: Images,
    pair: tuple[Images, Images],
    logits: Logits,
    pair_logits: tuple[Logits, Logits],
    twins: tuple[Any, Any],
    *,
    weights: SimilarAdversarialWeights,
    margin: float | None = None,
    proximity: Proximity = _PROXIMITY,
) -> Terms:
    """Computes the loss of a pair of generators as its weighted parts (equation 5).

    The sum of the parts is the loss.

    Args:
        images: in [0, 1].
        pair: the similar and the adversarial image of each.
        logits: the classifier's, of ``images``; it is frozen.
        pair_logits: its logits of the two images in ``pair``.
        twins: the weights of the two generators, pytrees of equal structure; of a Single AE, the
            parameters of its two heads.
        weights: one for each term.
        margin: None for two classes, which takes cross-entropies with the classifier's own
            probabilities (equation 7); above 0 for any number of classes, which takes
            ``margin_terms`` (equation 10).
        proximity: how the twins are compared, see ``weight_proximity``.

    Returns:
        Scalars by the names of the fields of ``SimilarAdversarialWeights``.

    Raises:
        InputError: logits of more than two classes without a margin, a margin not above 0, twins of
            different structure, or an unknown ``proximity``.

    >>> image, logits = jnp.full((1, 4, 4, 1), 0.5), jnp.zeros((1, 2))
    >>> twin = {"kernel": jnp.ones(3)}
    >>> terms = similar_adversarial_terms(
    ...     image, (image, image), logits, (logits, logits), (twin, twin),
    ...     weights=SimilarAdversarialWeights(),
    ... )
    >>> [name for name, term in terms.items() if term > 0]
    ['similar_class', 'adversarial_class']
    """
    check_several(pair, 2, name="pair")
    check_several(pair_logits, 2, name="pair_logits")
    check_several(twins, 2, name="twins")
    check_type(weights, SimilarAdversarialWeights, name="weights", wanted=_WEIGHTS)
    similar, adversarial = pair
    check_alike(images=images, similar=similar, adversarial=adversarial)
    class_terms = soft_class_terms if margin is None else partial(margin_terms, margin=margin)
    classes = class_terms(logits, *pair_logits)
    terms = {
        "similar": jnp.square(images - similar).mean(),
        "adversarial": jnp.square(images - adversarial).mean(),
        "difference": jnp.square(similar - adversarial).mean(),
        "absolute_difference": safe_abs(similar - adversarial).mean(),
        "similar_class": classes[0],
        "adversarial_class": classes[1],
        "proximity": weight_proximity(*twins, form=proximity),
        "variation": total_variation(similar - adversarial),
    }
    return {name: weight * terms[name] for name, weight in asdict(weights).items()}


def naive_adversarial_terms(
    images: Images,
    adversarial: Images,
    logits: Logits,
    adversarial_logits: Logits,
    *,
    weights: SimilarAdversarialWeights,
) -> Terms:
    """Computes the loss of the naive formulation, of an adversarial generator alone.

    It is equation 2, made weak as equation 5 is.

    The paper gives no weights for it; the weights of the full loss serve.

    Args:
        images: in [0, 1].
        adversarial: the adversarial image of each.
        logits: the classifier's two, of ``images``; it is frozen.
        adversarial_logits: its logits of ``adversarial``.
        weights: ``adversarial``, ``adversarial_class`` and ``variation`` are used.

    Returns:
        Scalars by these three names, weighted; their sum is the loss.

    Raises:
        InputError: logits of more than two classes.

    >>> image, logits = jnp.full((1, 4, 4, 1), 0.5), jnp.zeros((1, 2))
    >>> weights = SimilarAdversarialWeights(adversarial=2.0)
    >>> terms = naive_adversarial_terms(image, image + 0.5, logits, logits, weights=weights)
    >>> float(terms["adversarial"])
    0.5
    """
    check_type(weights, SimilarAdversarialWeights, name="weights", wanted=_WEIGHTS)
    check_alike(images=images, adversarial=adversarial)
    return {
        "adversarial": weights.adversarial * jnp.square(images - adversarial).mean(),
        "adversarial_class": weights.adversarial_class
        * soft_class_terms(logits, logits, adversarial_logits)[1],
        "variation": weights.variation * total_variation(images - adversarial),
    }


def soft_class_terms(
    logits: Logits, similar_logits: Logits, adversarial_logits: Logits
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Computes the classification terms for two classes (equation 7).

    They are ``BCE(f(x), f(x_s))`` and ``BCE(1 - f(x), f(x_a))``.

    Args:
        logits: (b, 2) of the images; their probabilities are the targets, which carry no gradient.
        similar_logits: (b, 2) of the similar images.
        adversarial_logits: (b, 2) of the adversarial images.

    Returns:
        The two means in nats; the first is at least the entropy of the targets.

    Raises:
        InputError: another number of classes.
    """
    check_alike(ndim=2, logits=logits)
    if logits.shape[-1] != 2:
        raise InputError(
            f"logits: expected two classes, got {logits.shape[-1]}: give a margin above 0 for the"
            " loss of equation 10"
        )
    check_alike(logits=logits, similar_logits=similar_logits, adversarial_logits=adversarial_logits)
    target = jax.lax.stop_gradient(jax.nn.softmax(logits))
    return _cross_entropy(target, similar_logits), _cross_entropy(
        target[:, ::-1], adversarial_logits
    )


def margin_terms(
    logits: Logits, similar_logits: Logits, adversarial_logits: Logits, *, margin: float
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Computes the classification terms for any number of classes (equation 10).

    They follow Carlini and Wagner 2017.

    With l the class of the image: the mean of ``max(max of the others - f_l, -margin)`` at the
    similar image, and of ``max(f_l - max of the others, -margin)`` at the adversarial one.

    Args:
        logits: (b, k) of the images.
        similar_logits: (b, k) of the similar images.
        adversarial_logits: (b, k) of the adversarial images.
        margin: how clear a decision has to be before it is left alone, in units of the logits,
            above 0 (the paper's kappa, without a value there).

    Returns:
        The two means, each at least ``-margin``.

    Raises:
        InputError: a margin not above 0.
    """
    check_positive(margin, name="margin")
    predicted = jax.nn.one_hot(decision(logits), logits.shape[-1], dtype=bool)
    kept, lost = _lead(similar_logits, predicted), _lead(adversarial_logits, predicted)
    return jnp.maximum(-kept, -margin).mean(), jnp.maximum(lost, -margin).mean()


def total_variation(maps: Images) -> Float[Array, ""]:
    """Computes the mean length of the gradient of maps over pixels and channels (equation 9).

    The gradient consists of the differences to the next row and to the next column, 0 behind the
    last. Where it vanishes its own derivative is taken as 0.

    Args:
        maps: (b, h, w, c).

    Returns:
        A scalar, at least 0.

    >>> float(total_variation(jnp.array([0.0, 1.0]).reshape(1, 1, 2, 1)))
    0.5
    """
    check_alike(maps=maps, ndim=4)
    down = jnp.diff(maps, axis=1, append=maps[:, -1:])
    right = jnp.diff(maps, axis=2, append=maps[:, :, -1:])
    return safe_sqrt(down**2 + right**2).mean()


def weight_proximity(
    similar: Any, adversarial: Any, *, form: Proximity = _PROXIMITY
) -> Float[Array, ""]:
    """Computes how far apart the weights of two networks of equal architecture are (equation 8).

    Args:
        similar: a pytree of arrays, such as ``nnx.state(generator.similar, nnx.Param)``.
        adversarial: one of equal structure and shapes.
        form: ``"norm"``, the sum over arrays of the l2 norm of the difference, as printed;
            ``"mean_square"``, the mean of the squared differences of all weights. The gradient at
            equal weights is 0 in both.

    Returns:
        A scalar, at least 0.

    Raises:
        InputError: different structures or shapes, no array, or an unknown form.

    >>> similar, adversarial = jnp.array([3.0, 0.0]), jnp.array([0.0, 4.0])
    >>> float(weight_proximity({"kernel": similar}, {"kernel": adversarial}))
    5.0
    """
    check_choice(form, ("norm", "mean_square"), name="proximity")
    kinds = [
        (jax.tree.structure(tree), [jnp.shape(leaf) for leaf in jax.tree.leaves(tree)])
        for tree in (similar, adversarial)
    ]
    if kinds[0] != kinds[1] or not jax.tree.leaves(similar):
        raise InputError(
            "twins: expected the weights of two networks of one architecture, got different arrays"
            " or none"
        )
    squares = jax.tree.map(lambda a, b: jnp.square(a - b), similar, adversarial)
    sums = jnp.stack([leaf.sum() for leaf in jax.tree.leaves(squares)])
    if form == "norm":
        return safe_sqrt(sums).sum()
    return sums.sum() / sum(leaf.size for leaf in jax.tree.leaves(squares))


def _cross_entropy(target: Float[Array, "b k"], logits: Logits) -> Float[Array, ""]:
    return -(target * jax.nn.log_softmax(logits)).sum(axis=-1).mean()


def _lead(logits: Logits, predicted: Array) -> Float[Array, " b"]:
    """Computes how far one class is above the highest of the others, in units of the logits."""
    return jnp.where(predicted, logits, 0).sum(axis=-1) - jnp.where(
        predicted, -jnp.inf, logits
    ).max(axis=-1)
