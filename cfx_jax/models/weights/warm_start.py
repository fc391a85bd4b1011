"""A model that starts from the weights of another model, where the two have parts in common.

Fontanella et al. 2023, "ACAT: Adversarial Counterfactual Attention for Classification and Detection
in Medical Imaging", appendix C: ACAT and its competitors start from the weights of the baseline.
"""

from collections.abc import Collection, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import jax.numpy as jnp
from flax import nnx

from cfx_jax.checks import check_type
from cfx_jax.errors import InputError

Model = TypeVar("Model", bound=nnx.Module)


class WarmStart(NamedTuple, Generic[Model]):
    """A model with the weights of another model, and the arrays that the two do not share.

    Attributes:
        model: the model.
        fresh: names of its parameters and batch statistics that are as they were, such as
            ``"fusion.weights.kernel"``: the source has none of this name, or they were skipped.
        unused: the names of the source's parameters and batch statistics that were not taken.
    """

    model: Model
    fresh: tuple[str, ...]
    unused: tuple[str, ...]


def warm_start(model: Model, source: nnx.Module, *, skip: Collection[str] = ()) -> WarmStart[Model]:
    """Copies a model, with the arrays of another model wherever the names are the same.

    The arrays are parameters and batch statistics.

    Args:
        model: the one that starts; it is not changed.
        source: the one that was trained, such as the ``SliceWise`` that an ``ACAT`` extends. Its
            arrays are copied; counters of random draws are not.
        skip: names of parts that stay the model's own, such as ``"head"``; for layers of another
            size.

    Returns:
        The copy in the mode of ``model``, and the names that the two do not share.

    Raises:
        InputError: no name in common, arrays of one name and different shapes, or a part in
            ``skip`` that the model has not.

    >>> model, source = (nnx.Linear(2, 3, rngs=nnx.Rngs(seed)) for seed in (0, 1))
    >>> start = warm_start(model, source)
    >>> bool((start.model.kernel[...] == source.kernel[...]).all()), start.fresh
    (True, ())
    """
    copy = nnx.clone(model)
    variables, given = _variables(copy), _variables(source)
    _check_parts(skip, variables)
    shared = {name for name in variables if name in given and not _is_of(name, skip)}
    if not shared:
        raise InputError(
            f"source: expected parts that {type(model).__name__} has too, such as"
            f" {next(iter(variables), None)}, got {type(source).__name__} with"
            f" {next(iter(given), None)}: give the baseline of the same architecture"
        )
    _check_shapes(sorted(shared), variables, given)
    for name in shared:
        # A copy, since training steps donate their arrays, which would take the source's away.
        variables[name].set_value(jnp.array(given[name][...]))
    fresh, unused = (
        tuple(name for name in names if name not in shared) for names in (variables, given)
    )
    return WarmStart(copy, fresh, unused)


def shape_mismatches(model: nnx.Module, source: nnx.Module) -> tuple[str, ...]:
    """Lists the names under which two models have arrays of different shapes.

    The arrays are parameters and batch statistics; ``warm_start`` is to skip them.

    Args:
        model: the one that is to start; shapes are enough, as ``nnx.eval_shape`` returns them.
        source: the one that was trained; likewise.

    Returns:
        The names in the order of the model, such as ``"trunk.stages.0.layers.1.conv.kernel"`` of a
        network that sees a saliency map as one more channel.

    >>> model, source = (nnx.Linear(size, 3, rngs=nnx.Rngs(0)) for size in (2, 4))
    >>> shape_mismatches(model, source)
    ('kernel',)
    """
    variables, given = _variables(model), _variables(source)
    return tuple(
        name for name in variables if name in given and variables[name].shape != given[name].shape
    )


def _variables(model: nnx.Module) -> dict[str, Any]:
    check_type(model, nnx.Module, name="model", wanted="an NNX module")
    flat = nnx.to_flat_state(nnx.state(model, (nnx.Param, nnx.BatchStat)))
    return {".".join(map(str, path)): variable for path, variable in flat}


def _is_of(name: str, parts: Collection[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def _check_parts(parts: Collection[str], names: Collection[str]) -> None:
    if isinstance(parts, str) or not isinstance(parts, Collection):
        raise InputError(f"skip: expected names in a list, got {parts!r}")
    for part in parts:
        if not any(_is_of(name, [part]) for name in names):
            raise InputError(
                f"skip: expected names of parts of the model, such as 'head', got {part!r}"
            )


def _check_shapes(
    names: Collection[str], variables: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    for name in names:
        if variables[name].shape != given[name].shape:
            raise InputError(
                f"source: expected {name} of shape {variables[name].shape}, got"
                f" {given[name].shape}: name the part in `skip` if it is to be of another size"
            )
