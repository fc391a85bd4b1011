"""PyTorch networks as classifiers: eager modules, TorchScript and exported programs.

Two bridges lead from JAX to PyTorch.

- ``"callback"`` (the default): PyTorch computes values and gradients, within ``jit``, ``vmap``,
  ``scan`` and ``grad``, on the CPU or on the CUDA device that JAX uses. JAX and PyTorch look at
  the same memory. The graph of the forward pass is kept until the gradient asks for it, so that a
  value with its gradient costs one forward and one backward pass.
- ``"jax"``: torchax translates the forward pass to JAX. It runs wherever JAX runs, TPUs among
  them, and has derivatives of every order and mode.

On other devices than CPU and CUDA the callback is not available. It gives first derivatives in
reverse mode only, which is what the methods of this library need.
"""

import copy
import itertools
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial, register_static
from jaxtyping import Array, Float, Int

from cfx_jax.adapters.inputs_outputs import Inputs, Outputs, classifier_of
from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError, import_extra, reason_of

_BRIDGES = ("callback", "jax")
_OLDEST = (2, 6)
"""Before PyTorch 2.6, files that are said to hold weights alone could run code (CVE-2025-32434)."""
_MOST_GRAPHS = 4
"""Graphs kept for gradients that may still be asked for; one that is gone is computed again."""


def from_torch(
    module: Any,
    *,
    inputs: Inputs | None = None,
    outputs: Outputs | None = None,
    bridge: str = "callback",
) -> Partial:
    """Turns a PyTorch network into a classifier.

    Args:
        module: an ``nn.Module``, a TorchScript module or an exported program: images
            ``(n, c, h, w)`` -> values ``(n, k)``. Of one in training mode, a copy with the same
            weights is set to evaluation mode; the given one stays as it is. One that takes single
            images only, such as a program exported with one, is called for each image.
        inputs: how it expects its images; None: channels first, values in [0, 1] as they are.
        outputs: what its values mean; None: logits.
        bridge: ``"callback"`` or ``"jax"``, see the head of this file.

    Returns:
        The classifier, image ``(h, w, c)`` -> logits ``(k,)``. Weights that change in the module
        later change the classifier of the callback, not that of ``"jax"``, and not that of a
        TorchScript module in training mode.

    Raises:
        InputError: an unknown bridge, no module, PyTorch or torchax not installed; when called,
            images that the module cannot take, values of another shape, and a gradient of a module
            that has none. JAX wraps what the module raises while a program runs in an error of its
            own.

    Example:
        >>> import pytest; torch = pytest.importorskip("torch")
        >>> import jax.numpy as jnp
        >>> from cfx_jax.adapters import from_torch
        >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
        >>> classifier = from_torch(network)
        >>> classifier(jnp.zeros((2, 2, 3))).shape
        (2,)
    """
    check_choice(bridge, _BRIDGES, name="bridge")
    torch = import_extra("torch", "PyTorch networks")
    if isinstance(module, torch.export.ExportedProgram):
        module = module.module()
    if not isinstance(module, torch.nn.Module):
        raise InputError(
            "module: expected a torch.nn.Module, a TorchScript module or an exported program, got"
            f" {type(module).__name__}: load weights into their network first"
        )
    module = _in_evaluation_mode(torch, module)
    batched = _translated(module) if bridge == "jax" else Partial(_values, _Network(module))
    return classifier_of(batched, inputs or Inputs(layout="channels_first"), outputs or Outputs())


def load_torch(path: str | Path) -> Any:
    """Loads a network that a file holds as a whole: TorchScript, or an exported program.

    Args:
        path: ``.pt2`` of ``torch.export.save``, or ``.pt``, ``.pth``, ``.ts`` of
            ``torch.jit.save``.

    Returns:
        The module, on the CPU, for ``from_torch``.

    Raises:
        InputError: no such file, PyTorch before 2.6, weights without a network, a pickled module,
            or a damaged file.
    """
    torch = import_extra("torch", "PyTorch networks")
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if version < _OLDEST:
        raise InputError(
            "torch: expected version 2.6 or newer, whose files of weights run no code, got"
            f" {torch.__version__}: run `pip install --upgrade torch`"
        )
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected a file, found none")
    try:
        if path.suffix == ".pt2":
            return torch.export.load(path).module()
        return torch.jit.load(str(path), map_location="cpu")
    except Exception as error:  # whatever the libraries below raise of a damaged file
        raise InputError(f"{path}: {_why_not_loaded(torch, path, error)}") from error


def _why_not_loaded(torch: Any, path: Path, error: Exception) -> str:
    expected = "expected TorchScript (.pt) or an exported program (.pt2), got"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        return (
            f"{expected} a file that is neither, or a pickled module, which would run code"
            f" ({str(error).strip().splitlines()[0][:120]}): save the network with torch.jit.save"
            " or torch.export.save"
        )
    kind = "weights alone" if isinstance(content, dict) else type(content).__name__
    return (
        f"{expected} {kind}: build their network, load_state_dict(torch.load(...,"
        " weights_only=True)), and give the network"
    )


def _in_evaluation_mode(torch: Any, module: Any) -> Any:
    if not any(part.training for part in module.modules()):
        return module
    if isinstance(module, torch.jit.ScriptModule):
        return copy.deepcopy(module).eval()
    tensors = itertools.chain(module.parameters(), module.buffers())
    shared = {id(tensor): tensor for tensor in tensors}  # copied by reference
    return copy.deepcopy(module, shared).eval()


def _called(function: Any, *arguments: Any, images: str = "its images") -> Any:
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


def _in_one_line(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of the network by which ``_called`` calls it."""

    @wraps(method)
    def call(*arguments: Any) -> Any:
        return _called(method, *arguments)

    return call


class _Facts(NamedTuple):
    """The shape of one image's values, whether they have a gradient, and of batches too."""

    shape: tuple[int, ...]
    has_gradient: bool
    takes_batches: bool


class _Graph(NamedTuple):
    """A forward pass whose gradient may still be asked for: what went in and what came out."""

    batch: Any
    values: Any


@register_static
class _Network:
    """A PyTorch network and the graphs of its last forward passes; equal to itself alone."""

    def __init__(self, module: Any) -> None:
        self._torch = import_extra("torch", "PyTorch networks")
        self.module = module
        self._graphs: OrderedDict[int, _Graph] = OrderedDict()
        self._tickets = itertools.count(1)
        self._lock = threading.Lock()
        self._facts: dict[tuple[int, ...], _Facts] = {}

    def facts(self, sample: tuple[int, ...]) -> _Facts:
        """Looks at the values of images of a shape, by calls on zeros."""
        if sample not in self._facts:
            zeros = self._torch.zeros((1, *sample))
            values = _called(self._run_recorded, zeros, images=f"images {(1, *sample)}")
            shape = tuple(values.shape)
            if shape[:1] != (1,):
                raise InputError(
                    f"module: expected images (n, ...) -> values (n, k), got {shape} for one image:"
                    " wrap the network so that it returns its logits"
                )
            self._facts[sample] = _Facts(
                shape[1:], values.requires_grad, self._takes_batches(sample, shape[1:])
            )
        return self._facts[sample]

    def _takes_batches(self, sample: tuple[int, ...], values: tuple[int, ...]) -> bool:
        try:
            shape = tuple(self._run_recorded(self._torch.zeros((2, *sample))).shape)
        except Exception:  # whatever a network of single images raises
            return False
        if shape != (2, *values):
            raise InputError(
                f"module: expected images (n, ...) -> values (n, k), got {shape} for two images:"
                " wrap the network so that each image has its values"
            )
        return True

    @_in_one_line
    def forward(self, _context: Any, out: Any, batch: Any) -> None:
        """Writes the values of a batch."""
        images = self._images(batch)
        with self._torch.no_grad():
            self._write(out, self._run(images))

    @_in_one_line
    def forward_for_gradient(self, _context: Any, out: Any, batch: Any) -> None:
        """Writes the values of a batch and a ticket, by which the gradient finds the graph."""
        graph = self._graph(self._images(batch))
        with self._lock:
            ticket = next(self._tickets) % 2**31
            self._graphs[ticket] = graph
            while len(self._graphs) > _MOST_GRAPHS:
                self._graphs.popitem(last=False)
        self._write(out[0], graph.values.detach())
        self._torch.from_dlpack(out[1]).fill_(ticket)

    @_in_one_line
    def pull_back(self, _context: Any, out: Any, batch: Any, ticket: Any, weights: Any) -> None:
        """Writes the gradient by the images of the values' sum, weighted with ``weights``."""
        torch, images = self._torch, self._images(batch)
        tickets = torch.from_dlpack(ticket).unique().tolist()
        with self._lock:
            graph = self._graphs.pop(tickets[0], None) if len(tickets) == 1 else None
        if graph is None or not torch.equal(graph.batch.detach(), images):
            graph = self._graph(images)
        seen = torch.from_dlpack(weights).to(graph.values.device, graph.values.dtype)
        (gradient,) = torch.autograd.grad(
            graph.values, graph.batch, seen.reshape(graph.values.shape)
        )
        self._write(out, gradient)

    def _graph(self, images: Any) -> _Graph:
        with self._torch.inference_mode(False):  # whatever the caller has set
            batch = images.clone()
            return _Graph(batch, self._run_recorded(batch))

    def _run_recorded(self, batch: Any) -> Any:
        with self._torch.inference_mode(False), self._torch.enable_grad():
            return self._run(batch.requires_grad_())

    def _images(self, batch: Any) -> Any:
        values = self._torch.from_dlpack(batch)
        return values.reshape(-1, *values.shape[-3:])  # vmap's axes and the batch are one

    def _run(self, images: Any) -> Any:
        weight = next(self.module.parameters(), None)
        if weight is not None:
            images = images.to(weight.device, weight.dtype)
        if self.module.training:
            raise InputError(
                "module: expected evaluation mode, got one set to training mode after from_torch:"
                " call module.eval(), or from_torch again"
            )
        facts = self._facts.get(tuple(images.shape[1:]))
        if facts is None or facts.takes_batches or len(images) == 1:
            return self._values(images)
        return self._torch.cat([self._values(image[None]) for image in images])

    def _values(self, images: Any) -> Any:
        values = self.module(images)
        if not isinstance(values, self._torch.Tensor):
            raise InputError(
                f"module: expected one tensor of values, got {type(values).__name__}: wrap the"
                " network so that it returns its logits"
            )
        if values.is_complex() or values.dtype == self._torch.bool:
            raise InputError(f"module: expected real values, got {values.dtype}")
        return values

    def _write(self, out: Any, values: Any) -> None:
        target = self._torch.from_dlpack(out)
        target.copy_(values.reshape(target.shape))


def _values(network: _Network, batch: Float[Array, "n c h w"]) -> Float[Array, "n *k"]:
    """A function by name: unlike a ``custom_vjp``, it is known to equal itself in later calls."""
    return _call(network, batch)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _call(network: _Network, batch: Float[Array, "n c h w"]) -> Float[Array, "n *k"]:
    return _callback(network.forward, _values_of(network, batch), batch)


def _call_forward(
    network: _Network, batch: Float[Array, "n c h w"]
) -> tuple[Float[Array, "n *k"], tuple[Array, Int[Array, " n"]]]:
    tickets = jax.ShapeDtypeStruct(batch.shape[:1], jnp.int32)
    shapes = (_values_of(network, batch), tickets)
    if not network.facts(batch.shape[1:]).has_gradient:
        raise InputError(
            "module: expected values with a gradient by the images, got values without: look for"
            " detach, no_grad, argmax and round in its forward pass"
        )
    values, ticket = _callback(network.forward_for_gradient, shapes, batch)
    return values, (batch, ticket)


def _call_backward(
    network: _Network, residuals: tuple[Array, Array], weights: Float[Array, "n *k"]
) -> tuple[Float[Array, "n c h w"]]:
    shape = jax.ShapeDtypeStruct(residuals[0].shape, residuals[0].dtype)
    return (_callback(network.pull_back, shape, *residuals, weights),)


_call.defvjp(_call_forward, _call_backward)


def _callback(function: Any, shapes: Any, *arrays: Array) -> Any:
    from jax.experimental.buffer_callback import buffer_callback

    return buffer_callback(function, shapes, vmap_method="broadcast_all")(*arrays)


def _values_of(network: _Network, batch: Float[Array, "n c h w"]) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((len(batch), *network.facts(batch.shape[1:]).shape), batch.dtype)


def _translated(module: Any) -> Partial:
    """The forward pass in JAX, by torchax, with the weights as leaves."""
    torch = import_extra("torch", "PyTorch networks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchax speaks of TPUs that are not there
        with _named_overloads(torch):
            torchax = import_extra("torchax", "the bridge 'jax'")
            weights, function = torchax.extract_jax(module)
    first = next((name for name, _ in module.named_parameters()), None)
    return Partial(_call_translated, _Translated(function, first), weights)


@register_static
class _Translated:
    """A translated forward pass; equal to itself alone."""

    def __init__(self, function: Any, first_weight: str | None) -> None:
        self.function, self.first_weight = function, first_weight


def _call_translated(translated: _Translated, weights: Any, batch: Array) -> Array:
    if translated.first_weight in weights:
        batch = batch.astype(weights[translated.first_weight].dtype)
    return _called(translated.function, weights, (batch,), images=f"images {batch.shape}")


@contextmanager
def _named_overloads(torch: Any) -> Iterator[None]:
    """Lets torchax 0.0.13 be imported, which registers the operators of named dimensions too.

    PyTorch 2.13 has these operators no more. While torchax is imported, the default overload of an
    operator stands in for one that is gone: nothing calls it by that name.
    """
    packet = torch._ops.OpOverloadPacket
    original = packet.__getattr__

    def look_up(operator: Any, name: str) -> Any:
        try:
            return original(operator, name)
        except AttributeError:
            if "imname" in name or "names" in name:
                return original(operator, operator.overloads()[0])
            raise

    packet.__getattr__ = look_up
    try:
        yield
    finally:
        packet.__getattr__ = original
