"""Arrays of a model that no training moves, told apart from its parameters."""

from dataclasses import dataclass
from typing import Any

import jax


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Fixed:
    """Arrays that stay in a training, such as the statistics of batch norms; a pytree.

    Attributes:
        tree: the arrays.
    """

    tree: Any
