"""The saliency map of a visual counterfactual (Boreiko et al. 2022, section 2.4)."""

from jaxtyping import Float

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import check_array
from cfx_jax.errors import InputError


def vce_saliency(
    image: Float[AnyArray, "*batch h w c"], counterfactual: Float[AnyArray, "*batch h w c"]
) -> Float[AnyArray, "*batch h w c"]:
    """The signed change ``counterfactual - image``.

    The paper's map is the absolute value summed over channels: ``maps.channel_sum`` of this.

    Args:
        image: the original, values in [0, 1].
        counterfactual: the changed image, of the same shape.

    Raises:
        InputError: the shapes differ.

    Example:
        >>> image, counterfactual = jnp.full((1, 2, 1), 0.5), jnp.array([[0.25, 1.0]])[..., None]
        >>> vce_saliency(image, counterfactual)[..., 0].tolist()
        [[-0.25, 0.5]]
    """
    check_array(image, name="image")
    check_array(counterfactual, name="counterfactual")
    if image.shape != counterfactual.shape:
        raise InputError(
            f"counterfactual: expected the image's shape {image.shape}, got {counterfactual.shape}"
        )
    return counterfactual - image
