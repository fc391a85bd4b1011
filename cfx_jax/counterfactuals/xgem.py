"""Counterfactuals on the manifold of an autoencoder: xGEM.

Joshi et al. 2018, "xGEMs: Generating Examplars to Explain Black-Box Models", to which Singla et al.
2020 compare their own method (appendix A.2).

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
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Bool, Float, Int

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import (
    check_between_0_and_1,
    check_classifier,
    check_image,
    check_images,
    check_integer,
    check_positive,
)
from cfx_jax.compilation import as_pytree, compiled, shape_of
from cfx_jax.counterfactuals.autoencoder import SearchModels, check_coder
from cfx_jax.counterfactuals.progressive import Exaggeration
from cfx_jax.counterfactuals.two_classes import (
    bin_centres,
    check_two_classes,
    class_1_probability,
    probability_bin,
)
from cfx_jax.errors import InputError
from cfx_jax.generator_interfaces import Coder, check_generated
from cfx_jax.objectives import Classifier, decision, negative_log_probability
from cfx_jax.optimise import Algorithm, Problem, Result, run, solve
from cfx_jax.parallel import map_examples


class XGEM(NamedTuple):
    """The counterfactual of one image and the way to it (or, with leading axes, of several images).

    Attributes:
        image: (h, w, c), where the search came to rest.
        probability: the probability of class 1 at ``image``.
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


class XGEMExample(NamedTuple):
    """One image's part of the problem: the ``image``, and the ``target`` class of the search."""

    image: Float[Array, "h w c"]
    target: Int[Array, ""]


class _Record(NamedTuple):
    """The state of the search, with a record of its way.

    Attributes:
        inner: the algorithm's own state.
        latent: the algorithm's iterate.
        probability: the probability of class 1 at the iterate.
        num_steps: how many steps were done.
        nearest: for each bin the latent whose probability is nearest to the bin's centre so far.
        distance: how far the probability of each of these is from the centre.
    """

    inner: Any
    latent: Float[Array, "*latent"]
    probability: Float[Array, ""]
    num_steps: Int[Array, ""]
    nearest: Float[Array, "k *latent"]
    distance: Float[Array, " k"]


@dataclass(frozen=True)
class XGEMProblem:
    """Makes the optimisation problem of one image; equal settings compile once.

    Attributes: see ``xgem``.
    """

    algorithm: Algorithm
    weight: float = 1.0
    until: float = 0.5
    num_bins: int = 10

    def __post_init__(self) -> None:
        if not isinstance(self.algorithm, Algorithm):
            raise InputError(
                f"algorithm: expected one of cfx_jax.optimise, got {type(self.algorithm).__name__}"
            )
        check_positive(self.weight, name="weight")
        check_integer(self.num_bins, name="num_bins", at_least=2)
        check_between_0_and_1(self.until, name="until")

    def __call__(self, models: SearchModels, example: XGEMExample) -> Problem:
        cross_entropy = negative_log_probability(models.classifier, example.target)

        def objective(latent: Float[Array, "*latent"]) -> Float[Array, ""]:
            image = models.decode(latent)
            return jnp.square(image - example.image).mean() + self.weight * cross_entropy(image)

        start = models.encode(example.image)
        return Problem(self._with_record(models, example.target), objective, start)

    def _with_record(self, models: SearchModels, target: Int[Array, ""]) -> Algorithm:
        """The same algorithm, with a record of its way.

        Its value is how far the target's probability is below ``until``.
        """

        def recorded(inner: Any, num_steps: Array, nearest: Array, distance: Array) -> _Record:
            latent = self.algorithm.solution(inner)[0]
            # The compiler shares this image with the algorithm's own evaluation of the objective.
            probability = class_1_probability(models.classifier, models.decode(latent))
            centres = bin_centres(self.num_bins).astype(probability.dtype)
            new_distance = jnp.abs(centres - probability)  # (k,)
            is_nearer = new_distance < distance
            # (k, 1, ..., 1) chooses between (k, *latent) and (*latent).
            choice = is_nearer.reshape(-1, *(1,) * latent.ndim)
            return _Record(
                inner,
                latent,
                probability,
                num_steps,
                jnp.where(choice, latent, nearest),
                jnp.where(is_nearer, new_distance, distance),
            )

        def init(objective: Callable[[Array], Array], x0: Float[Array, "*latent"]) -> _Record:
            nearest = jnp.broadcast_to(x0, (self.num_bins, *x0.shape))
            distance = jnp.full(self.num_bins, jnp.inf, x0.dtype)
            inner = self.algorithm.init(objective, x0)
            return recorded(inner, jnp.zeros((), jnp.int32), nearest, distance)

        def step(objective: Callable[[Array], Array], record: _Record) -> tuple[_Record, Array]:
            inner, _ = self.algorithm.step(objective, record.inner)
            record = recorded(inner, record.num_steps + 1, record.nearest, record.distance)
            return record, self._lack(record, target)

        def solution(record: _Record) -> tuple[Any, Array]:
            return record, self._lack(record, target)

        return Algorithm(init, step, solution, self.algorithm.num_steps)

    def _lack(self, record: _Record, target: Int[Array, ""]) -> Float[Array, ""]:
        """How far the target's probability is below ``until``; below 0 the search rests."""
        return self.until - jnp.where(target == 1, record.probability, 1 - record.probability)


def xgem(
    coder: Coder,
    classifier: Classifier,
    image: Float[Array, "h w c"],
    algorithm: Algorithm,
    *,
    weight: float = XGEMProblem.weight,
    until: float = XGEMProblem.until,
    num_bins: int = XGEMProblem.num_bins,
) -> XGEM:
    """The counterfactual of one image, and the progressive series on the way to it.

    It composes with jit, vmap and pmap. ``xgem_batch`` can end early.

    Args:
        coder: an autoencoder in two parts, such as ``models.generator_of(vae)``: ``encode``, image
            -> latent, one array of any shape, or a tuple whose first array, the mean, is taken;
            ``decode``, latent -> image in [0, 1].
        classifier: one image -> two logits.
        image: values in [0, 1].
        algorithm: how the latent moves, and at most how many steps, such as
            ``gradient_descent(num_steps=200, step_size=0.1)`` or
            ``from_optax(optax.adam(0.05), num_steps=200)``.
        weight: the weight of the cross-entropy against the mean squared error, above 0.
        until: the search rests once the other class's probability is above it, in (0, 1): 0.5,
            where the decision turns over, or more, for the series to reach further.
        num_bins: the number of bins of the series, at least 2.

    Returns:
        The counterfactual, how it came about, and the series.

    Raises:
        InputError: no valid image, a classifier that has not two classes or returns probabilities
            or NaN, a latent that is no array, a decoder that returns no image of the image's shape,
            or an option out of its range.

    Example:
        >>> def classifier(image):
        ...     evidence = image[:2].sum() - image[2:].sum()
        ...     return jnp.stack([-evidence, evidence])
        >>> from types import SimpleNamespace
        >>> coder = SimpleNamespace(encode=lambda image: image - 0.5, decode=lambda z: z + 0.5)
        >>> from cfx_jax.optimise import gradient_descent
        >>> descent = gradient_descent(num_steps=3, step_size=0.1)
        >>> answer = xgem(coder, classifier, jnp.full((4, 4, 1), 0.5), descent, num_bins=2)
        >>> answer.series.images.shape, bool(answer.converged)
        ((2, 4, 4, 1), True)
    """
    check_image(image)
    problem = XGEMProblem(algorithm, weight, until, num_bins)
    models = _as_search_models(coder, classifier, jnp.asarray(image)[None])
    return compiled(_search, problem, models, image)


def _search(problem: XGEMProblem, models: SearchModels, image: Float[Array, "h w c"]) -> XGEM:
    example = XGEMExample(image, _other_class(models.classifier, image))
    return _Answer(problem)(models, example, run(*problem(models, example), stop_below=0.0))


def xgem_batch(
    coder: Coder,
    classifier: Classifier,
    images: Float[AnyArray, "n h w c"],
    algorithm: Algorithm,
    *,
    weight: float = XGEMProblem.weight,
    until: float = XGEMProblem.until,
    num_bins: int = XGEMProblem.num_bins,
    batch_size: int | None = None,
    mesh: jax.sharding.Mesh | None = None,
    progress: bool | str = False,
) -> XGEM:
    """``xgem`` of many images, in micro-batches over all devices; the results are the same.

    Args:
        coder, algorithm, weight, until, num_bins: as in ``xgem``.
        classifier: as in ``xgem``; best a pytree (``models.per_image(model)``), so that weights are
            not compiled in.
        images: values in [0, 1].
        batch_size, mesh, progress: as in ``optimise.solve``.

    Returns:
        An ``XGEM`` of NumPy arrays with leading axis n.

    Raises:
        InputError: as ``xgem``.

    Example:
        >>> def classifier(image):
        ...     evidence = image[:2].sum() - image[2:].sum()
        ...     return jnp.stack([-evidence, evidence])
        >>> from types import SimpleNamespace
        >>> coder = SimpleNamespace(encode=lambda image: image - 0.5, decode=lambda z: z + 0.5)
        >>> from cfx_jax.optimise import gradient_descent
        >>> descent = gradient_descent(num_steps=3, step_size=0.1)
        >>> images = np.full((3, 4, 4, 1), 0.5, np.float32)
        >>> xgem_batch(coder, classifier, images, descent, num_bins=2).converged.tolist()
        [True, True, True]
    """
    check_images(images)
    problem = XGEMProblem(algorithm, weight, until, num_bins)
    models = _as_search_models(coder, classifier, jnp.asarray(images[:4]))
    targets = map_examples(
        _other_class, models.classifier, images, batch_size=batch_size, mesh=mesh
    )
    fields: Any = (images, targets)
    return solve(
        problem,
        models,
        XGEMExample(*fields),
        finish=_Answer(problem),
        stop_below=0.0,
        batch_size=batch_size,
        mesh=mesh,
        progress=progress,
    )


@dataclass(frozen=True)
class _Answer:
    """Makes an answer of ``xgem`` of the record of a search; hashable by value."""

    problem: XGEMProblem

    def __call__(self, models: SearchModels, example: XGEMExample, result: Result) -> XGEM:
        record: Any = result.solution
        num_bins = self.problem.num_bins
        images = jax.vmap(models.decode)(record.nearest)  # (k, h, w, c)
        probabilities = jax.vmap(lambda image: class_1_probability(models.classifier, image))(
            images
        )
        probability = class_1_probability(models.classifier, example.image)
        series = Exaggeration(
            images,
            probabilities,
            desired=bin_centres(num_bins).astype(probability.dtype),
            source_bin=probability_bin(probability, num_bins=num_bins),
            probability=probability,
        )
        return XGEM(
            models.decode(record.latent),
            record.probability,
            record.num_steps,
            converged=result.value < 0,
            trace=self.problem.until - result.trace,
            series=series,
        )


def _other_class(classifier: Classifier, image: Float[Array, "h w c"]) -> Int[Array, ""]:
    return 1 - decision(classifier(image))


def _mean(encode: Callable[[Array], Any], image: Float[Array, "h w c"]) -> Any:
    latent = encode(image)
    return latent[0] if isinstance(latent, tuple) else latent


def _as_search_models(
    coder: Coder, classifier: Classifier, images: Float[Array, "n h w c"]
) -> SearchModels:
    """The autoencoder and the classifier as one pytree, after a check of their outputs."""
    check_two_classes(classifier, images[0])
    check_coder(coder)
    encode = Partial(_mean, as_pytree(coder.encode))
    models = SearchModels(encode, as_pytree(coder.decode), as_pytree(classifier))
    latent = shape_of(encode, images[0])
    if not hasattr(latent, "shape"):
        raise InputError(
            "coder: expected encode to give one array or a tuple of them, got"
            f" {type(latent).__name__}"
        )
    check_generated(lambda x: models.decode(models.encode(x)), images[0], 1)
    check_classifier(classifier, images)
    return models
