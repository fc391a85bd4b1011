"""The random map, which every explanation has to beat."""

import jax
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from cfx_jax.checks import check_image_or_volume, check_key


def random_map(key: PRNGKeyArray, image: Float[Array, "*s h w c"]) -> Float[Array, "*s h w c"]:
    """Independent uniform values in [0, 1): every order of the pixels is equally likely.

    Args:
        key: source of randomness, one for each image.
        image: an image, or a volume ``(s, h, w, c)``; values in [0, 1]; only its shape and dtype
            count.

    Returns:
        The map, of the image's shape.

    Raises:
        InputError: no valid image or volume.

    Example:
        >>> random_map(jax.random.key(0), jnp.zeros((4, 4, 1))).shape
        (4, 4, 1)
    """
    check_image_or_volume(image)
    check_key(key)
    # Drawn flat: the same numbers, compiled in half the time.
    return jax.random.uniform(key, (image.size,), image.dtype).reshape(image.shape)
