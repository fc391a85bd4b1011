"""The methods that the papers compare with: each gives a map of one image.

The class explained is the one that the classifier decides on. Maps of signed methods are absolute
values. Sigmas that the papers give in pixels of 224 are in proportion to the image size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import optax
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float

from cfx_jax.attributions import (
    MaskProblem,
    Score,
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
from cfx_jax.optimise import Problem, Result, best_so_far, from_optax
from experiments.charachon_shared.attributions import Image, Map, Method
from experiments.charachon_shared.generators import MaskMaker
from experiments.charachon_shared.setup import Setup

GRADIENT, SMOOTH_GRAD, INPUT_GRADIENT = "Gradient", "SmoothGrad", "Input Gradient"
INTEGRATED_GRADIENTS, GRAD_CAM, BBMP = "Integrated Gradients", "Grad-CAM", "BBMP"
PERCEPTUAL, MASK_GENERATOR, RANDOM = "Perceptual", "Mask Generator", "Random"

_SIZE = 224  # of the images that the papers' sigmas are given for
_PERCEPTUAL_STEP = 1e-3


def baselines(setup: Setup[Any], masks: MaskMaker) -> list[Method]:
    """The methods that the papers compare with, in the order of their tables, and the random map.

    Raises:
        InputError: the classifier is no residual network.
    """
    config, network = setup.config, setup.network
    scale, classifier, known = config.image_size / _SIZE, network.classifier, network.identity
    deletion = _Deletion(
        MaskProblem(
            blur_sigma=5 * scale, mask_sigma=3 * scale, num_steps=config.num_perturbation_steps
        )
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
        Method(BBMP, deletion.finish, classifier, [known, deletion.problem], make_problem=deletion),
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


def score_of_decision(classifier: Classifier, image: Image, *, of: str = "probability") -> Score:
    """The score of the class that the classifier decides on, as ``objectives.class_score``."""
    return class_score(classifier, decision(classifier(image)), of=of)


def first_activations(model: Any, image: Image) -> list[Float[Array, "1 fh fw f"]]:
    """The maps after the first activation of every block of a residual network.

    Args:
        model: a ``ResNet``, or a ``FindingClassifier`` with one.
        image: values in [0, 1].
    """
    network: ResNet = model.backbone if isinstance(model, FindingClassifier) else model
    network = in_inference_mode(network)
    x, activations = network.stem(normalise(image[None], network.mean, network.std)), []
    for stage in network.stages:
        for block in stage:
            activations.append(block.act(block.norm1(block.conv1(x))))
            x = block(x)
    return activations


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
    """The map as of a network with one logit z: of z for the finding, of -z for the other class."""

    def head(features: Float[Array, "fh fw f"]) -> Float[Array, " 2"]:
        logits = parts.head(features)
        return logits - logits[::-1]

    return grad_cam(Parts(parts.features, head), image, decision(head(parts.features(image))))


@dataclass(frozen=True)
class _Deletion:
    problem: MaskProblem

    def __call__(self, classifier: Classifier, image: Image) -> Problem:
        return self.problem(score_of_decision(classifier, image), image)

    def finish(self, classifier: Classifier, image: Image, result: Result) -> Map:
        del classifier
        return self.problem.coverage(result.solution, (image.shape[0], image.shape[1]))


@dataclass(frozen=True)
class _Perceptual:
    """The search uses Adam: the released L-BFGS without a line search ends higher."""

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
