"""Counterfactuals on the manifold of an autoencoder (xGEM: Joshi et al. 2018, "xGEMs: Generating
Examplars to Explain Black-Box Models"), to which Singla et al. 2020 compare their own (appendix
A.2).

From the latent of an image, descent lowers
``closeness + weight * cross-entropy of the other class`` of what the decoder draws, until the
classifier's decision turns over. The iterates on the way are the progressive series.

Singla et al. state neither the closeness and its weight nor the optimiser and when it stops: here
closeness is the mean squared error over all pixels and channels, of images in [0, 1], and the rest
is up to the caller.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Bool, Float, Int

from cfx_jax.arrays import AnyArray
from cfx_jax.callables import as_pytree, shape_of
from cfx_jax.checks import check_classifier, check_image, check_images
from cfx_jax.counterfactuals.cycle import Coder
from cfx_jax.counterfactuals.progressive import (
    Exaggeration,
    bin_centres,
    check_two_classes,
    class_1_probability,
    probability_bin,
)
from cfx_jax.counterfactuals.similar_adversarial import check_generated
from cfx_jax.counterfactuals.xgem_problem import Explained, XGEMExample, XGEMProblem
from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier, decision
from cfx_jax.optimise import Algorithm, Result, run, solve
from cfx_jax.parallel import map_examples
from cfx_jax.programs import compiled


class XGEM(NamedTuple):
    """The counterfactual of one image and the way to it (or, with leading axes, of several images).

    Attributes:
        image: (h, w, c), where the search came to rest.
        probability: of class 1 there.
        num_steps: steps until then; 0 where the image's reconstruction has another decision
            already.
        converged: whether the other class's probability is above ``until``.
        trace: the other class's probability at the start and after each step; constant from the
            rest on.
        series: for each bin of the probability of class 1 the iterate whose own probability is
            nearest to its centre, the first of equals; a bin that the search did not come near
            repeats another's.
    """

    image: Float[AnyArray, "*batch h w c"]
    probability: Float[AnyArray, "*batch"]
    num_steps: Int[AnyArray, "*batch"]
    converged: Bool[AnyArray, "*batch"]
    trace: Float[AnyArray, "*batch num_steps_plus_1"]
    series: Exaggeration


@dataclass(frozen=True)
class _Answer:
    """From the record of a run to what ``xgem`` gives; hashable by value."""

    problem: XGEMProblem

    def __call__(self, explained: Explained, example: XGEMExample, result: Result) -> XGEM:
        record: Any = result.solution
        images = jax.vmap(explained.decode)(record.nearest)
        probabilities = jax.vmap(lambda image: class_1_probability(explained.classifier, image))(
            images
        )
        own = class_1_probability(explained.classifier, example.image)
        num_bins = self.problem.num_bins
        desired = bin_centres(num_bins).astype(own.dtype)
        series = Exaggeration(
            images, probabilities, desired, probability_bin(own, num_bins=num_bins), own
        )
        trace = self.problem.until - result.trace
        image = explained.decode(record.latent)
        return XGEM(image, record.probability, record.num_steps, result.value < 0, trace, series)


def xgem(
    coder: Coder,
    classifier: Classifier,
    image: Float[jax.Array, "h w c"],
    algorithm: Algorithm,
    *,
    weight: float = 1.0,
    until: float = 0.5,
    num_bins: int = 10,
) -> XGEM:
    """The counterfactual of one image; composes with jit, vmap and pmap. ``xgem_batch`` can end
    early.

    Args:
        coder: an autoencoder in two parts, such as ``models.generator_of(vae)``: ``encode``, image
            -> latent, one array of any shape, or a tuple whose first array, the mean, is taken;
            ``decode``, latent -> image in [0, 1].
        classifier: one image -> two logits.
        image: values in [0, 1].
        algorithm: how the latent moves, and at most how many steps, such as
            ``gradient_descent(num_steps=200, step_size=0.1)`` or
            ``from_optax(optax.adam(0.05), num_steps=200)``.
        weight: of the cross-entropy against the mean squared error, above 0.
        until: the search rests once the other class's probability is above it, in (0, 1): 0.5,
            where the decision turns over, or more, for the series to reach further.
        num_bins: of the series, at least 2.

    Returns:
        The counterfactual, how it came about, and the series.

    Raises:
        InputError: no valid image, another number of classes, a classifier that gives probabilities
            or NaN, a latent that is no array, a decoder that gives no image of the image's shape,
            or an option out of its range.
    """
    check_image(image)
    problem = XGEMProblem(algorithm, weight, until, num_bins)
    explained = _checked(coder, classifier, jnp.asarray(image)[None])
    return compiled(_search, problem, explained, image)


def _search(problem: XGEMProblem, explained: Explained, image: Float[jax.Array, "h w c"]) -> XGEM:
    example = XGEMExample(image, _other_class(explained.classifier, image))
    return _Answer(problem)(explained, example, run(*problem(explained, example), stop_below=0.0))


def xgem_batch(
    coder: Coder,
    classifier: Classifier,
    images: Float[AnyArray, "n h w c"],
    algorithm: Algorithm,
    *,
    weight: float = 1.0,
    until: float = 0.5,
    num_bins: int = 10,
    loop: str = "auto",
    batch_size: int | None = None,
    mesh: jax.sharding.Mesh | None = None,
    progress: bool | str = False,
) -> XGEM:
    """``xgem`` of many images, in micro-batches over all devices; nothing else changes in the
    result.

    Args:
        coder, algorithm, weight, until, num_bins: as in ``xgem``.
        classifier: as in ``xgem``; best a pytree (``models.per_image(model)``), so that weights are
            not compiled in.
        images: values in [0, 1].
        loop, batch_size, mesh, progress: as in ``optimise.solve``.

    Returns:
        An ``XGEM`` of NumPy arrays with leading axis n.

    Raises:
        InputError: as ``xgem``.
    """
    check_images(images)
    problem = XGEMProblem(algorithm, weight, until, num_bins)
    explained = _checked(coder, classifier, jnp.asarray(images[:4]))
    targets = map_examples(
        _other_class, explained.classifier, images, batch_size=batch_size, mesh=mesh
    )
    fields: Any = (images, targets)
    return solve(
        problem,
        explained,
        XGEMExample(*fields),
        finish=_Answer(problem),
        stop_below=0.0,
        loop=loop,
        batch_size=batch_size,
        mesh=mesh,
        progress=progress,
    )


def _other_class(classifier: Classifier, image: Float[jax.Array, "h w c"]) -> Int[jax.Array, ""]:
    return 1 - decision(classifier(image))


def _mean(encode: Callable[[jax.Array], Any], image: Float[jax.Array, "h w c"]) -> Any:
    latent = encode(image)
    return latent[0] if isinstance(latent, tuple) else latent


def _checked(
    coder: Coder, classifier: Classifier, images: Float[jax.Array, "n h w c"]
) -> Explained:
    """The three functions as one pytree, after a look at what they give."""
    check_two_classes(classifier, images[0])
    encode = Partial(_mean, as_pytree(coder.encode))
    explained = Explained(encode, as_pytree(coder.decode), as_pytree(classifier))
    latent = shape_of(encode, images[0])
    if not hasattr(latent, "shape"):
        raise InputError(
            f"coder: expected encode to give one array or a tuple of them, got"
            f" {type(latent).__name__}"
        )
    check_generated(lambda x: explained.decode(explained.encode(x)), images[0], 1)
    check_classifier(classifier, images)
    return explained
