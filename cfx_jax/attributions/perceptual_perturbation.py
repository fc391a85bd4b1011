"""Perturbations on the perceptual ball.

Elliott, Law & Russell 2021, "Explaining classifiers using adversarial perturbations on the
perceptual ball".

The smallest change that turns the decision and hardly moves the network's inner features. Weights
and margin come from the released code. It also uses L-BFGS, though without a line search. Charachon
et al. 2020 compare with it on a binary classifier, with the features after the first ReLU of each
convolution block of a ResNet-50.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float

from cfx_jax.attributions.gradient import Score, check_score
from cfx_jax.checks import (
    check_array,
    check_at_least,
    check_callable,
    check_image_or_volume,
    check_number,
    check_real,
)
from cfx_jax.compilation import compiled
from cfx_jax.optimise import Algorithm, best_so_far, from_optax, run

_TARGET_MARGIN, _FEATURE_WEIGHT, _IMAGE_WEIGHT = -2.0, 1e4, 1.0
Features = Callable[[Float[Array, "*s h w c"]], Any]


def perceptual_perturbation(
    margin: Score,
    features: Features,
    image: Float[Array, "*s h w c"],
    *,
    target_margin: float = _TARGET_MARGIN,
    feature_weight: float = _FEATURE_WEIGHT,
    image_weight: float = _IMAGE_WEIGHT,
    num_steps: int = 100,
    optimiser: optax.GradientTransformation | None = None,
) -> Float[Array, "*s h w c"]:
    """The change of an image that turns the decision while it leaves the features where they were.

    Minimises over x' ``(margin(x') - target_margin)^2 + feature_weight * sum over layers of the
    mean squared change of the features + image_weight * mean((x' - x)^2)``, from x' = x.

    Args:
        margin: one image, or volume, -> scalar, how far the explained class leads:
            ``objectives.negative_margin(classifier, label)``; of two classes the difference of the
            logits.
        features: the same -> a pytree of arrays, the activations to keep, such as a list of feature
            maps.
        image: an image, or a volume ``(s, h, w, c)``; values in [0, 1].
        target_margin: the lead sought, in logits; below 0 where the decision is to turn.
        feature_weight: price of the features' change, at least 0.
        image_weight: price of the image's change, at least 0.
        num_steps: the number of steps, at least 1; costs as many gradients or, with a line search,
            several times as many.
        optimiser: any optax transformation, such as ``optax.adam(1e-3)``; None takes
            ``optax.lbfgs()``.

    Returns:
        The signed change x' - x of smallest objective; x' may leave [0, 1], as published. The
        paper's map is its root mean square over channels, smoothed with sigma 2 (``maps.smooth``).

    Raises:
        InputError: no valid image or volume, ``num_steps`` below 1, or a weight below 0.

    Example:
        >>> import optax
        >>> image = jnp.full((2, 2, 1), 0.5)
        >>> change = perceptual_perturbation(
        ...     jnp.sum, lambda x: x - x.mean(), image, num_steps=3, optimiser=optax.sgd(0.01)
        ... )
        >>> change.shape, bool(change.sum() < 0)  # the margin falls
        ((2, 2, 1), True)
    """
    check_image_or_volume(image)
    for name, weight in (("feature_weight", feature_weight), ("image_weight", image_weight)):
        check_at_least(weight, 0, name=name)
    check_real(target_margin, name="target_margin")
    check_score(margin, image)
    check_callable(features, name="features", gives="one image -> arrays")
    weights = {
        "target_margin": target_margin,
        "feature_weight": feature_weight,
        "image_weight": image_weight,
    }
    algorithm = best_so_far(
        from_optax(optax.lbfgs() if optimiser is None else optimiser, num_steps=num_steps)
    )
    return compiled(_search, algorithm, margin, features, jnp.asarray(image), **weights)


def _search(
    algorithm: Algorithm,
    margin: Score,
    features: Features,
    image: Float[Array, "*s h w c"],
    **weights: float,
) -> Float[Array, "*s h w c"]:
    return (
        run(algorithm, perceptual_objective(margin, features, image, **weights), image).solution
        - image
    )


def perceptual_objective(
    margin: Score,
    features: Features,
    image: Float[Array, "*s h w c"],
    *,
    target_margin: float = _TARGET_MARGIN,
    feature_weight: float = _FEATURE_WEIGHT,
    image_weight: float = _IMAGE_WEIGHT,
) -> Score:
    """The objective that ``perceptual_perturbation`` minimises, such as for ``optimise.solve``.

    Arguments and errors as ``perceptual_perturbation``.

    Returns:
        A function of the changed image, at least 0.

    Example:
        >>> image = jnp.full((2, 2, 1), 0.5)
        >>> objective = perceptual_objective(jnp.sum, lambda x: x, image, target_margin=1.0)
        >>> float(objective(image))  # the margin of the image itself is 2
        1.0
    """
    for name, number in (
        ("target_margin", target_margin),
        ("feature_weight", feature_weight),
        ("image_weight", image_weight),
    ):
        check_number(number, name=name)
    check_callable(margin, name="margin", gives="one image -> a number")
    check_callable(features, name="features", gives="one image -> feature maps")
    check_array(image, name="image")
    image = jnp.asarray(image)
    image_features = features(image)

    def objective(changed: Float[Array, "*s h w c"]) -> Float[Array, ""]:
        by_layer = jax.tree.map(
            lambda new, old: jnp.square(new - old).mean(), features(changed), image_features
        )
        distance = (
            feature_weight * sum(jax.tree.leaves(by_layer))
            + image_weight * jnp.square(changed - image).mean()
        )
        return distance + jnp.square(margin(changed) - target_margin)

    return objective
