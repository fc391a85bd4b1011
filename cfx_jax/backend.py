"""Choices that depend on the machine that JAX runs on."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import numpy as np
from jax import Array, lax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal
from jax.extend.core.primitives import conv_general_dilated_p, jit_p

_PLATFORM: ContextVar[str] = ContextVar("platform", default="")


def platform() -> str:
    """The kind of device that programs are made for: ``"cpu"``, ``"gpu"`` or ``"tpu"``."""
    return _PLATFORM.get() or jax.default_backend()


@contextmanager
def compiling_for(name: str) -> Iterator[None]:
    """Makes programs for another kind of device than this machine has.

    What is traced inside is as on that device: JAX keeps traced functions, so use a process of its
    own.

    Args:
        name: ``"cpu"``, ``"gpu"`` or ``"tpu"``.
    """
    token = _PLATFORM.set(name)
    try:
        yield
    finally:
        _PLATFORM.reset(token)


def depthwise_as_products() -> bool:
    """Whether depthwise convolutions run as sums of products instead of grouped convolutions.

    On a CPU the grouped one is ten to forty times slower; elsewhere it is the vendor's own.
    """
    return platform() == "cpu"


def small_maps_as_products() -> bool:
    """Whether convolutions of small maps by large kernels run as matrix products.

    On a CPU they are up to forty times faster so; elsewhere they are the vendor's own.
    """
    return platform() == "cpu"


def loop_body(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, made as fast in a compiled loop on a CPU as outside of loops.

    XLA's compiler for CPUs brings a convolution's operands into the order of axes of its fast
    routine only outside of loops; the kernel of an input gradient, whose channels are exchanged, is
    in another order. Here all operands are brought into that order (NHWC and HWIO) in the traced
    function itself. Elsewhere than on a CPU ``fn`` is returned.

    Args:
        fn: any function of pytrees of arrays; its values and derivatives stay the same.
            Convolutions inside of its own loops, branches, ``jax.checkpoint`` and functions with
            derivatives of their own are left as they are; functions jitted by themselves become
            part of this one.

    Returns:
        The function, to be traced: calling it alone is slower than ``fn``.
    """
    if platform() != "cpu":
        return fn

    def body(*args: Any) -> Any:
        closed, shape = jax.make_jaxpr(fn, return_shape=True)(*args)
        results = evaluate(closed.jaxpr, closed.consts, jax.tree.leaves(args), _in_fast_order)
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return body


def varying_like(tree: Any, reference: Any) -> Any:
    """The same arrays, marked to differ between the devices of ``shard_map`` as the reference does.

    What a loop carries must not change its kind, and the gradient by an array that is alike on all
    devices is a sum over them. Outside of ``shard_map``, and under ``check_vma=False``, nothing
    changes.

    Args:
        tree: a pytree of arrays.
        reference: an array, or its ``jax.ShapeDtypeStruct``.
    """

    def cast(leaf: Array) -> Array:
        missing = tuple(_varying_axes(reference) - _varying_axes(jax.typeof(leaf)))
        return lax.pcast(leaf, missing, to="varying") if missing else leaf

    return jax.tree.map(cast, tree)


def _varying_axes(aval: Any) -> frozenset[Any]:
    kind = getattr(aval, "manual_axis_type", None)
    return kind.varying if kind else frozenset()


Exchange = Callable[[Any, list[Any]], list[Any] | None]
"""An equation and its operands -> results in place of its own; None leaves it as it is."""


def evaluate(
    jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Any], exchange: Exchange
) -> list[Any]:
    """Computes a traced function with some of its equations exchanged.

    Args:
        jaxpr: the function; those jitted by themselves become part of it.
        consts: its constants.
        args: its arguments.
        exchange: is asked for each equation that is no jitted function.
    """
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for equation in jaxpr.eqns:
        primitive, params = equation.primitive, equation.params
        operands = [read(atom) for atom in equation.invars]
        with equation.ctx.manager:
            if primitive is jit_p:
                called = params["jaxpr"]
                results = evaluate(called.jaxpr, called.consts, operands, exchange)
            elif (exchanged := exchange(equation, operands)) is not None:
                results = exchanged
            else:
                outputs = primitive.bind(*operands, **primitive.get_bind_params(params))
                results = outputs if primitive.multiple_results else [outputs]
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def equations_of(jaxpr: Jaxpr) -> Iterator[Any]:
    """All equations of a traced function, and of the functions, loops and branches within it."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in inner_jaxprs(equation):
            yield from equations_of(inner)


def inner_jaxprs(equation: Any) -> Iterator[Jaxpr]:
    """The functions that one equation calls."""
    kinds = (Jaxpr, ClosedJaxpr)
    for value in jax.tree.leaves(equation.params, is_leaf=lambda leaf: isinstance(leaf, kinds)):
        if isinstance(value, kinds):
            yield value.jaxpr if isinstance(value, ClosedJaxpr) else value


def _in_fast_order(equation: Any, operands: list[Any]) -> list[Any] | None:
    is_convolution = equation.primitive is conv_general_dilated_p
    return [_convolve(*operands, **equation.params)] if is_convolution else None


def _convolve(
    lhs: Array, rhs: Array, *, dimension_numbers: lax.ConvDimensionNumbers, **params: Any
) -> Array:
    """A convolution of operands in the order NHWC and HWIO, with any number of spatial axes."""
    (batch, feature, *space), (output, input_, *window), out = dimension_numbers
    channels_last = (0, lhs.ndim - 1, *range(1, lhs.ndim - 1))
    order = lax.ConvDimensionNumbers(
        channels_last, (lhs.ndim - 1, lhs.ndim - 2, *range(lhs.ndim - 2)), channels_last
    )
    lhs, rhs = _ordered(lhs, (batch, *space, feature)), _ordered(rhs, (*window, input_, output))
    result = conv_general_dilated_p.bind(lhs, rhs, dimension_numbers=order, **params)
    return lax.transpose(result, np.argsort((out[0], *out[2:], out[1])))


def _ordered(array: Array, axes: tuple[int, ...]) -> Array:
    if axes == tuple(range(array.ndim)):
        return array
    # Without the barrier the compiler takes the transposition back into the convolution.
    return lax.optimization_barrier(lax.transpose(array, axes))
