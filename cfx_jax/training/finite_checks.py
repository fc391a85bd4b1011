"""Checks that stop a training whose numbers are no longer finite, before they are stored."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from cfx_jax.backend import platform
from cfx_jax.errors import InputError

_ADVICE = (
    "lower the learning rate or check the images and labels, and start again in another workdir"
)


class MetricsWindow:
    """The metrics since the last line written.

    They are fetched one step late, so that the device does not wait for the host.

    Args:
        last_good: returns the phrase that names the last good checkpoint.
    """

    def __init__(self, last_good: Callable[[], str]) -> None:
        self._last_good = last_good
        self._pending: tuple[int, Mapping[str, Array]] | None = None
        self._values: list[dict[str, float]] = []

    def add(self, step: int, metrics: Mapping[str, Array]) -> None:
        """Takes the metrics of a step, and fetches the metrics of the step before.

        Raises:
            InputError: there is no metric called ``loss``, or the loss of the step before is not
                finite.
        """
        if "loss" not in metrics:
            raise InputError(
                f"step: expected a metric called 'loss', got {', '.join(metrics) or 'none'}: return"
                " it"
            )
        self._fetch()
        self._pending = step, metrics

    def latest(self) -> dict[str, float]:
        """Returns the newest metrics that have been fetched."""
        return self._values[-1] if self._values else {}

    def mean(self) -> dict[str, float]:
        """Computes the mean of each metric over the window, and empties the window.

        Raises:
            InputError: the newest loss is not finite.
        """
        self._fetch()
        values, self._values = self._values, []
        return {
            name: math.fsum(value[name] for value in values) / len(values) for name in values[0]
        }

    def _fetch(self) -> None:
        if self._pending is None:
            return
        (step, metrics), self._pending = self._pending, None
        values = {name: float(value) for name, value in jax.device_get(dict(metrics)).items()}
        if not math.isfinite(values["loss"]):
            raise InputError(
                f"the loss of step {step} is {values['loss']}: {self._last_good()}; {_ADVICE}"
            )
        self._values.append(values)


class FiniteGuard:
    """A check of states before they are saved: what was finite at the start must still be.

    Args:
        state: the initial state; a leaf that is not finite there (such as a best value that starts
            at infinity) is not watched.
        last_good: returns the phrase that names the last good checkpoint.
    """

    def __init__(self, state: Any, last_good: Callable[[], str]) -> None:
        self._last_good = last_good
        self._watched = _finite(state)

    def check(self, step: int, state: Any) -> None:
        """Checks the state after ``step`` steps.

        Raises:
            InputError: naming the first leaf with a NaN or infinity.
        """
        now = _finite(state)
        broken = [
            name for name, was_finite in self._watched.items() if was_finite and not now[name]
        ]
        if broken:
            raise InputError(
                f"{broken[0]} is not finite after step {step}: {self._last_good()}; {_ADVICE}"
            )


def _finite(state: Any) -> dict[str, bool]:
    leaves = {
        jax.tree_util.keystr(path): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
        if isinstance(leaf, Array) and jnp.issubdtype(leaf.dtype, jnp.inexact)
    }
    if platform() == "cpu" and jax.process_count() == 1:
        # In the host's memory already: a program of all leaves would take seconds to compile.
        return {name: bool(np.isfinite(np.asarray(leaf)).all()) for name, leaf in leaves.items()}
    flags = np.asarray(_all_finite(list(leaves.values()))) if leaves else np.zeros(0, bool)
    return dict(zip(leaves, flags.tolist(), strict=True))


@jax.jit
def _all_finite(leaves: list[Array]) -> Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves])
