"""The kinds of arrays that functions take."""

from typing import TypeAlias

import jax
import numpy as np

AnyArray: TypeAlias = jax.Array | np.ndarray
"""A JAX array or a NumPy array: what functions outside of ``jit`` take and give."""
