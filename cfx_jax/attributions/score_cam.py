"""Score-CAM: feature maps weighted by the scores of masked images.

Wang et al. 2020, "Score-CAM: score-weighted visual explanations for convolutional neural networks".
"""

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int

from cfx_jax.attributions.grad_cam import class_activation_map
from cfx_jax.checks import check_count
from cfx_jax.compilation import compiled
from cfx_jax.layer_taps import Tap, check_tap
from cfx_jax.maps import min_max, upsample
from cfx_jax.objectives import value_of_class


def score_cam(
    tap: Tap,
    image: Float[Array, "h w c"],
    target: int | Int[Array, ""],
    *,
    channels_per_batch: int | None = 32,
) -> Float[Array, "h w"]:
    """The positive part of the weighted sum of feature maps (Score-CAM).

    Each map is upsampled, rescaled to [0, 1] and multiplied with the image. The weights are the
    softmax, over channels, of the target's logits of these masked images. There is no gradient, but
    a forward pass for each channel. A constant map becomes 0 and masks the whole image.

    Args:
        tap: a classifier of one image that shows feature maps ``(fh, fw, f)``, usually of the last
            convolution, no larger than the image.
        image: values in [0, 1].
        target: the class to explain; may be traced.
        channels_per_batch: how many masked images are classified at once, which bounds the memory;
            None takes all.

    Returns:
        A map without channels, at least 0, upsampled to the image's size.

    Raises:
        InputError: no valid image, a layer that has no maps of one image, no logits, a target that
            is no class, ``channels_per_batch`` below 1.

    Example:
        >>> from cfx_jax.layer_taps import Parts
        >>> features = lambda image: image[::2, ::2]  # (4, 4, 1) -> maps (2, 2, 1)
        >>> head = lambda maps: jnp.stack([-maps.sum(), maps.sum()])
        >>> saliency = score_cam(Parts(features, head), jnp.full((4, 4, 1), 0.5), 1)
        >>> saliency.shape, float(saliency[0, 0])
        ((4, 4), 0.5)
    """
    check_tap(tap, image, target)
    check_count(channels_per_batch, name="channels_per_batch", or_none=True)
    return compiled(
        _weighted_maps,
        tap,
        image,
        jnp.asarray(target),
        channels_per_batch=channels_per_batch,
    )


def _weighted_maps(
    tap: Tap,
    image: Float[Array, "h w c"],
    target: Int[Array, ""],
    *,
    channels_per_batch: int | None,
) -> Float[Array, "h w"]:
    maps = tap(image).value

    def logit(channel: Float[Array, "fh fw"]) -> Float[Array, ""]:
        mask = min_max(upsample(channel, image.shape[:2]))[..., None]  # (h, w, 1)
        return value_of_class(tap(mask * image).logits, target)

    num_channels = maps.shape[-1]
    batch_size = min(channels_per_batch or num_channels, num_channels)
    logits = lax.map(logit, jnp.moveaxis(maps, -1, 0), batch_size=batch_size)
    return class_activation_map(maps, jax.nn.softmax(logits), image.shape[:2])
