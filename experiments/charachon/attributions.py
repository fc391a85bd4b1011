"""The explanations that are compared, by name, each a map of one image; and their computation for
many images.

The class explained is the one that the classifier decides on. Maps of signed methods are absolute
values. Sigmas that the papers give in pixels of 224 are in proportion to the image size.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float

from cfx_jax.attributions import (
    AugmentationRanges,
    MaskProblem,
    Score,
    augment_average,
    grad_cam,
    gradient,
    input_x_gradient,
    integrated_gradients,
    perceptual_objective,
    random_map,
    smooth_grad,
)
from cfx_jax.maps import channel_sum, smooth
from cfx_jax.models import FindingClassifier, Parts, ResNet
from cfx_jax.models.layers import normalise
from cfx_jax.models.views import in_inference_mode
from cfx_jax.objectives import Classifier, class_score, decision, negative_margin
from cfx_jax.optimise import MakeProblem, Problem, Result, best_so_far, from_optax, solve
from cfx_jax.parallel import map_examples, progress_bar
from experiments.charachon.classifier import Network
from experiments.charachon.config import GenerationConfig
from experiments.charachon.generators import MaskMaker, PairGenerator
from experiments.shared.image_set import ImageSet
from experiments.shared.stages import Arrays, Workspace

GRADIENT, SMOOTH_GRAD, INPUT_GRADIENT = "Gradient", "SmoothGrad", "Input Gradient"
INTEGRATED_GRADIENTS, GRAD_CAM, BBMP = "Integrated Gradients", "Grad-CAM", "BBMP"
PERCEPTUAL, MASK_GENERATOR, RANDOM = "Perceptual", "Mask Generator", "Random"
AVERAGED = " + A"
"""End of the name of a method that is averaged over augmentations."""

_SIZE = 224  # of the images that the papers' sigmas are given for
_PERCEPTUAL_STEP = 1e-3

Image = Float[Array, "h w c"]
Map = Float[Array, "h w"]


class Method(NamedTuple):
    """One way to explain.

    Attributes:
        name: what tables call it.
        explain: ``(shared, image) -> map (h, w)``, of one image, hashable by value (a module-level
            function, a frozen dataclass); ``(shared, (key, image)) -> map`` where ``keyed``; and
            where there is a ``make_problem`` ``(shared, image, result) -> map``.
        shared: what it needs of networks, a pytree.
        identity: what its maps depend on besides the images.
        keyed: whether it draws random numbers; image i gets a key of its own.
        make_problem: of methods that search, the search; see ``optimise.solve``.
    """

    name: str
    explain: Callable[..., Map]
    shared: Any
    identity: object
    keyed: bool = False
    make_problem: MakeProblem | None = None


class Maps(NamedTuple):
    """The maps of one method.

    Attributes:
        values: (n, h, w), at least 0.
        timings: seconds for one image, (r,): of each batch, once it was compiled.
    """

    values: Float[np.ndarray, "n h w"]
    timings: Float[np.ndarray, " r"]

    @property
    def seconds(self) -> float:
        """The median of the timings."""
        return float(np.median(self.timings))


def maps(method: Method, images: ImageSet, config: GenerationConfig, workspace: Workspace) -> Maps:
    """The maps of all images, kept in the workspace.

    Args:
        method: how to explain.
        images: those explained.
        config: how many are computed at once, and the seed of random methods.
        workspace: keeps the maps and the time they took.
    """

    def compute() -> Arrays:
        examples: Any = images.arrays["image"]
        if method.keyed:
            examples = jax.random.split(jax.random.key(config.seed), len(images)), examples
        return _timed(method, examples, len(images), config.batch_size)._asdict()

    depends = [method.name, method.identity, images.identity, config.seed if method.keyed else None]
    return Maps(**workspace.cached(f"timed maps {method.name}", depends, compute))


def _timed(method: Method, examples: Any, count: int, batch_size: int) -> Maps:
    """The maps batch by batch, and how long each batch took; the first one, which compiles, is
    timed again at the end.
    """
    size = min(batch_size, count)
    # The last batch begins earlier instead of being smaller, so that all take one program.
    starts = [min(start, count - size) for start in range(0, count, size)]
    values, timings = [], []
    with progress_bar(len(starts) + 1, method.name) as bar:
        for start in [*starts, starts[0]]:
            batch = jax.tree.map(lambda leaf, start=start: leaf[start : start + size], examples)
            begun = time.perf_counter()
            values.append(_explained(method, batch))
            timings.append((time.perf_counter() - begun) / size)
            bar.update(1)
    fresh = [
        part[len(part) - min(size, count - size * row) :] for row, part in enumerate(values[:-1])
    ]
    return Maps(np.concatenate(fresh), np.array(timings[1:]))


def _explained(method: Method, examples: Any) -> Float[np.ndarray, "m h w"]:
    if method.make_problem is None:
        return map_examples(method.explain, method.shared, examples)
    return solve(method.make_problem, method.shared, examples, finish=method.explain)


def baselines(config: GenerationConfig, network: Network, masks: MaskMaker) -> list[Method]:
    """The methods that the papers compare with, in the order of their tables, and the random map.

    Raises:
        InputError: the classifier is no residual network.
    """
    scale, classifier, known = config.image_size / _SIZE, network.classifier, network.identity
    deletion = MaskProblem(
        blur_sigma=5 * scale, mask_sigma=3 * scale, num_steps=config.num_perturbation_steps
    )
    perceptual = _Perceptual(config.num_perceptual_steps, 2 * scale)
    return [
        Method(GRADIENT, _gradient, classifier, known),
        Method(
            SMOOTH_GRAD,
            _SmoothGrad(config.num_samples),
            classifier,
            [known, config.num_samples],
            keyed=True,
        ),
        Method(INPUT_GRADIENT, _input_gradient, classifier, known),
        Method(
            INTEGRATED_GRADIENTS,
            _IntegratedGradients(config.num_nodes),
            classifier,
            [known, config.num_nodes],
        ),
        Method(GRAD_CAM, _grad_cam, network.parts, known),
        Method(
            BBMP,
            _DeletedRegion(deletion),
            classifier,
            [known, deletion],
            make_problem=_Deletion(deletion),
        ),
        Method(
            PERCEPTUAL,
            perceptual.finish,
            (classifier, Partial(first_activations, network.model)),
            [known, perceptual],
            make_problem=perceptual,
        ),
        Method(MASK_GENERATOR, _mask, masks.explain, masks.identity),
        Method(RANDOM, _random, classifier, None, keyed=True),
    ]


def pair_method(generator: PairGenerator) -> Method:
    """The difference of a generator's two images."""
    return Method(generator.name, _pair, generator.explain, generator.identity)


def averaged(method: Method, ranges: AugmentationRanges, *, num: int) -> Method:
    """A method of one shot averaged over augmentations.

    Args:
        method: neither random nor a search.
        ranges: how far images are moved.
        num: how many moved images.
    """
    explain, identity = _Averaged(method.explain, ranges, num), [method.identity, ranges, num]
    return Method(method.name + AVERAGED, explain, method.shared, identity, keyed=True)


def score_of_decision(classifier: Classifier, image: Image, *, of: str = "probability") -> Score:
    """The score of the class that the classifier decides on for an image; ``of`` as in
    ``objectives.class_score``.
    """
    return class_score(classifier, decision(classifier(image)), of=of)


def first_activations(model: Any, image: Image) -> list[Float[Array, "1 fh fw f"]]:
    """The maps after the first activation of every block of a residual network.

    Args:
        model: a ``ResNet``, or a ``FindingClassifier`` with one.
        image: values in [0, 1].
    """
    network: ResNet = model.backbone if isinstance(model, FindingClassifier) else model
    network = in_inference_mode(network)
    x, found = network.stem(normalise(image[None], network.mean, network.std)), []
    for stage in network.stages:
        for block in stage:
            found.append(block.act(block.norm1(block.conv1(x))))
            x = block(x)
    return found


def _gradient(classifier: Classifier, image: Image) -> Map:
    # The log-odds order the pixels as the probability does, and do not saturate.
    return channel_sum(gradient(score_of_decision(classifier, image, of="log_odds"), image))


def _input_gradient(classifier: Classifier, image: Image) -> Map:
    return channel_sum(input_x_gradient(score_of_decision(classifier, image, of="log_odds"), image))


@dataclass(frozen=True)
class _SmoothGrad:
    num_samples: int

    def __call__(self, classifier: Classifier, example: tuple[Array, Image]) -> Map:
        key, image = example
        score = score_of_decision(classifier, image)
        return channel_sum(
            smooth_grad(key, lambda x: gradient(score, x), image, num_samples=self.num_samples)
        )


@dataclass(frozen=True)
class _IntegratedGradients:
    num_nodes: int

    def __call__(self, classifier: Classifier, image: Image) -> Map:
        score = score_of_decision(classifier, image)
        return channel_sum(integrated_gradients(score, image, num_steps=self.num_nodes))


def _grad_cam(parts: Parts, image: Image) -> Map:
    """As of a network with one logit z: z itself for the finding, -z for the other class."""

    def head(features: Float[Array, "fh fw f"]) -> Float[Array, " 2"]:
        logits = parts.head(features)
        return logits - logits[::-1]

    return grad_cam(parts.features, head, image, decision(head(parts.features(image))))


@dataclass(frozen=True)
class _Deletion:
    problem: MaskProblem

    def __call__(self, classifier: Classifier, image: Image) -> Problem:
        return self.problem(score_of_decision(classifier, image), image)


@dataclass(frozen=True)
class _DeletedRegion:
    problem: MaskProblem

    def __call__(self, classifier: Classifier, image: Image, result: Result) -> Map:
        return self.problem.coverage(result.solution, (image.shape[0], image.shape[1]))


@dataclass(frozen=True)
class _Perceptual:
    """By Adam: the released L-BFGS without a line search ends higher in as many steps."""

    num_steps: int
    sigma: float

    def __call__(self, shared: tuple[Classifier, Any], image: Image) -> Problem:
        classifier, features = shared
        margin = negative_margin(classifier, decision(classifier(image)))
        search = from_optax(optax.adam(_PERCEPTUAL_STEP), num_steps=self.num_steps)
        return Problem(best_so_far(search), perceptual_objective(margin, features, image), image)

    def finish(self, shared: tuple[Classifier, Any], image: Image, result: Result) -> Map:
        del shared
        return smooth(jnp.sqrt(jnp.square(result.solution - image).mean(axis=-1)), sigma=self.sigma)


def _mask(generate: Callable[[Image], Float[Array, "h w 1"]], image: Image) -> Map:
    return generate(image)[..., 0]


def _random(classifier: Classifier, example: tuple[Array, Image]) -> Map:
    del classifier
    return random_map(*example).mean(axis=-1)


def _pair(explain: Callable[[Image], Any], image: Image) -> Map:
    return channel_sum(explain(image).explanation)


@dataclass(frozen=True)
class _Averaged:
    explain: Callable[[Any, Image], Map]
    ranges: AugmentationRanges
    num: int

    def __call__(self, shared: Any, example: tuple[Array, Image]) -> Map:
        key, image = example
        return augment_average(
            key, lambda x: self.explain(shared, x), image, num=self.num, ranges=self.ranges
        )
