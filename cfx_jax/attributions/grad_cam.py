"""Weighted sums of feature maps: Grad-CAM and Grad-CAM++.

Selvaraju et al. 2017 and Chattopadhay et al. 2018.

Both see the classifier in two parts; ``models.parts(model)`` gives those of a network of this
library. Of two classes explain the predicted one: the logit of the other class falls with what
the network has seen, and its map may be empty.

Deviation: Grad-CAM++ counts a channel's sum as at least 0. After a ReLU, as published, it is; of
other activations the formula would divide by zero or a negative number.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int

from cfx_jax.callables import shape_of
from cfx_jax.checks import check_callable, check_image, check_target, num_classes
from cfx_jax.errors import InputError
from cfx_jax.maps import upsample
from cfx_jax.objectives import value_of_class
from cfx_jax.programs import compiled

Features = Callable[[Float[Array, "h w c"]], Float[Array, "fh fw f"]]
Head = Callable[[Float[Array, "fh fw f"]], Float[Array, " k"]]


def grad_cam(
    features: Features, head: Head, image: Float[Array, "h w c"], target: int | Int[Array, ""]
) -> Float[Array, "h w"]:
    """The positive part of the weighted sum of feature maps (Grad-CAM).

    The weight of a map is the mean gradient of the target's logit by it.

    Args:
        features: one image -> feature maps ``(fh, fw, f)``, usually of the last convolution, no
            larger than the image.
        head: feature maps -> logits ``(k,)``.
        image: values in [0, 1].
        target: the class to explain; may be traced.

    Returns:
        A map without channels, at least 0, upsampled to the image's size.

    Raises:
        InputError: no valid image, features that are no maps of one image, a head without logits, a
            target that is no class.

    Example:
        >>> features = lambda image: image[::2, ::2]  # (4, 4, 1) -> maps (2, 2, 1)
        >>> head = lambda maps: jnp.stack([-maps.sum(), maps.sum()])
        >>> saliency = grad_cam(features, head, jnp.full((4, 4, 1), 0.5), 1)
        >>> saliency.shape, float(saliency[0, 0])
        ((4, 4), 0.5)
    """
    check_parts(features, head, image, target)
    return compiled(_grad_cam, features, head, jnp.asarray(image), jnp.asarray(target))


def _grad_cam(
    features: Features, head: Head, image: Float[Array, "h w c"], target: Int[Array, ""]
) -> Float[Array, "h w"]:
    maps = features(image)
    return class_activation_map(
        maps, _gradient_by_maps(head, maps, target).mean(axis=(0, 1)), image.shape[:2]
    )


def grad_cam_plus_plus(
    features: Features, head: Head, image: Float[Array, "h w c"], target: int | Int[Array, ""]
) -> Float[Array, "h w"]:
    """Grad-CAM whose weights count each positive gradient g by ``g^2 / (2 g^2 + sum(maps) g^3)``.

    For several objects of one class, of which Grad-CAM favours the largest. Published for the
    exponential of the logit, by which the ratio of g^2 and g^3 follows from the gradient alone.
    Arguments and errors as ``grad_cam``.

    Example:
        >>> features = lambda image: image[::2, ::2]  # (4, 4, 1) -> maps (2, 2, 1)
        >>> head = lambda maps: jnp.stack([-maps.sum(), maps.sum()])
        >>> saliency = grad_cam_plus_plus(features, head, jnp.full((4, 4, 1), 0.5), 1)
        >>> saliency.shape, float(saliency[0, 0])
        ((4, 4), 0.5)
    """
    check_parts(features, head, image, target)
    return compiled(_grad_cam_plus_plus, features, head, jnp.asarray(image), jnp.asarray(target))


def _grad_cam_plus_plus(
    features: Features, head: Head, image: Float[Array, "h w c"], target: Int[Array, ""]
) -> Float[Array, "h w"]:
    maps = features(image)
    positive = jax.nn.relu(_gradient_by_maps(head, maps, target))
    # The published product with g, cancelled: no cube that could underflow, and 0 where the
    # gradient is.
    weights = positive / (2 + jax.nn.relu(maps.sum(axis=(0, 1))) * positive)
    return class_activation_map(maps, weights.sum(axis=(0, 1)), image.shape[:2])


def class_activation_map(
    maps: Float[Array, "fh fw f"], weights: Float[Array, " f"], size: tuple[int, ...]
) -> Float[Array, "h w"]:
    """The positive part of the weighted sum of feature maps, upsampled to ``size``."""
    return upsample(jax.nn.relu(jnp.matmul(maps, weights, precision=lax.Precision.HIGHEST)), size)


def check_parts(
    features: Features, head: Head, image: Float[Array, "h w c"], target: int | Int[Array, ""]
) -> None:
    """Checks an image, the two parts of a classifier and a target.

    Raises:
        InputError: naming what is wrong.
    """
    check_image(image)
    check_callable(features, name="features", gives="one image -> feature maps")
    check_callable(head, name="head", gives="feature maps -> logits")
    shape: tuple[int, ...] = getattr(shape_of(features, image), "shape", ())
    if len(shape) != 3 or shape[0] > image.shape[0] or shape[1] > image.shape[1]:
        raise InputError(
            f"features: expected one image {image.shape} -> maps (fh, fw, f) no larger than it, got"
            f" {shape}: models.parts gives those of a batched model"
        )
    check_target(target, num_classes(lambda x: head(features(x)), image))


def _gradient_by_maps(
    head: Head, maps: Float[Array, "fh fw f"], target: int | Int[Array, ""]
) -> Float[Array, "fh fw f"]:
    return jax.grad(lambda maps: value_of_class(head(maps), target))(maps)
