"""The random map, which every explanation has to beat."""

import jax
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from cfx_jax.checks import check_image


def random_map(key: PRNGKeyArray, image: Float[Array, "h w c"]) -> Float[Array, "h w c"]:
    """Independent uniform values in [0, 1): every order of the pixels is equally likely.

    Args:
        key: source of randomness, one for each image.
        image: values in [0, 1]; only its shape and dtype count.

    Returns:
        The map, of the image's shape.

    Raises:
        InputError: the image is not one float image with values in [0, 1].
    """
    check_image(image)
    return jax.random.uniform(key, image.shape, image.dtype)
