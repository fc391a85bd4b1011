"""Functions serialised by ``jax.export`` as classifiers."""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import export
from jax.custom_batching import custom_vmap
from jax.tree_util import Partial, register_static
from jaxtyping import Array, Float

from cfx_jax.adapters.adapted import Adapted
from cfx_jax.adapters.inputs_outputs import Inputs, Outputs
from cfx_jax.errors import InputError, import_extra, reason_of


def from_exported(
    exported: Any, *, inputs: Inputs | None = None, outputs: Outputs | None = None
) -> Adapted:
    """Turns a function that ``jax.export`` has serialised into a classifier.

    Args:
        exported: an ``Exported``, its bytes, or the path of a file with them: images
            ``(n, h, w, c)`` -> values ``(n, k)``, best with a symbolic ``n``; of a fixed one,
            images are filled up with zeros. It needs a derivative: ``serialize(vjp_order=1)``.
        inputs: how it expects its images; None: channels last, values in [0, 1] as they are.
        outputs: what its values mean; None: logits.

    Returns:
        The classifier, image ``(h, w, c)`` -> logits ``(k,)``.

    Raises:
        InputError: bytes of something else, a function of several arguments, one without a
            derivative, or flatbuffers not installed.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jax import export
        >>> from cfx_jax.adapters import from_exported
        >>> shape = export.symbolic_shape("n, 4, 4, 3")
        >>> image = jax.ShapeDtypeStruct(shape, jnp.float32)
        >>> means = export.export(jax.jit(lambda images: images.mean((1, 2))))(image)
        >>> from_exported(bytes(means.serialize(vjp_order=1)))(jnp.ones((4, 4, 3))).shape
        (3,)
    """
    if isinstance(exported, (str, Path)):
        exported = _read(Path(exported))
    if isinstance(exported, (bytes, bytearray)):
        exported = _deserialise(bytearray(exported), "exported")
    if not isinstance(exported, export.Exported):
        raise InputError(
            f"exported: expected an Exported, its bytes or a path, got {type(exported).__name__}"
        )
    if len(exported.in_avals) != 1 or len(exported.out_avals) != 1:
        raise InputError(
            "exported: expected a function of images alone that gives one array, got"
            f" {len(exported.in_avals)} arguments and {len(exported.out_avals)} results"
        )
    if not exported.has_vjp():
        raise InputError(
            "exported: expected a function with its derivative, got one without: serialise it with"
            " serialize(vjp_order=1)"
        )
    batched = Partial(_values, _Exported(exported))
    return Adapted(batched, inputs or Inputs(), outputs or Outputs())


def _read(path: Path) -> export.Exported:
    try:
        content = bytearray(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: expected a file of jax.export: {error.strerror}") from error
    return _deserialise(content, str(path))


def _deserialise(content: bytearray, name: str) -> export.Exported:
    import_extra("flatbuffers", "functions of jax.export")
    try:
        return export.deserialize(content)
    except Exception as error:  # whatever JAX raises of other bytes
        raise InputError(
            f"{name}: expected bytes of jax.export, got: {reason_of(error)}"
        ) from error


@register_static
class _Exported:
    """A function with its derivative; equal to itself alone."""

    def __init__(self, exported: export.Exported) -> None:
        self.function, self.derivative = exported.call, exported.vjp().call
        size = exported.in_avals[0].shape[0]
        self.batch_size = size if isinstance(size, int) else None


def _values(network: _Exported, images: Float[Array, "n h w c"]) -> Float[Array, "n k"]:
    """A function by name: unlike a ``custom_vjp``, it is known to equal itself in later calls."""
    return _call(network, images)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _call(network: _Exported, images: Float[Array, "n h w c"]) -> Float[Array, "n k"]:
    return _batched(network, network.function)(images)


def _call_forward(
    network: _Exported, images: Float[Array, "n h w c"]
) -> tuple[Float[Array, "n k"], Float[Array, "n h w c"]]:
    return _call(network, images), images


def _call_backward(
    network: _Exported, images: Float[Array, "n h w c"], weights: Float[Array, "n k"]
) -> tuple[Float[Array, "n h w c"]]:
    def gradient(images: Array, weights: Array) -> Array:
        return network.derivative(images, weights)[0]

    return (_batched(network, gradient)(images, weights),)


_call.defvjp(_call_forward, _call_backward)


def _batched(network: _Exported, function: Any) -> Any:
    """The function under ``vmap``: an exported one has no rule for it, but its own batch axis."""

    @custom_vmap
    def run(*arrays: Array) -> Array:
        return _filled_up(network, function, arrays)

    @run.def_vmap
    def fold(size: int, is_batched: list[bool], *arrays: Array) -> tuple[Array, bool]:
        broadcast = [
            array if batched else jnp.broadcast_to(array, (size, *array.shape))
            for array, batched in zip(arrays, is_batched, strict=True)
        ]
        # (size, n, ...) -> (size * n, ...): two batch axes are one
        values = run(*(array.reshape(-1, *array.shape[2:]) for array in broadcast))
        return values.reshape(size, -1, *values.shape[1:]), True

    return run


def _filled_up(network: _Exported, function: Any, arrays: tuple[Array, ...]) -> Array:
    size, count = network.batch_size, len(arrays[0])
    if size is None or size == count:
        return function(*arrays)
    pad = -count % size
    filled = [jnp.pad(array, [(0, pad)] + [(0, 0)] * (array.ndim - 1)) for array in arrays]
    parts = [array.reshape(-1, size, *array.shape[1:]) for array in filled]
    values = jax.lax.map(lambda part: function(*part), tuple(parts))
    return values.reshape(-1, *values.shape[2:])[:count]
