"""PyTorch networks as classifiers: eager modules, TorchScript and exported programs.

Two bridges lead from JAX to PyTorch.

- ``"callback"`` (the default): PyTorch computes values and gradients, within ``jit``, ``vmap``,
  ``scan`` and ``grad``, on the CPU or on the CUDA device that JAX uses. JAX and PyTorch look at
  the same memory. The graph of the forward pass is kept until the gradient asks for it, so that a
  value with its gradient costs one forward and one backward pass.
- ``"jax"``: torchax translates the forward pass to JAX. It runs wherever JAX runs, TPUs among
  them, and has derivatives of every order and mode.

On other devices than CPU and CUDA the callback is not available. It gives first derivatives in
reverse mode only, which is what the methods of this library need. JAX cannot share out its batches:
of several devices each would compute the whole batch. ``explain`` takes one device; elsewhere give
a mesh of one. Several processes share the images.
"""

import copy
import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import is_zipfile

import jax
from jax.tree_util import Partial, register_static
from jaxtyping import Array, Float

from cfx_jax.adapters.adapted import Adapted
from cfx_jax.adapters.fixed import Fixed
from cfx_jax.adapters.inputs_outputs import Inputs, Outputs
from cfx_jax.adapters.layers import Traced, Visit
from cfx_jax.adapters.torch_callback import called
from cfx_jax.adapters.torch_modules import convolutions_of, logits_alone, shown_layers
from cfx_jax.adapters.torch_network import Network
from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError, import_extra, reason_of
from cfx_jax.files import as_path

_BRIDGES = ("callback", "jax")
_OLDEST = (2, 6)
"""Before PyTorch 2.6, files that are said to hold weights alone could run code (CVE-2025-32434)."""


def from_torch(
    module: Any,
    *,
    inputs: Inputs | None = None,
    outputs: Outputs | None = None,
    bridge: str = "callback",
) -> Adapted:
    """Turns a PyTorch network into a classifier.

    Args:
        module: an ``nn.Module``, a TorchScript module or an exported program: images
            ``(n, c, h, w)`` -> values ``(n, k)``, or an object or dictionary with such ``logits``,
            as Hugging Face's classifiers give. Of one in training mode, a copy with the same
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
        >>> import torch
        >>> import jax.numpy as jnp
        >>> from cfx_jax.adapters import from_torch
        >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
        >>> classifier = from_torch(network)
        >>> classifier(jnp.zeros((2, 2, 3))).shape
        (2,)
    """
    check_choice(bridge, _BRIDGES, name="bridge")
    torch = import_extra("torch", "PyTorch networks")
    program = module if isinstance(module, torch.export.ExportedProgram) else None
    if program is not None:
        module = program.module()
    if not isinstance(module, torch.nn.Module):
        raise InputError(
            "module: expected a torch.nn.Module, a TorchScript module or an exported program, got"
            f" {type(module).__name__}: load weights into their network first"
        )
    module = _in_evaluation_mode(torch, module)
    batched: Traced | Network
    if bridge == "jax":
        batched = _translated(module)
    else:
        _warn_of_float16(torch, module)
        batched = Network(module, _layered(torch, module, program))
    return Adapted(batched, inputs or Inputs(layout="channels_first"), outputs or Outputs())


def is_called_back(classifier: Any) -> bool:
    """Whether a classifier holds a PyTorch network that JAX calls back.

    Args:
        classifier: any pytree, such as an ensemble.

    Example:
        >>> import torch
        >>> import jax.numpy as jnp
        >>> from cfx_jax.adapters import from_torch, is_called_back
        >>> is_called_back(from_torch(torch.nn.Flatten())), is_called_back(jnp.sin)
        (True, False)
    """

    def is_network(node: Any) -> bool:
        return isinstance(node, Network)

    return any(map(is_network, jax.tree.leaves(classifier, is_leaf=is_network)))


def load_torch(path: str | Path) -> Any:
    """Loads a network that a file holds as a whole: TorchScript, or an exported program.

    Args:
        path: ``.pt2`` of ``torch.export.save``, or ``.pt``, ``.pth``, ``.ts`` of
            ``torch.jit.save``.

    Returns:
        The module or the exported program, on the CPU, for ``from_torch``.

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
    path = as_path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected a file, found none")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what PyTorch says of its own code
            if path.suffix == ".pt2":
                return torch.export.load(path)
            return torch.jit.load(str(path), map_location="cpu")
    except Exception as error:  # whatever the libraries below raise of a damaged file
        raise InputError(f"{path}: {_why_not_loaded(torch, path, error)}") from error


def _why_not_loaded(torch: Any, path: Path, error: Exception) -> str:
    expected = "expected TorchScript (.pt) or an exported program (.pt2), got"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as reason:
        if not (isinstance(reason, UnpicklingError) and is_zipfile(path)):
            return f"{expected} a file that is neither ({reason_of(error)[:120]})"
        return (
            f"{expected} a pickled module, which would run code: where you trust it, open it by"
            " torch.load(..., weights_only=False) and give it to from_torch, or save the network"
            " with torch.export.save"
        )
    kind = "weights alone" if isinstance(content, dict) else type(content).__name__
    return (
        f"{expected} {kind}: build their network, load them by load_state_dict(torch.load(...,"
        " weights_only=True)), and give the network to from_torch"
    )


def _in_evaluation_mode(torch: Any, module: Any) -> Any:
    if not any(part.training for part in module.modules()):
        return module
    if isinstance(module, torch.jit.ScriptModule):
        return copy.deepcopy(module).eval()
    tensors = itertools.chain(module.parameters(), module.buffers())
    shared = {id(tensor): tensor for tensor in tensors}  # copied by reference
    return copy.deepcopy(module, shared).eval()


def _warn_of_float16(torch: Any, module: Any) -> None:
    kinds = {(tensor.dtype, tensor.device.type) for tensor in module.parameters()}
    if (torch.float16, "cpu") in kinds:
        warnings.warn(
            "module: its weights are float16, with which PyTorch takes ten to thirty times as long"
            " on most CPUs: give module.float(), whose gradients are more exact too",
            stacklevel=3,
        )


def _layered(torch: Any, module: Any, program: Any) -> Callable[[], Any] | None:
    """The network as modules that are called; TorchScript's are not."""
    if program is not None:
        return cache(lambda: _unflattened(torch, program))
    return None if isinstance(module, torch.jit.ScriptModule) else lambda: module


def _unflattened(torch: Any, program: Any) -> Any:
    module = torch.export.unflatten(program).eval()
    module.check_input_constraints = False  # layers are looked at with larger images too
    return module


def _translated(module: Any) -> Traced:
    """The forward pass in JAX, by torchax, with the weights as leaves."""
    torch = import_extra("torch", "PyTorch networks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchax speaks of TPUs that are not there
        with _named_overloads(torch):
            torchax = import_extra("torchax", "the bridge 'jax'")
            weights, function = torchax.extract_jax(module)
    names = [name for name, _ in module.named_parameters() if name in weights]
    parameters = {name: weights[name] for name in names}
    fixed = {name: values for name, values in weights.items() if name not in parameters}
    translated = _Translated(module, function, next(iter(names), None))
    run = Partial(_run_translated, translated, parameters, Fixed(fixed))
    return Traced(run, convolutions_of(torch, module))


@register_static
class _Translated:
    """A translated forward pass; equal to itself alone."""

    def __init__(self, module: Any, function: Any, first_weight: str | None) -> None:
        self.module, self.function, self.first_weight = module, function, first_weight


def _run_translated(
    translated: _Translated,
    parameters: dict[str, Array],
    fixed: Fixed,
    visit: Visit | None,
    batch: Float[Array, "n c h w"],
) -> Array:
    weights = parameters | fixed.tree
    if translated.first_weight in weights:
        batch = batch.astype(weights[translated.first_weight].dtype)
    torch, interop = import_extra("torch", "PyTorch"), import_extra("torchax.interop", "the bridge")

    def show(name: str, value: Any) -> Any:
        return interop.torch_view(visit(name, interop.jax_view(value))) if visit else value

    with shown_layers(torch, translated.module, show), logits_alone(translated.module):
        return called(translated.function, weights, (batch,), images=f"images {batch.shape}")


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
