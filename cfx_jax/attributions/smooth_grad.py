"""SmoothGrad (Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise")."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from cfx_jax.attributions.bounded_memory_sum import sum_over
from cfx_jax.checks import (
    check_callable,
    check_count,
    check_image_or_volume,
    check_key,
    check_positive,
)

Attribution = Callable[[Float[Array, "*s h w c"]], Float[Array, "*map"]]


def smooth_grad(
    key: PRNGKeyArray,
    attribution: Attribution,
    image: Float[Array, "*s h w c"],
    *,
    num_samples: int = 50,
    sigma: float | Float[Array, ""] = 0.15,
    samples_per_batch: int | None = None,
) -> Float[Array, "*map"]:
    """The mean of an attribution over noisy copies of the image.

    With the gradient it is the published method: an estimate of the gradient of the score blurred
    by the noise. The noisy copies are not clipped, as published, so the score sees values a little
    outside [0, 1].

    Args:
        key: source of the noise; sample i depends on the key and i only.
        attribution: one image, or volume, -> map, such as ``lambda x: gradient(score, x)``; any
            attribution that accepts values outside [0, 1] will do.
        image: an image, or a volume ``(s, h, w, c)``; values in [0, 1].
        num_samples: number of noisy copies, at least 1.
        sigma: standard deviation of the Gaussian noise, above 0, in the units of the image; the
            paper advises 10 to 20 % of the range of values.
        samples_per_batch: how many samples are attributed at once, which bounds the memory; None
            takes all.

    Returns:
        The mean map, signed where the attribution is.

    Raises:
        InputError: no valid image or volume, a key that is none, an attribution that is no
            callable, ``num_samples`` or ``samples_per_batch`` below 1, sigma not above 0.

    Example:
        >>> image = jnp.full((2, 2, 1), 0.5)
        >>> saliency = smooth_grad(
        ...     jax.random.key(0), lambda x: gradient(jnp.sum, x), image, num_samples=4
        ... )
        >>> saliency[..., 0].tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    check_image_or_volume(image)
    check_key(key)
    check_callable(attribution, name="attribution", gives="one image -> map")
    check_count(num_samples, name="num_samples")
    check_count(samples_per_batch, name="samples_per_batch", or_none=True)
    check_positive(sigma, name="sigma")
    image, sigma = jnp.asarray(image), jnp.asarray(sigma, image.dtype)

    def sample(index: Array) -> Float[Array, "*map"]:
        # Drawn flat: the same numbers, compiled in half the time.
        noise = jax.random.normal(
            jax.random.fold_in(key, index), (image.size,), image.dtype
        ).reshape(image.shape)
        return attribution(image + sigma * noise)

    return sum_over(sample, num_samples, per_batch=samples_per_batch) / num_samples
