"""Passes of a PyTorch network as functions of JAX, with their gradients.

A *pass* takes tensors with a leading batch axis to tensors with one: images to values, or images
and a shift to values and a layer's value. ``torch_network.py`` computes it; here JAX calls it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from cfx_jax.costs import KeptMemory
from cfx_jax.errors import InputError, reason_of

_MOST_BYTES = 4 * 2**30
"""The most memory that the graph of one pass may take."""

Shape = tuple[int, ...]


def called(function: Any, *arguments: Any, images: str = "its images") -> Any:
    """Calls the network; what it raises becomes one line."""
    try:
        return function(*arguments)
    except InputError:
        raise
    except Exception as error:  # whatever a module raises of images it does not take
        raise InputError(
            f"module: expected a network of {images}, but it raised"
            f" {type(error).__name__}: {reason_of(error)}: give Inputs(layout=, channels=, size=)"
        ) from None


class Facts(NamedTuple):
    """The answers of a network to images of one shape.

    Attributes:
        shapes: of one image's results.
        has_gradient: whether the results have one by the images.
        takes_batches: whether the network takes several images at once.
        graph_bytes: the memory of the graph of one image.
    """

    shapes: tuple[Shape, ...]
    has_gradient: bool
    takes_batches: bool
    graph_bytes: int

    @property
    def most_images(self) -> int:
        """How many images a pass may have for its graph to stay within the bound."""
        return max(_MOST_BYTES // max(self.graph_bytes, 1), 1)


class Passes(Protocol):
    """The passes of a network. Each writes its results into the buffers of ``out``."""

    def facts(self, samples: tuple[Shape, ...]) -> Facts:
        """Looks at the results for inputs of these shapes."""

    def forward(self, samples: tuple[Shape, ...], context: Any, out: Any, *arrays: Any) -> None:
        """Writes the results of a batch."""

    def forward_for_gradient(
        self, samples: tuple[Shape, ...], context: Any, out: Any, *arrays: Any
    ) -> None:
        """Writes the results of a batch, and for each image a ticket for its gradient."""

    def pull_back(
        self,
        samples: tuple[Shape, ...],
        context: Any,
        out: Any,
        arrays: Any,
        ticket: Any,
        weights: Any,
    ) -> None:
        """Writes the gradients by the inputs of the results' sum, weighted with ``weights``."""


def run_pass(network: Passes, *inputs: Float[Array, "n ..."]) -> tuple[Array, ...]:
    """Computes a pass of a network; JAX calls it, and its gradient, wherever the program runs.

    It is a function by name: unlike a ``custom_vjp``, it is known to equal itself in later calls.

    Args:
        network: hashable, equal to itself alone.
        inputs: images, and perhaps a shift of a layer's value for each.
    """
    return _call(network, inputs)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _call(network: Passes, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    run = partial(network.forward, _samples(inputs))
    return _callback(run, _results_of(network, inputs), *inputs)


def _call_forward(
    network: Passes, inputs: tuple[Array, ...]
) -> tuple[tuple[Array, ...], tuple[tuple[Array, ...], Int[Array, " n"]]]:
    tickets = jax.ShapeDtypeStruct(inputs[0].shape[:1], jnp.int32)
    samples = _samples(inputs)
    facts = network.facts(samples)
    if not facts.has_gradient:
        raise InputError(
            "module: expected values with a gradient by the images, got values without: look for"
            " detach, no_grad, argmax and round in its forward pass"
        )
    shapes = (_results_of(network, inputs), tickets)
    run = _WithGraph(network.forward_for_gradient, samples, facts)
    results, ticket = _callback(run, shapes, *inputs)
    return results, (inputs, ticket)


def _call_backward(
    network: Passes, residuals: tuple[tuple[Array, ...], Array], weights: tuple[Array, ...]
) -> tuple[tuple[Array, ...]]:
    inputs, ticket = residuals
    samples = _samples(inputs)
    shapes = tuple(jax.ShapeDtypeStruct(array.shape, array.dtype) for array in inputs)
    run = _WithGraph(network.pull_back, samples, network.facts(samples))
    return (_callback(run, shapes, inputs, ticket, weights),)


_call.defvjp(_call_forward, _call_backward)


@dataclass(frozen=True)
class _WithGraph:
    """A pass with a graph, which tells the memory of it that JAX does not know of.

    Attributes:
        run: the pass.
        samples: the shapes of one image's inputs.
        facts: on inputs of these shapes.
    """

    run: Callable[..., None]
    samples: tuple[Shape, ...]
    facts: Facts

    def __call__(self, context: Any, out: Any, *arrays: Any) -> None:
        self.run(self.samples, context, out, *arrays)

    def kept_memory(self, shapes: Sequence[Shape]) -> KeptMemory:
        """The memory of the graph of images, and whatever comes behind them, of these shapes."""
        num_images = math.prod(shapes[0]) // max(math.prod(self.samples[0]), 1)
        at_once = min(num_images, self.facts.most_images)
        return KeptMemory("PyTorch's graph", at_once * self.facts.graph_bytes)


def _callback(run: Callable[..., None], shapes: Any, *arrays: Any) -> Any:
    from jax.experimental.buffer_callback import buffer_callback

    return buffer_callback(run, shapes, vmap_method="broadcast_all")(*arrays)


def _samples(inputs: tuple[Array, ...]) -> tuple[Shape, ...]:
    return tuple(tuple(array.shape[1:]) for array in inputs)


def _results_of(network: Passes, inputs: tuple[Array, ...]) -> tuple[jax.ShapeDtypeStruct, ...]:
    shapes = network.facts(_samples(inputs)).shapes
    return tuple(
        jax.ShapeDtypeStruct((len(inputs[0]), *shape), inputs[0].dtype) for shape in shapes
    )
