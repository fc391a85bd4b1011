"""What depends on the machine that JAX runs on."""

import jax


def scan_unroll() -> bool | int:
    """The ``unroll`` of a ``lax.scan`` whose body differentiates a convolution.

    On a CPU the gradient of a convolution inside a compiled loop runs about ten times slower than outside, so short
    loops are unrolled whole (True); elsewhere they stay loops (1).
    """
    return True if jax.default_backend() == "cpu" else 1
