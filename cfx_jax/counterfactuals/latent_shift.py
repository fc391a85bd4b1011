"""Counterfactuals by one gradient in the latent of an autoencoder: latent shift.

Cohen et al. 2021, "Gifsplanation via Latent Shift: A Simple Autoencoder Approach to Counterfactual
Generation for Chest X-rays".

``z_lambda = z0 + lambda * dp/dz`` at the latent z0 of the image, with p the probability of the
target class for what the decoder draws, and a factor lambda found by search for each image.

Deviations:

- Probabilities are the softmax's, which equal a sigmoid's for two classes.
- The target is the class to be raised, where the released code lowers the class that it explains.

Fontanella et al. 2023 do not publish their search beyond its start and its doublings (appendix F):
``"doubling"`` ends it after 31 sizes and tries both signs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int

from cfx_jax.array_types import AnyArray
from cfx_jax.backend import varying_like
from cfx_jax.checks import (
    check_choice,
    check_image_or_volume,
    check_images_or_volumes,
    check_target,
    check_targets,
    num_classes,
)
from cfx_jax.compilation import compiled
from cfx_jax.counterfactuals.autoencoder import SearchModels, as_search_models
from cfx_jax.generator_interfaces import Coder
from cfx_jax.objectives import Classifier, class_score
from cfx_jax.parallel import map_examples

_SMALLEST, _DOUBLINGS = 1e-5, 31


class LatentShift(NamedTuple):
    """The shifted image or volume, and the sweep of factors (or, with a leading axis, several).

    Attributes:
        image: the decoder's image of ``latent``, of the image's shape and not clipped.
        latent: the image's own latent plus ``factor`` times the gradient.
        reconstruction: the decoder's image of the original's own latent.
        probability: the probability of the target class at ``image``.
        initial_probability: the probability of the target class at the original.
        factor: the lambda that was taken.
        lambdas: the factors λ of the search's final sweep: 62 for ``"doubling"``, else ten.
        probabilities: the probability of the target class at each of the ``lambdas``.
    """

    image: Float[AnyArray, "*batch h w c"]
    latent: Float[AnyArray, "*batch_latent"]
    reconstruction: Float[AnyArray, "*batch h w c"]
    probability: Float[AnyArray, "*batch"]
    initial_probability: Float[AnyArray, "*batch"]
    factor: Float[AnyArray, "*batch"]
    lambdas: Float[AnyArray, "*batch m"]
    probabilities: Float[AnyArray, "*batch m"]


@dataclass(frozen=True)
class _LatentShifter:
    """Shifts the latent of one image; hashable by value.

    Attributes: see ``latent_shift``.
    """

    search: str = "doubling"

    def __post_init__(self) -> None:
        check_choice(self.search, tuple(SEARCHES), name="search")

    def __call__(self, models: SearchModels, example: tuple[Array, Array]) -> LatentShift:
        image, target = example
        score = class_score(models.classifier, target, of="probability")
        start = models.encode(image)
        slope = jax.grad(lambda latent: score(models.decode(latent)))(start)
        reconstruction = models.decode(start)
        size = jnp.abs(reconstruction).sum()

        def shift(factor: Float[Array, ""]) -> Shifted:
            shifted = models.decode(start + factor * slope)
            change = jnp.abs(shifted - reconstruction).sum() / jnp.where(size > 0, size, 1)
            return Shifted(score(shifted), change)

        lambdas, probabilities, chosen = SEARCHES[self.search](shift)
        latent = start + lambdas[chosen] * slope
        shifted, probability = models.decode(latent), probabilities[chosen]
        return LatentShift(
            shifted,
            latent,
            reconstruction,
            probability,
            score(image),
            lambdas[chosen],
            lambdas,
            probabilities,
        )


def latent_shift(
    coder: Coder,
    classifier: Classifier,
    image: Float[Array, "*s h w c"],
    target: int | Int[Array, ""],
    *,
    search: str = _LatentShifter.search,
    slices_per_batch: int | None = None,
) -> LatentShift:
    """The latent shift of one image or volume; composes with jit, vmap and pmap.

    Args:
        coder: an autoencoder in two parts, in inference mode, as in ``latent_counterfactual``.
        classifier: one image, or volume, -> logits ``(k,)``.
        image: an image (h, w, c) or a volume (s, h, w, c), values in [0, 1].
        target: the class whose probability is to rise; may be traced.
        search: how the factor is found, at one drawing and one look of the classifier for each that
            is tried. ``"doubling"``: the best of 62 from 1e-5 to 1.1e4 with both signs.
            ``"gifsplanation"``, released with Cohen et al. 2021: in steps of 1, from 10 on of 10,
            until the probability falls, has risen by more than 0.15, or 1000. ``"latentshift"``,
            the authors' later package: in growing steps from 10 on, until the probability falls, is
            above 0.95 or has risen by more than 0.8, the image has changed by more than 5 % of its
            sum, or 3000.
        slices_per_batch: how many slices of a volume the coder takes at once; None takes all.
            Results do not depend on it.

    Returns:
        The shifted image, and the factors tried last with their probabilities. The released code's
        map for grey images is ``|reconstruction - image|``.

    Raises:
        InputError: an unknown search; or as ``latent_counterfactual``.

    Example:
        >>> def classifier(image):
        ...     evidence = image[:2].sum() - image[2:].sum()
        ...     return jnp.stack([-evidence, evidence])
        >>> from types import SimpleNamespace
        >>> coder = SimpleNamespace(encode=lambda image: image - 0.5, decode=lambda z: z + 0.5)
        >>> image = jnp.full((4, 4, 1), 0.5)
        >>> answer = latent_shift(coder, classifier, image, 1)
        >>> answer.image.shape, bool(answer.probability > answer.initial_probability)
        ((4, 4, 1), True)
    """
    check_image_or_volume(image)
    shifter = _LatentShifter(search)
    check_target(target, num_classes(classifier, image))
    models = as_search_models(
        coder, classifier, jnp.asarray(image)[None], slices_per_batch=slices_per_batch
    )
    return compiled(shifter, models, (image, jnp.asarray(target)))


def latent_shift_batch(
    coder: Coder,
    classifier: Classifier,
    images: Float[AnyArray, "n *s h w c"],
    targets: Int[AnyArray, " n"],
    *,
    search: str = _LatentShifter.search,
    slices_per_batch: int | None = None,
    batch_size: int | None = None,
    mesh: jax.sharding.Mesh | None = None,
    progress: bool | str = False,
) -> LatentShift:
    """``latent_shift`` of many images or volumes, in micro-batches over all devices.

    The results are the same.

    Args:
        coder, search, slices_per_batch: as in ``latent_shift``.
        classifier: the explained classifier; best a pytree (``models.per_image(model)``), so that
            weights are not compiled in.
        images: images (n, h, w, c) or volumes (n, s, h, w, c), values in [0, 1].
        targets: a class for each.
        batch_size, mesh, progress: as in ``parallel.map_examples``.

    Returns:
        A ``LatentShift`` of NumPy arrays with leading axis n.

    Raises:
        InputError: as ``latent_shift``; or not one target for each image.

    Example:
        >>> def classifier(image):
        ...     evidence = image[:2].sum() - image[2:].sum()
        ...     return jnp.stack([-evidence, evidence])
        >>> from types import SimpleNamespace
        >>> coder = SimpleNamespace(encode=lambda image: image - 0.5, decode=lambda z: z + 0.5)
        >>> images = np.full((3, 4, 4, 1), 0.5, np.float32)
        >>> latent_shift_batch(coder, classifier, images, [0, 1, 1]).lambdas.shape
        (3, 62)
    """
    check_images_or_volumes(images)
    shifter = _LatentShifter(search)
    targets = check_targets(targets, num_classes(classifier, images[0]), count=len(images))
    models = as_search_models(
        coder, classifier, jnp.asarray(images[:1]), slices_per_batch=slices_per_batch
    )
    options: dict[str, Any] = {"batch_size": batch_size, "mesh": mesh, "progress": progress}
    return map_examples(shifter, models, (images, targets), **options)


class Shifted(NamedTuple):
    """The effect of one factor.

    Attributes:
        probability: the probability of the target class at the shifted image.
        change: the sum of the image's absolute changes, as a share of the reconstruction's sum.
    """

    probability: Float[Array, ""]
    change: Float[Array, ""]


class Sweep(NamedTuple):
    """The last factors that a search tried.

    Attributes:
        lambdas: the factors.
        probabilities: the probability of the target class at each factor.
        chosen: the index of the factor to take.
    """

    lambdas: Float[Array, " m"]
    probabilities: Float[Array, " m"]
    chosen: Int[Array, ""]


Shift = Callable[[Float[Array, ""]], Shifted]


class Search(Protocol):
    """Searches for the factor: from the effect of a factor to the sweep and its choice.

    Factors multiply the gradient of the target's own probability, so a positive factor raises it at
    first. The released searches lower the probability of a class by negative factors of its
    gradient; for two classes, with the other one as target, they take the same steps.
    """

    def __call__(self, shift: Shift) -> Sweep: ...


def search_by_doubling(shift: Shift) -> Sweep:
    """Tries 1e-5 and its 30 doublings with both signs, and takes the one of the best probability.

    Of equals it takes the smallest. The start and the doubling come from Fontanella et al. 2023,
    appendix F; where it ends is not published.

    Args:
        shift: one factor -> its effect.

    Returns:
        62 factors in the order of their size, the positive one of each size first.
    """
    kind = jax.eval_shape(shift, 0.0).probability
    sizes = jnp.asarray(_SMALLEST, kind.dtype) * 2.0 ** jnp.arange(_DOUBLINGS, dtype=kind.dtype)
    # (31,) sizes become (31, 2) signed factors, in a row of 62.
    lambdas = varying_like(jnp.stack([sizes, -sizes], axis=1).reshape(-1), kind)
    probabilities = lax.map(lambda factor: shift(factor).probability, lambdas)
    # A decoder far off its manifold may give NaN, which argmax would take for the best.
    chosen = jnp.where(jnp.isnan(probabilities), -1, probabilities).argmax()
    return Sweep(lambdas, probabilities, chosen)


@dataclass(frozen=True)
class SearchOutwards:
    """Walks away from 0 until the probability falls or a bound is passed.

    It takes the factor where it stopped.

    The sweep then has ten equal steps up to that factor.

    Attributes:
        advance: one factor -> the next.
        rise: bound of the probability, above the reconstruction's probability.
        furthest: bound of the factor.
        certain: bound of the probability.
        change: bound of the image's change, as a share.
        with_zero: whether the sweep begins at 0 instead of at its first step.
    """

    advance: Callable[[Float[Array, ""]], Float[Array, ""]]
    rise: float
    furthest: float
    certain: float = 1.0
    change: float = float("inf")
    with_zero: bool = False

    def __call__(self, shift: Shift) -> Sweep:
        kind = jax.eval_shape(shift, 0.0).probability
        zero = varying_like(jnp.zeros((), kind.dtype), kind)
        start = shift(zero)

        def continues(state: tuple[Array, Array, Shifted]) -> Array:
            factor, previous, (probability, change) = state
            stops = (
                (probability < previous)
                | (probability > start.probability + self.rise)
                | (probability > self.certain)
            )
            return ~(stops | (factor >= self.furthest) | (change > self.change))

        def step(state: tuple[Array, Array, Shifted]) -> tuple[Array, Array, Shifted]:
            factor, _, shifted = state
            factor = self.advance(factor)
            return factor, shifted.probability, shift(factor)

        # The state: the factor, the probability at the factor before, the effect of the factor.
        last, _, _ = lax.while_loop(continues, step, (zero, start.probability, start))
        shares = jnp.linspace(0, 1, 10) if self.with_zero else jnp.linspace(0.1, 1, 10)
        lambdas = last * shares.astype(kind.dtype)
        probabilities = lax.map(lambda factor: shift(factor).probability, lambdas)
        return Sweep(lambdas, probabilities, jnp.argmax(lambdas))


def _by_ones_then_tens(factor: Float[Array, ""]) -> Float[Array, ""]:
    return factor + jnp.where(factor < 10, 1, 10).astype(factor.dtype)


def _by_tenths(factor: Float[Array, ""]) -> Float[Array, ""]:
    return factor + 10 + jnp.ceil(factor / 10)


SEARCHES: dict[str, Search] = {
    "doubling": search_by_doubling,
    "gifsplanation": SearchOutwards(_by_ones_then_tens, rise=0.15, furthest=1000),
    "latentshift": SearchOutwards(
        _by_tenths, rise=0.8, furthest=3000, certain=0.95, change=0.05, with_zero=True
    ),
}
