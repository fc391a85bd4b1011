"""What depends on the machine that JAX runs on."""

import jax


def scan_unroll() -> bool | int:
    """The ``unroll`` of a ``lax.scan`` whose body differentiates a convolution.

    On a CPU the gradient of a convolution inside a compiled loop runs about ten times slower than outside, so short
    loops are unrolled whole (True); elsewhere they stay loops (1).
    """
    return True if jax.default_backend() == "cpu" else 1


def depthwise_as_products() -> bool:
    """Whether a depthwise convolution runs as a sum of products rather than as a grouped convolution.

    On a CPU the grouped one is ten to forty times slower; elsewhere it is the vendor's own.
    """
    return jax.default_backend() == "cpu"
