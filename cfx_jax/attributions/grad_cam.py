"""Weighted sums of feature maps: Grad-CAM, Grad-CAM++ and LayerCAM.

Selvaraju et al. 2017, Chattopadhay et al. 2018, and Jiang et al. 2021 ("LayerCAM: exploring
hierarchical class activation maps for localization").

All see a layer of the classifier through a tap (``layer_taps``): ``models.parts(model)`` makes one
of a network of this library, ``classifier.tap(name)`` one of a layer of a model from ``adapters``.
Of two classes explain the predicted one: the logit of the other class falls with what the network
has seen, and its map may be empty.

Deviation: Grad-CAM++ counts a channel's sum as at least 0. After a ReLU, as published, it is; of
other activations the formula would divide by zero or a negative number.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int

from cfx_jax.compilation import compiled
from cfx_jax.layer_taps import Tap, check_tap, value_and_slope
from cfx_jax.maps import upsample


def grad_cam(
    tap: Tap, image: Float[Array, "h w c"], target: int | Int[Array, ""]
) -> Float[Array, "h w"]:
    """The positive part of the weighted sum of feature maps (Grad-CAM).

    The weight of a map is the mean gradient of the target's logit by it.

    Args:
        tap: a classifier of one image that shows feature maps ``(fh, fw, f)``, usually of the last
            convolution, no larger than the image.
        image: values in [0, 1].
        target: the class to explain; may be traced.

    Returns:
        A map without channels, at least 0, upsampled to the image's size.

    Raises:
        InputError: no valid image, a layer that has no maps of one image, no logits, a target that
            is no class.

    Example:
        >>> from cfx_jax.layer_taps import Parts
        >>> features = lambda image: image[::2, ::2]  # (4, 4, 1) -> maps (2, 2, 1)
        >>> head = lambda maps: jnp.stack([-maps.sum(), maps.sum()])
        >>> saliency = grad_cam(Parts(features, head), jnp.full((4, 4, 1), 0.5), 1)
        >>> saliency.shape, float(saliency[0, 0])
        ((4, 4), 0.5)
    """
    check_tap(tap, image, target)
    return compiled(_grad_cam, tap, jnp.asarray(image), jnp.asarray(target))


def _grad_cam(
    tap: Tap, image: Float[Array, "h w c"], target: Int[Array, ""]
) -> Float[Array, "h w"]:
    maps, slope = value_and_slope(tap, image, target)
    return class_activation_map(maps, slope.mean(axis=(0, 1)), image.shape[:2])


def grad_cam_plus_plus(
    tap: Tap, image: Float[Array, "h w c"], target: int | Int[Array, ""]
) -> Float[Array, "h w"]:
    """Grad-CAM whose weights count each positive gradient g by ``g^2 / (2 g^2 + sum(maps) g^3)``.

    For several objects of one class: Grad-CAM favours the largest of them. Published for the
    exponential of the logit, by which the ratio of g^2 and g^3 follows from the gradient alone.
    Arguments and errors as ``grad_cam``.

    Example:
        >>> from cfx_jax.layer_taps import Parts
        >>> features = lambda image: image[::2, ::2]  # (4, 4, 1) -> maps (2, 2, 1)
        >>> head = lambda maps: jnp.stack([-maps.sum(), maps.sum()])
        >>> saliency = grad_cam_plus_plus(Parts(features, head), jnp.full((4, 4, 1), 0.5), 1)
        >>> saliency.shape, float(saliency[0, 0])
        ((4, 4), 0.5)
    """
    check_tap(tap, image, target)
    return compiled(_grad_cam_plus_plus, tap, jnp.asarray(image), jnp.asarray(target))


def _grad_cam_plus_plus(
    tap: Tap, image: Float[Array, "h w c"], target: Int[Array, ""]
) -> Float[Array, "h w"]:
    maps, slope = value_and_slope(tap, image, target)
    positive = jax.nn.relu(slope)
    # The published product with g, cancelled: no cube that could underflow, and 0 where the
    # gradient is.
    weights = positive / (2 + jax.nn.relu(maps.sum(axis=(0, 1))) * positive)
    return class_activation_map(maps, weights.sum(axis=(0, 1)), image.shape[:2])


def layer_cam(
    tap: Tap, image: Float[Array, "h w c"], target: int | Int[Array, ""]
) -> Float[Array, "h w"]:
    """The positive part of the sum of feature maps, each position weighted by its own gradient.

    The weight of a value is the positive part of the gradient of the target's logit by it (Jiang et
    al. 2021, equations 6 and 7). So early layers, whose maps are fine, show the places that count.
    Arguments and errors as ``grad_cam``. Deviation: where the paper joins maps of several layers,
    it scales the maps of early layers by tanh; this is the map of one layer, unscaled.

    Example:
        >>> from cfx_jax.layer_taps import Parts
        >>> features = lambda image: image[::2, ::2]  # (4, 4, 1) -> maps (2, 2, 1)
        >>> head = lambda maps: jnp.stack([-maps.sum(), 2 * maps[0].sum()])
        >>> layer_cam(Parts(features, head), jnp.full((4, 4, 1), 0.5), 1)[:, 0].tolist()
        [1.0, 0.75, 0.25, 0.0]
    """
    check_tap(tap, image, target)
    return compiled(_layer_cam, tap, jnp.asarray(image), jnp.asarray(target))


def _layer_cam(
    tap: Tap, image: Float[Array, "h w c"], target: Int[Array, ""]
) -> Float[Array, "h w"]:
    maps, slope = value_and_slope(tap, image, target)
    coarse = (jax.nn.relu(slope) * maps).sum(axis=-1)
    return upsample(jax.nn.relu(coarse), image.shape[:2])


def class_activation_map(
    maps: Float[Array, "fh fw f"], weights: Float[Array, " f"], size: tuple[int, ...]
) -> Float[Array, "h w"]:
    """The positive part of the weighted sum of feature maps, upsampled to ``size``."""
    return upsample(jax.nn.relu(jnp.matmul(maps, weights, precision=lax.Precision.HIGHEST)), size)
