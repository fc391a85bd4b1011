"""Integrated gradients (Sundararajan et al. 2017, "Axiomatic attribution for deep networks", equation 1).

The class released with Boreiko et al. 2022 leaves out the factor ``image - baseline`` and keeps the mean gradient:
``multiply_by_inputs=False``.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from cfx_jax.attributions.gradient import Score
from cfx_jax.backend import scan_unroll
from cfx_jax.checks import check_image, check_num_steps
from cfx_jax.errors import InputError


def integrated_gradients(
    score: Score,
    image: Float[Array, "h w c"],
    *,
    baseline: float | Float[Array, "h w c"] = 0.0,
    num_steps: int = 50,
    nodes_per_batch: int | None = None,
    multiply_by_inputs: bool = True,
) -> Float[Array, "h w c"]:
    """The mean gradient along the straight path from a baseline, times the way (midpoint rule).

    Args:
        score: one image -> scalar.
        image: values in [0, 1].
        baseline: the start of the path, an image or one value for all pixels; 0 is black.
        num_steps: number of nodes on the path, at least 1.
        nodes_per_batch: how many nodes are differentiated at once, which bounds the memory; None takes all.
        multiply_by_inputs: whether the mean gradient is multiplied by the way, ``image - baseline``.

    Returns:
        The signed map; its sum approaches ``score(image) - score(baseline)`` as ``num_steps`` grows. Without the factor
        the mean gradient, of which this holds for the product with the way.

    Raises:
        InputError: no valid image, a baseline of another shape, ``num_steps`` or ``nodes_per_batch`` below 1.
    """
    check_image(image)
    check_num_steps(num_steps)
    if jnp.shape(baseline) not in ((), image.shape):
        raise InputError(f"baseline: expected a number or shape {image.shape}, got shape {jnp.shape(baseline)}")
    if nodes_per_batch is not None and nodes_per_batch < 1:
        raise InputError(f"nodes_per_batch: expected at least 1, got {nodes_per_batch}")
    way = image - baseline
    chunk = min(nodes_per_batch or num_steps, num_steps)
    num_chunks = -(-num_steps // chunk)
    index = jnp.arange(num_chunks * chunk).reshape(num_chunks, chunk)

    def node_gradient(node: Array) -> Float[Array, "h w c"]:
        share = ((node + 0.5) / num_steps).astype(image.dtype)
        return jnp.where(node < num_steps, jax.grad(score)(baseline + share * way), 0)

    def add(total: Float[Array, "h w c"], nodes: Array) -> tuple[Float[Array, "h w c"], None]:
        return total + jax.vmap(node_gradient)(nodes).sum(axis=0), None

    total, _ = lax.scan(add, jnp.zeros_like(image), index, unroll=scan_unroll())
    return (way * total if multiply_by_inputs else total) / num_steps
