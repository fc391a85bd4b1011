"""PyTorch networks that JAX calls back: values, gradients, layers, and the guided ReLU.

The graph of the last passes is kept until the gradient asks for it, so that a value with its
gradient costs one forward and one backward pass.

A graph holds the values of all layers, of 224 pixels some 100 MB an image. So a batch whose graph
would be larger than 4 GiB is computed in parts: its graph is not kept, and the gradient computes
that of a part anew.
"""

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.tree_util import register_static
from jaxtyping import Array, Float

from cfx_jax.adapters.layers import Calls, unknown_layer
from cfx_jax.adapters.torch_callback import Facts, Shape, called, run_pass
from cfx_jax.adapters.torch_modules import (
    convolutions_of,
    is_depthwise_on_cpu,
    logits_among,
    measured_graph,
    shown_layers,
)
from cfx_jax.adapters.torch_relu import guided_relus
from cfx_jax.errors import InputError, import_extra

_MOST_GRAPHS = 4
"""Graphs kept for gradients that may still be asked for; one that is gone is computed again."""

_NO_TICKET = -1


def _in_one_line(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of the network by which ``called`` calls it."""

    @wraps(method)
    def call(*arguments: Any) -> Any:
        return called(method, *arguments)

    return call


class _Graph(NamedTuple):
    """A pass whose gradient may still be asked for: what went in and what came out."""

    inputs: tuple[Any, ...]
    results: tuple[Any, ...]


@register_static
class Network:
    """A PyTorch network, and the graphs of its last passes; equal to itself alone.

    Args:
        module: images ``(n, ...)`` -> values ``(n, k)``.
        layered: the same network as modules that are called, where ``module`` is not made of such;
            None where it has none.
    """

    def __init__(self, module: Any, layered: Callable[[], Any] | None = None) -> None:
        self._torch = import_extra("torch", "PyTorch networks")
        self.module, self._layered = module, layered
        self._channels_last = is_depthwise_on_cpu(self._torch, module)
        self._graphs: OrderedDict[int, _Graph] = OrderedDict()
        self._tickets = itertools.count(1)
        self._lock = threading.Lock()
        self._facts: dict[tuple[Shape, ...], Facts] = {}
        self._layers: dict[Shape, tuple[dict[str, Shape], InputError | None]] = {}
        self._views: dict[Any, Network] = {}

    def __call__(self, images: Float[Array, "n c h w"]) -> Float[Array, "n *k"]:
        """Computes the values of a batch."""
        return run_pass(self, images)[0]

    def layers(self, images: Any, *, as_far: bool = False) -> dict[str, Shape]:
        """The shapes of one image's values, by layer, in the order in which the layers end.

        Args:
            images: one image, or its shape and dtype.
            as_far: gives the layers before the network raises, where it does not take such images.
        """
        sample = tuple(images.shape[1:])
        if sample not in self._layers:
            self._layers[sample] = self._find_layers(sample)
        shapes, error = self._layers[sample]
        if error is not None and not as_far:
            raise error
        return shapes

    def _find_layers(self, sample: Shape) -> tuple[dict[str, Shape], InputError | None]:
        """The layers before the network raises, and what it raises."""
        shapes: dict[str, Shape] = {}
        if self._layered is None:
            return shapes, None

        def note(name: str, value: Any) -> None:
            if value.shape[:1] == (1,):  # else its first axis is not that of the images
                shapes[name] = tuple(value.shape[1:])

        module = self._layered()
        try:
            with self._torch.no_grad(), shown_layers(self._torch, module, Calls(note)):
                zeros = self._torch.zeros((1, *sample))
                called(self._run_module, module, zeros, images=f"images {(1, *sample)}")
        except InputError as error:
            return shapes, error
        return shapes, None

    @property
    def convolutions(self) -> frozenset[str]:
        """Names of layers that are known to give maps ``(f, fh, fw)``."""
        return convolutions_of(self._torch, self._layered_module())

    def tapped(
        self, layer: str, images: Float[Array, "n c h w"], shift: Float[Array, "n ..."] | None
    ) -> tuple[Float[Array, "n *k"], Float[Array, "n ..."]]:
        """Computes the values of a batch, and those of a layer, to which ``shift`` is added."""
        layers = self.layers(images)
        if layer not in layers:
            raise unknown_layer(layer, layers)
        shape = (images.shape[0], *layers[layer])
        shift = jnp.zeros(shape, images.dtype) if shift is None else shift
        view = self._view(layer, lambda: _Tapped(self._layered_module(), layer))
        values, value = run_pass(view, images, shift)
        return values, value

    def guided(self) -> "Network":
        """The same network with the guided ReLU."""
        return self._view(None, lambda: _Guided(self.module, self._layered))

    def _view(self, name: Any, make: "Callable[[], Network]") -> "Network":
        with self._lock:
            if name not in self._views:
                self._views[name] = make()
            return self._views[name]

    def _layered_module(self) -> Any:
        return self.module if self._layered is None else self._layered()

    def facts(self, samples: tuple[Shape, ...]) -> Facts:
        """Looks at the results for inputs of these shapes, by passes of zeros."""
        if samples not in self._facts:
            zeros = [self._torch.zeros((1, *sample)) for sample in samples]
            with measured_graph(self._torch, self.module) as size:
                results = called(self._run_recorded, zeros, images=f"images {(1, *samples[0])}")
            shapes = tuple(tuple(result.shape) for result in results)
            if shapes[0][:1] != (1,):
                raise InputError(
                    f"module: expected images (n, ...) -> values (n, k), got {shapes[0]} for one"
                    " image: wrap the network so that it returns its logits"
                )
            self._facts[samples] = Facts(
                tuple(shape[1:] for shape in shapes),
                results[0].requires_grad,
                self._takes_batches(samples, shapes[0][1:]),
                size.bytes,
            )
        return self._facts[samples]

    def _takes_batches(self, samples: tuple[Shape, ...], values: Shape) -> bool:
        try:
            zeros = [self._torch.zeros((2, *sample)) for sample in samples]
            shape = tuple(self._run_recorded(zeros)[0].shape)
        except Exception:  # whatever a network of single images raises
            return False
        if shape != (2, *values):
            raise InputError(
                f"module: expected images (n, ...) -> values (n, k), got {shape} for two images:"
                " wrap the network so that each image has its values"
            )
        return True

    @_in_one_line
    def forward(self, samples: tuple[Shape, ...], _context: Any, out: Any, *arrays: Any) -> None:
        """Writes the results of a batch."""
        self._write(out, self._results_in_parts(samples, self._inputs(samples, arrays)))

    @_in_one_line
    def forward_for_gradient(
        self, samples: tuple[Shape, ...], _context: Any, out: Any, *arrays: Any
    ) -> None:
        """Writes the results of a batch and a ticket, by which the gradient finds the graph."""
        inputs = self._inputs(samples, arrays)
        if len(self._parts(samples, inputs)) > 1:
            self._write(out[0], self._results_in_parts(samples, inputs))
            self._torch.from_dlpack(out[1]).fill_(_NO_TICKET)
            return
        graph = self._graph(inputs)
        with self._lock:
            ticket = next(self._tickets) % 2**31
            self._graphs[ticket] = graph
            while len(self._graphs) > _MOST_GRAPHS:
                self._graphs.popitem(last=False)
        self._write(out[0], [result.detach() for result in graph.results])
        self._torch.from_dlpack(out[1]).fill_(ticket)

    @_in_one_line
    def pull_back(
        self,
        samples: tuple[Shape, ...],
        _context: Any,
        out: Any,
        arrays: Any,
        ticket: Any,
        weights: Any,
    ) -> None:
        """Writes the gradients by the inputs of the results' sum, weighted with ``weights``."""
        inputs = self._inputs(samples, arrays)
        tickets = self._torch.from_dlpack(ticket).unique().tolist()
        with self._lock:
            graph = self._graphs.pop(tickets[0], None) if len(tickets) == 1 else None
        if graph is not None and not all(map(self._torch.equal, graph.inputs, inputs)):
            graph = None
        weights = [
            self._torch.from_dlpack(weight).reshape(len(inputs[0]), *shape)
            for weight, shape in zip(weights, self._facts[samples].shapes, strict=True)
        ]

        def gradients(part: slice) -> tuple[Any, ...]:
            kept = graph or self._graph([tensor[part] for tensor in inputs])
            seen = [
                weight[part].to(result.device, result.dtype)
                for weight, result in zip(weights, kept.results, strict=True)
            ]
            return self._torch.autograd.grad(kept.results, kept.inputs, seen)

        parts = self._parts(samples, inputs)
        self._write(out, self._joined([gradients(part) for part in parts]))

    def _results_in_parts(self, samples: tuple[Shape, ...], inputs: list[Any]) -> list[Any]:
        with self._torch.no_grad():
            parts = self._parts(samples, inputs)
            return self._joined([self._run(*(tensor[part] for tensor in inputs)) for part in parts])

    def _parts(self, samples: tuple[Shape, ...], inputs: list[Any]) -> list[slice]:
        """The parts of a batch that are computed one after the other."""
        count, size = len(inputs[0]), self._facts[samples].most_images
        return [slice(start, start + size) for start in range(0, max(count, 1), size)]

    def _joined(self, parts: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of all parts: of each kind one tensor."""
        if len(parts) == 1:
            return list(parts[0])
        return [self._torch.cat(tensors) for tensors in zip(*parts, strict=True)]

    def _graph(self, inputs: list[Any]) -> _Graph:
        with self._torch.inference_mode(False):  # whatever the caller has set
            copies = tuple(tensor.clone() for tensor in inputs)
            return _Graph(copies, tuple(self._run_recorded(copies)))

    def _run_recorded(self, inputs: Any) -> list[Any]:
        with self._torch.inference_mode(False), self._torch.enable_grad():
            return self._run(*(tensor.requires_grad_() for tensor in inputs))

    def _inputs(self, samples: tuple[Shape, ...], arrays: Any) -> list[Any]:
        """The inputs as tensors, in which vmap's axes and the batch are one."""
        return [
            self._torch.from_dlpack(array).reshape(-1, *sample)
            for array, sample in zip(arrays, samples, strict=True)
        ]

    def _run(self, *inputs: Any) -> list[Any]:
        facts = self._facts.get(tuple(tuple(tensor.shape[1:]) for tensor in inputs))
        if facts is None or facts.takes_batches or len(inputs[0]) == 1:
            return self._results_in_order(*inputs)
        images = zip(*inputs, strict=True)
        return self._joined(
            [self._results_in_order(*(tensor[None] for tensor in image)) for image in images]
        )

    def _results_in_order(self, images: Any, *shift: Any) -> list[Any]:
        """The results for images whose channels lie last in memory, where that is quicker."""
        if self._channels_last and images.ndim == 4:
            try:
                last = self._torch.channels_last
                return self._results(images.contiguous(memory_format=last), *shift)
            except RuntimeError:  # a network that asks for one order, such as by ``view``
                self._channels_last = False
        return self._results(images, *shift)

    def _results(self, *inputs: Any) -> list[Any]:
        return [self._run_module(self.module, *inputs)]

    def _run_module(self, module: Any, images: Any) -> Any:
        weight = next(module.parameters(), None)
        if weight is not None:
            images = images.to(weight.device, weight.dtype)
        if module.training:
            raise InputError(
                "module: expected evaluation mode, got one set to training mode after from_torch:"
                " call module.eval(), or from_torch again"
            )
        values = logits_among(module(images))
        if not isinstance(values, self._torch.Tensor):
            raise InputError(
                f"module: expected one tensor of values, got {type(values).__name__}: wrap the"
                " network so that it returns its logits"
            )
        if values.is_complex() or values.dtype == self._torch.bool:
            raise InputError(f"module: expected real values, got {values.dtype}")
        return values

    def _write(self, out: Any, results: Any) -> None:
        for place, result in zip(out, results, strict=True):
            target = self._torch.from_dlpack(place)
            target.copy_(result.reshape(target.shape))


class _Tapped(Network):
    """Passes of images and a shift, to values and a layer's value with the shift added."""

    def __init__(self, module: Any, layer: str) -> None:
        super().__init__(module)
        self._layer = layer

    def _results(self, *inputs: Any) -> list[Any]:
        images, shift = inputs
        kept: list[Any] = []

        def add(name: str, value: Any) -> Any:
            if name != self._layer:
                return value
            moved = value + shift.to(value.device, value.dtype)
            kept.append(moved.clone())  # what follows may write over the value itself
            return moved

        with shown_layers(self._torch, self.module, Calls(add)):
            values = self._run_module(self.module, images)
        return [values, kept[0]]


class _Guided(Network):
    """Passes with the guided ReLU."""

    def _results(self, *inputs: Any) -> list[Any]:
        with guided_relus(self._torch) as count:
            results = super()._results(*inputs)
        if not count.number:
            raise InputError(
                "module: expected a network with ReLUs, whose rule guided backpropagation changes,"
                " got one that runs none (of TorchScript they are not seen): take the gradient"
            )
        return results
