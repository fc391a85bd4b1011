"""The methods that ``explain`` offers, each as a function of one image, with its price."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int, PRNGKeyArray

from cfx_jax.adapters import Adapted
from cfx_jax.array_types import AnyArray, at_least_float32
from cfx_jax.attributions import (
    grad_cam,
    grad_cam_plus_plus,
    gradient,
    guided_backprop,
    input_x_gradient,
    integrated_gradients_and_residual,
    layer_cam,
    occlusion,
    score_cam,
    smooth_grad,
)
from cfx_jax.counterfactuals import smallest_counterfactual, vce_sweep
from cfx_jax.errors import InputError
from cfx_jax.explain.settings import Settings
from cfx_jax.geometry import lp_norm
from cfx_jax.layer_taps import Tap, Tapped
from cfx_jax.models import guided_classifier
from cfx_jax.objectives import Classifier, class_score, decision

_NO_LAYERS = (
    "layer: expected a model whose layers have names for a class activation map, got {}: give the"
    " model itself to from_torch, from_keras, from_nnx, from_linen or from_equinox, or leave such"
    " methods out"
)
_FOR_ALONE = "red speaks for {prediction}"
"""The caption of maps that are at least 0."""
_VISIBLE = 1 / 255
"""The least change of a pixel that an 8-bit picture can show."""
_AT_ONCE = 5
"""How many copies of an image a map's method computes at once, as ``vce`` has several radii."""


class Example(NamedTuple):
    """An image with all that a method is given beside the settings and the classifier.

    Attributes:
        image: (h, w, c), in [0, 1].
        predicted: the class that the classifier decides on, which maps explain.
        target: the class that counterfactuals are to reach.
        key: draws what is random.
    """

    image: Float[Array, "h w c"]
    predicted: Int[Array, ""]
    target: Int[Array, ""]
    key: PRNGKeyArray


class Sweep(NamedTuple):
    """Pictures on the way from an image to an outcome's own picture, nearest first.

    Attributes:
        pictures: (s, h, w, c), of the same kind as the outcome's own picture, which is not among
            them.
        positions: (s + 1,), the radius or the desired probability of each, the own picture's last.
        probabilities: (s + 1,), of the target class.
    """

    pictures: Float[AnyArray, "s h w c"]
    positions: Float[AnyArray, " s_plus_1"]
    probabilities: Float[AnyArray, " s_plus_1"]


class Outcome(NamedTuple):
    """The result of a method for one image.

    Attributes:
        picture: the counterfactual in [0, 1], or the map; of the image's shape.
        scores: numbers about the picture, by name.
        sweep: what a page's knob turns through; None of a method without one.
    """

    picture: Float[Array, "h w c"]
    scores: dict[str, Float[Array, ""]]
    sweep: Sweep | None = None


@dataclass(frozen=True)
class Method:
    """A method by its name.

    Attributes:
        name: as ``explain(methods=)`` and ``cfx methods`` call it.
        title: as the page calls it.
        is_counterfactual: whether it gives a changed image; else a map.
        summary: one sentence.
        compute: (settings, classifier, example) -> outcome, of one image.
        num_gradients: settings -> how many gradients of the classifier an image costs, about; None
            of a method that needs forward passes alone.
        knob: what the positions of its sweep are called on the page.
        reading: the caption of its map, which says what the colours mean; ``{prediction}`` stands
            for the class.
        needs_layer: whether it reads the feature maps of a layer by name.
    """

    name: str
    title: str
    is_counterfactual: bool
    summary: str
    compute: Callable[[Settings, Classifier, Example], Outcome]
    num_gradients: Callable[[Settings], int | None]
    knob: str = "radius"
    reading: str = "red speaks for {prediction}, blue against it"
    needs_layer: bool = False


def _vce(settings: Settings, classifier: Classifier, example: Example) -> Outcome:
    image, shares = example.image, (*settings.radii, 1.0)
    radii = [share * settings.radius for share in shares]
    answers = vce_sweep(
        example.key,
        classifier,
        image,
        example.target,
        p=settings.p,
        radii=radii,
        num_steps=settings.num_steps,
    )
    pictures = jnp.asarray(answers.image)  # (s + 2, h, w, c), the last from a random start
    changed, again = pictures[-2:]
    scores = change_scores(classifier, example, changed, settings.p)
    scores["repeated"] = _cosine(changed - image, again - image)
    positions = jnp.asarray(radii, image.dtype)
    sweep = Sweep(pictures[:-2], positions, jnp.asarray(answers.probability)[:-1])
    return Outcome(changed, scores, sweep if settings.radii else None)


def _smallest(settings: Settings, classifier: Classifier, example: Example) -> Outcome:
    answer = smallest_counterfactual(
        classifier,
        example.image,
        example.target,
        p=settings.p,
        largest_radius=settings.largest_radius,
        probability=settings.probability,
        num_steps=settings.num_steps,
    )
    radius = jnp.where(answer.reached, answer.radius, jnp.inf)
    changed = jnp.asarray(answer.image)
    scores = change_scores(classifier, example, changed, settings.p)
    return Outcome(changed, scores | {"radius": radius})


def _integrated_gradients(settings: Settings, classifier: Classifier, example: Example) -> Outcome:
    result = integrated_gradients_and_residual(
        class_score(classifier, example.predicted),
        example.image,
        num_steps=settings.num_nodes,
        nodes_per_batch=_AT_ONCE,
    )
    return Outcome(result.map, {"residual": result.residual})


def _gradient(settings: Settings, classifier: Classifier, example: Example) -> Outcome:
    return Outcome(gradient(class_score(classifier, example.predicted), example.image), {})


def _input_x_gradient(settings: Settings, classifier: Classifier, example: Example) -> Outcome:
    score = class_score(classifier, example.predicted)
    return Outcome(input_x_gradient(score, example.image), {})


def _smooth_grad(settings: Settings, classifier: Classifier, example: Example) -> Outcome:
    score = class_score(classifier, example.predicted)

    def slope(image: Float[Array, "h w c"]) -> Float[Array, "h w c"]:
        return jax.grad(score)(image)

    saliency = smooth_grad(
        example.key,
        slope,
        example.image,
        num_samples=settings.num_samples,
        samples_per_batch=_AT_ONCE,
    )
    return Outcome(saliency, {})


def _activation_map(
    method: Callable[..., Float[Array, "h w"]],
    settings: Settings,
    classifier: Classifier,
    example: Example,
) -> Outcome:
    if not isinstance(classifier, Adapted) or settings.layer is None:
        raise InputError(_NO_LAYERS.format(type(classifier).__name__))
    tap = Partial(_of_decision, classifier.tap(settings.layer))
    saliency = method(tap, example.image, example.predicted)
    return Outcome(_on_all_channels(saliency, example.image), {})


def _of_decision(
    tap: Tap, image: Float[Array, "h w c"], shift: Float[Array, "*shape"] | None = None
) -> Tapped:
    """The tap with the log-odds of two classes: the logit of one may be 0 for all images."""
    logits, value = tap(image, shift)
    return Tapped(logits - logits[::-1] if logits.shape == (2,) else logits, value)


def _guided_backprop(settings: Settings, classifier: Classifier, example: Example) -> Outcome:
    view: Classifier = (
        classifier.guided() if isinstance(classifier, Adapted) else guided_classifier(classifier)
    )
    return Outcome(guided_backprop(class_score(view, example.predicted), example.image), {})


def _occlusion(settings: Settings, classifier: Classifier, example: Example) -> Outcome:
    score, image = class_score(classifier, example.predicted), example.image
    window = settings.occlusion_window or max(min(image.shape[:2]) // 8, 1)
    falls = occlusion(score, image, window=window, windows_per_batch=_AT_ONCE)
    return Outcome(_on_all_channels(falls, image), {})


def _on_all_channels(
    saliency: Float[Array, "h w"], image: Float[Array, "h w c"]
) -> Float[Array, "h w c"]:
    """A map without channels as one of the image's shape, with the same sum over channels."""
    return jnp.broadcast_to(saliency[..., None], image.shape) / image.shape[2]


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "vce",
            "Visual counterfactual",
            True,
            "The most confident image of the target class within the radius (Boreiko et al. 2022),"
            " and how much of the change a random start repeats; at smaller radii too, for the knob"
            " of the page.",
            _vce,
            lambda settings: (2 + len(settings.radii)) * (settings.num_steps + 1),
        ),
        Method(
            "smallest",
            "Smallest counterfactual",
            True,
            "The smallest change that lets the target class reach the wanted probability. The price"
            " is of a robust network; a plain one may cost three times as much.",
            _smallest,
            lambda settings: 2 * settings.num_steps,
        ),
        Method(
            "integrated_gradients",
            "Integrated gradients",
            False,
            "The mean gradient on the way from black to the image, times the image (Sundararajan et"
            " al. 2017).",
            _integrated_gradients,
            lambda settings: settings.num_nodes,
        ),
        Method(
            "smooth_grad",
            "SmoothGrad",
            False,
            "The mean gradient of noisy copies of the image (Smilkov et al. 2017).",
            _smooth_grad,
            lambda settings: settings.num_samples,
        ),
        Method(
            "gradient",
            "Gradient",
            False,
            "The derivative of the predicted class's log-odds by each pixel.",
            _gradient,
            lambda settings: 1,
        ),
        Method(
            "input_x_gradient",
            "Input x gradient",
            False,
            "The image times the gradient: what the log-odds of the predicted class lose, to first"
            " order, when a pixel is painted black.",
            _input_x_gradient,
            lambda settings: 1,
        ),
        Method(
            "grad_cam",
            "Grad-CAM",
            False,
            "The feature maps of a layer, each weighted by its mean gradient (Selvaraju et al."
            " 2017): that of the predicted class's logit, of two classes that of the log-odds.",
            partial(_activation_map, grad_cam),
            lambda settings: 1,
            reading=_FOR_ALONE,
            needs_layer=True,
        ),
        Method(
            "grad_cam_plus_plus",
            "Grad-CAM++",
            False,
            "Grad-CAM whose weights favour no large object over small ones (Chattopadhay et al."
            " 2018).",
            partial(_activation_map, grad_cam_plus_plus),
            lambda settings: 1,
            reading=_FOR_ALONE,
            needs_layer=True,
        ),
        Method(
            "layer_cam",
            "LayerCAM",
            False,
            "The feature maps of a layer, each place weighted by its own gradient (Jiang et al."
            " 2021): also for early layers.",
            partial(_activation_map, layer_cam),
            lambda settings: 1,
            reading=_FOR_ALONE,
            needs_layer=True,
        ),
        Method(
            "score_cam",
            "Score-CAM",
            False,
            "The feature maps of a layer, each weighted by the logit of the image that it masks"
            " (Wang et al. 2020): a forward pass for each map.",
            partial(_activation_map, partial(score_cam, channels_per_batch=_AT_ONCE)),
            lambda settings: None,
            reading=_FOR_ALONE,
            needs_layer=True,
        ),
        Method(
            "guided_backprop",
            "Guided backpropagation",
            False,
            "The gradient through ReLUs that pass back only what raises the log-odds (Springenberg"
            " et al. 2015).",
            _guided_backprop,
            lambda settings: 1,
        ),
        Method(
            "occlusion",
            "Occlusion",
            False,
            "The mean fall of the log-odds when a square over the pixel is black (Zeiler and Fergus"
            " 2014): some 200 forward passes.",
            _occlusion,
            lambda settings: None,
        ),
    )
}


def with_layer(
    settings: Settings,
    methods: Sequence[str],
    classifier: Classifier,
    image: Float[Any, "h w c"],
) -> Settings:
    """The settings with the layer that class activation maps read, found where none is named.

    Args:
        settings: of the call.
        methods: names of ``METHODS``.
        classifier: one image -> logits.
        image: one of the images, or anything of its shape and dtype.

    Raises:
        InputError: one of the methods needs a layer, and the classifier has no layers by name, none
            of that name, or none with feature maps.
    """
    asking = [name for name in methods if METHODS[name].needs_layer]
    if not asking:
        return replace(settings, layer=None)
    if not isinstance(classifier, Adapted):
        raise InputError(_NO_LAYERS.format(type(classifier).__name__))
    if settings.layer is None:
        return replace(settings, layer=classifier.last_spatial_layer(image))
    classifier.check_maps(settings.layer, image)
    return settings


def change_scores(
    classifier: Classifier, example: Example, changed: Float[Array, "h w c"], p: float
) -> dict[str, Float[Array, ""]]:
    """The numbers that every counterfactual is told with.

    Args:
        classifier: one image -> logits.
        example: the image and the target.
        changed: the counterfactual.
        p: norm of the distance.

    Returns:
        The target's probability; 1 where the target is decided, else 0; the norm of the change; the
        share of pixels that change visibly.
    """
    change = changed - example.image
    logits = at_least_float32(classifier(changed))
    return {
        "probability": jax.nn.softmax(logits)[example.target],
        "valid": (decision(logits) == example.target).astype(change.dtype),
        "distance": lp_norm(change, p),
        "changed_share": (jnp.abs(change).max(-1) > _VISIBLE).mean(dtype=change.dtype),
    }


def _cosine(first: Float[Array, "h w c"], second: Float[Array, "h w c"]) -> Float[Array, ""]:
    norms = jnp.linalg.norm(first.ravel()) * jnp.linalg.norm(second.ravel())
    return jnp.where(norms > 0, (first * second).sum() / jnp.where(norms > 0, norms, 1), 0)
