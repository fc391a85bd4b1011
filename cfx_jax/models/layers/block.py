"""Parts of networks whose inner maps can be computed once more instead of being kept.

The gradient of a network needs the maps of all layers, which is most of the memory of a training.
A block with ``remat`` (rematerialisation: Chen et al. 2016, "Training Deep Nets with Sublinear
Memory Cost") keeps its input alone, and computes what is inside once more when the gradient comes
back: about a third more work.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx


class Block(nnx.Module):
    """A module that keeps its input alone for the gradient, where its attribute ``remat`` is True.

    Values and gradients are the same either way. ``models.views.with_remat`` sets the attribute for
    all blocks of a network. A subclass writes ``__call__`` as any module does; its arguments are
    arrays.
    """

    remat = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__call__" in vars(cls):
            setattr(cls, "__call__", _recomputing(vars(cls)["__call__"]))  # noqa: B010


def _recomputing(call: Callable[..., Any]) -> Callable[..., Any]:
    """The call of a block, which keeps no inner maps where the block says so."""

    @functools.wraps(call)
    def run(self: Block, *args: Any) -> Any:
        if not self.remat:
            return call(self, *args)
        graphdef, variables = nnx.split(self)

        def compute(variables: Any, *args: Any) -> tuple[Any, Any]:
            block = nnx.merge(graphdef, variables)
            before = _values(block)
            result = call(block, *args)
            # What it has replaced, such as running averages in training. The others stay untouched:
            # a block may be called inside of vmap with weights from outside.
            moved = {p: v for p, v in _values(block).items() if v is not before[p]}
            return result, moved

        result, moved = jax.checkpoint(compute)(variables, *args)
        if moved:
            nnx.update(self, nnx.from_flat_state(moved))
        return result

    return run


def _values(block: Block) -> dict[Any, Any]:
    """The arrays of all variables of a block, by their paths."""
    flat = nnx.to_flat_state(nnx.state(block))
    return {path: variable.get_raw_value() for path, variable in flat}
