"""A network that computes in another number type than its weights have."""

from typing import Any, Literal, TypeVar, get_args

import jax
import jax.numpy as jnp
from flax import nnx

from cfx_jax.array_types import at_least_float32
from cfx_jax.checks import check_array, check_choice
from cfx_jax.errors import InputError

Model = TypeVar("Model", bound=nnx.Module)

ComputeDtype = Literal["float32", "bfloat16"]
"""The number type in which the layers of a network compute."""


def computing_in(model: Model, dtype: ComputeDtype) -> Model:
    """Returns a view of a model whose layers compute in a number type.

    In bfloat16 maps take half the memory, and accelerators multiply several times faster; it has 8
    significant bits. The model still takes float32 images. Weights, their gradients, the statistics
    of norms, the last layer of the networks here, and so logits and images, stay float32. Source:
    Kalamkar et al. 2019, "A Study of BFLOAT16 for Deep Learning Training".

    Args:
        model: an NNX module in any mode; layers of your own take part if they have the attribute
            ``dtype``, as Flax's have. A last layer made with ``promote_dtype=models.layers.widest``
            stays float32.
        dtype: ``"bfloat16"``, or ``"float32"``, which lets each layer follow its input and weights.

    Returns:
        The view, of the same class, which shares the weights.

    Raises:
        InputError: an unknown type, or a model none of whose layers has the attribute ``dtype``.

    >>> from cfx_jax.models import resnet_small
    >>> model = computing_in(resnet_small(num_classes=2, rngs=nnx.Rngs(0)), "bfloat16")
    >>> images = jnp.zeros((1, 32, 32, 3))
    >>> shapes = nnx.eval_shape(lambda model, x: (model.features(x), model(x)), model, images)
    >>> [shape.dtype.name for shape in shapes]
    ['bfloat16', 'float32']
    """
    check_choice(dtype, get_args(ComputeDtype), name="compute_dtype")
    try:
        return nnx.with_attributes(model, dtype=jnp.bfloat16 if dtype == "bfloat16" else None)
    except ValueError:
        raise InputError(
            f"compute_dtype: expected a network whose layers have the attribute dtype, as Flax's"
            f" have, got {type(model).__name__}, which has none: leave it float32"
        ) from None


def leaves_at_least_float32(tree: Any) -> Any:
    """A pytree whose floating-point arrays are in float32 where they are of a shorter type.

    What leaves a network between its layers, such as feature maps and latents, is explained and
    searched in float32, whatever the network computes in. ``array_types.at_least_float32`` does the
    same with one array.

    Args:
        tree: arrays of any types; integers and booleans stay as they are.

    >>> leaves_at_least_float32({"maps": jnp.ones(1, jnp.bfloat16)})["maps"].dtype.name
    'float32'
    """

    def widened(array: Any) -> Any:
        check_array(array, name="tree")
        is_number = jnp.issubdtype(array.dtype, jnp.floating)
        return at_least_float32(array) if is_number else array

    return jax.tree.map(widened, tree)
