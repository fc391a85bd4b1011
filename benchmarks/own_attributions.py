"""Our explanations of one image by a network, for ``benchmarks.attributions``."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from jax import Array

from cfx_jax import attributions
from cfx_jax.models import guided, parts, per_image
from cfx_jax.objectives import class_score

Explain = Callable[[Any, Array, Array, Array], Any]
"""(model, key, image, target) -> map of one image."""


def explanations(*, num_steps: int, nodes_per_batch: int, sigma: float) -> dict[str, Explain]:
    """The methods by name; the first is one value and gradient.

    Args:
        num_steps: nodes of a path, samples of SmoothGrad.
        nodes_per_batch: how many of them are differentiated at once.
        sigma: standard deviation of SmoothGrad's noise.
    """
    nodes: dict[str, Any] = {"num_steps": num_steps, "nodes_per_batch": nodes_per_batch}
    samples: dict[str, Any] = {"num_samples": num_steps, "samples_per_batch": nodes_per_batch}

    def score(model: Any, target: Array) -> Callable[[Array], Array]:
        return class_score(per_image(model), target, of="logit")

    def smooth_grad(model: Any, key: Array, image: Array, target: Array) -> Array:
        slope = partial(attributions.gradient, score(model, target))
        return attributions.smooth_grad(key, slope, image, sigma=sigma, **samples)

    def along(model: Any, key: Array, image: Array, target: Array) -> Array:
        ends = image - 0.5, image + 0.5
        return attributions.path_attribution_along(
            score(model, target), jax.nn.sigmoid, *ends, **nodes
        ).map

    return {
        "value_and_gradient": lambda model, _, image, target: jax.value_and_grad(
            score(model, target)
        )(image),
        "gradient": lambda model, _, image, target: attributions.gradient(
            score(model, target), image
        ),
        "input_x_gradient": lambda model, _, image, target: attributions.input_x_gradient(
            score(model, target), image
        ),
        "guided_backprop": lambda model, _, image, target: attributions.guided_backprop(
            score(guided(model), target), image
        ),
        "smooth_grad": smooth_grad,
        "integrated_gradients": lambda model, _, image, target: attributions.integrated_gradients(
            score(model, target), image, **nodes
        ),
        "path_attribution": lambda model, _, image, target: (
            attributions.path_attribution(score(model, target), image, 1 - image, **nodes).map
        ),
        "path_attribution_along": along,
        "grad_cam": lambda model, _, image, target: attributions.grad_cam(
            parts(model), image, target
        ),
        "grad_cam_plus_plus": lambda model, _, image, target: attributions.grad_cam_plus_plus(
            parts(model), image, target
        ),
        "score_cam": lambda model, _, image, target: attributions.score_cam(
            parts(model), image, target
        ),
    }
