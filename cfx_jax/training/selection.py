"""Selection of the state that did best on the validation set."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError

Ties = Literal["earlier", "later"]


def copy_state(state: Any) -> Any:
    """Copies a state to device arrays, which stay when the original is donated.

    No copy has a weak type.
    """

    def copy(leaf: Any) -> Array:
        if not isinstance(leaf, Array):
            return jnp.asarray(np.asarray(leaf))
        return (
            lax.convert_element_type(leaf, leaf.dtype)
            if jax.typeof(leaf).weak_type
            else leaf.copy()
        )

    return jax.tree.map(copy, state)


class Selection:
    """The best state so far by one metric.

    Args:
        metric: its name, higher is better; None selects nothing.
        ties: which of two states with the same value is kept.

    Attributes:
        best: a copy of the best state, None before the first evaluation.
        value: its metric, None before the first evaluation.

    Raises:
        InputError: another word for ``ties``.
    """

    def __init__(self, metric: str | None, *, ties: Ties) -> None:
        check_choice(ties, ("earlier", "later"), name="ties")
        self._metric, self._ties = metric, ties
        self.best: Any = None
        self.value: float | None = None

    def resume(self, best: Any, value: float | None) -> None:
        """Takes the best state and its value from a checkpoint."""
        self.best, self.value = best, value

    def consider(self, step: int, state: Any, metrics: Mapping[str, float]) -> None:
        """Keeps a copy of ``state`` if it is better than the best so far.

        A state as good replaces the best one where later ones win ties.

        Raises:
            InputError: ``metrics`` lacks the metric, or it is NaN.
        """
        if self._metric is None:
            return
        if self._metric not in metrics:
            raise InputError(f"select: expected one of {', '.join(metrics)}, got {self._metric!r}")
        value = metrics[self._metric]
        if math.isnan(value):
            raise InputError(
                f"{self._metric} is not a number at step {step}: nothing can be selected by it"
            )
        if (
            self.value is None
            or value > self.value
            or (value == self.value and self._ties == "later")
        ):
            self.best, self.value = copy_state(state), value
