"""A classifier by its name on the command line: a function of a module, or a file."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float

from cfx_jax.adapters import (
    Adapted,
    Inputs,
    Outputs,
    from_exported,
    from_keras,
    from_nnx,
    from_torch,
    load_torch,
)
from cfx_jax.compilation import as_pytree
from cfx_jax.errors import InputError, reason_of
from cfx_jax.models import NETWORKS, build_with_weights, read_tensors
from cfx_jax.objectives import Classifier


def _from_torch_file(path: Path, **facts: Any) -> Classifier:
    return from_torch(load_torch(path), **facts)


_ADAPTERS: tuple[tuple[str, str, Callable[..., Classifier]], ...] = (
    ("keras", "Model", from_keras),
    ("torch", "nn.Module", from_torch),
    ("flax.nnx", "Module", from_nnx),
)
"""The classes of models that a function may return in place of a classifier."""
_FILES: dict[str, Callable[..., Classifier]] = {
    ".pt": _from_torch_file,
    ".pth": _from_torch_file,
    ".ts": _from_torch_file,
    ".pt2": _from_torch_file,
    ".keras": from_keras,
    ".jax": from_exported,
    ".bin": from_exported,
}
_FUNCTION = "and name that function as module:function"
_WEIGHTS_ALONE = f"it holds weights alone: write a function that returns their network, {_FUNCTION}"
_AS_KERAS = "save the model as .keras: keras.models.load_model(...).save(...)"
_OTHER_FILES = {
    ".onnx": f"write a function that returns onnx2torch.convert(...) of it, {_FUNCTION}",
    ".ckpt": (
        "it holds weights alone: write a function that returns them in their network, as by"
        f" load_from_checkpoint of a Lightning module, {_FUNCTION}"
    ),
    ".safetensors": _WEIGHTS_ALONE,
    ".msgpack": _WEIGHTS_ALONE,
    ".eqx": _WEIGHTS_ALONE,
    ".npz": _WEIGHTS_ALONE,
    ".h5": _AS_KERAS,
    ".hdf5": _AS_KERAS,
}
"""What is done about files of other kinds."""


def load_model(
    name: str, *, settings: Mapping[str, Any] | None = None, outputs: Outputs | None = None
) -> Classifier:
    """Loads a classifier by its name.

    Args:
        name: ``module:function``, where the function takes no arguments and returns a classifier,
            or a model of PyTorch, Keras or Flax NNX, which its adapter takes; the module is looked
            for in the current folder too, and may be the path of its file. Or a file: ``.pt``,
            ``.pt2`` (PyTorch), ``.keras``, ``.jax`` (``jax.export``). Or ``resnet50:weights.pth``:
            a network of ``models.NETWORKS`` with PyTorch's weights for it.
        settings: attributes of ``Inputs``, how the model of a file, or of a framework, expects
            its images; where no ``layout`` is among them it is that of the framework. None or empty
            takes the default of its framework. Of a classifier it may be ``channels`` alone.
        outputs: what its values mean; None: logits.

    Returns:
        The classifier, image ``(h, w, c)`` -> logits ``(k,)``.

    Raises:
        InputError: no such module, function or file, a file of another kind, or code that raises.
    """
    facts: dict[str, Any] = {"settings": settings or {}, "outputs": outputs}
    module, colon, function = name.partition(":")
    if colon and not Path(name).exists():
        if Path(function).suffix:
            network = build_with_weights(module, read_tensors(function))
            return _adapted(from_nnx, network, **facts)
        return _made(_function(module, function), name, facts)
    path = Path(name)
    return _adapted(_adapter_of(path), path, **facts)


def _adapter_of(path: Path) -> Callable[..., Classifier]:
    """The adapter of a file, by the ending of its name."""
    if path.suffix == ".bin" and is_zipfile(path):  # as PyTorch's files are
        return _from_torch_file
    if path.suffix not in _FILES:
        advice = _OTHER_FILES.get(path.suffix, f"write a function that returns it, {_FUNCTION}")
        if str(path) in NETWORKS:
            advice = f"give its weights too, as in {path}:weights.pth"
        raise InputError(
            f"model: expected module:function or a file ({', '.join(_FILES)}), got {path}: {advice}"
        )
    return _FILES[path.suffix]


def _adapted(
    adapt: Callable[..., Classifier],
    model: Any,
    *,
    settings: Mapping[str, Any],
    outputs: Outputs | None,
) -> Classifier:
    """Adapts a model or a file; images are channels first for PyTorch alone."""
    layout = "channels_first" if adapt in (from_torch, _from_torch_file) else "channels_last"
    inputs = Inputs(**{"layout": layout, **settings}) if settings else None
    return adapt(model, inputs=inputs, outputs=outputs)


def _function(module: str, name: str) -> Callable[[], Any]:
    file = Path(module)
    place, module = (file.parent, file.stem) if file.suffix == ".py" else (Path(), module)
    folder = str(place.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if not all(part.isidentifier() for part in (*module.split("."), name)):
        raise InputError(f"model: expected module:function, got {module}:{name}")
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise InputError(f"model: {module} needs the package '{error.name}'") from error
        raise InputError(
            f"model: expected a module that can be imported from {folder}, got {module}"
        ) from error
    except (Exception, SystemExit) as error:  # whatever a user's module raises
        raise _failure(module, error) from error
    function = getattr(loaded, name, None)
    if not callable(function):
        raise InputError(f"model: expected a function {name} in {module}, found none")
    return function


def _failure(name: str, error: BaseException) -> InputError:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return InputError(
        f"model: expected {name} to run, but it raised {type(error).__name__}: {reason_of(error)}"
        f" ({Path(place.filename).name}, line {place.lineno})"
    )


def _made(function: Callable[[], Any], name: str, facts: dict[str, Any]) -> Classifier:
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise InputError(f"model: expected a function without arguments, got {name}") from error
    except ValueError:  # a function of C says nothing on its arguments
        pass
    try:
        model = function()
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # whatever a user's function raises
        raise _failure(name, error) from error
    for library, kind, adapt in _ADAPTERS:
        framework = sys.modules.get(library)  # a model of it has imported it
        if framework is not None and isinstance(model, attrgetter(kind)(framework)):
            return _adapted(adapt, model, **facts)
    if not callable(model) or inspect.isclass(model):
        came = f"the class {model.__name__}" if inspect.isclass(model) else type(model).__name__
        raise InputError(f"model: expected {name} to return a classifier, got {came}")
    channels = facts["settings"].get("channels")
    if facts["outputs"] is None and set(facts["settings"]) <= {"channels"}:
        return _in_colour(model) if channels == 3 else model
    raise InputError(
        f"model: expected no settings of inputs and outputs, since {name} returns a classifier of"
        f" images in [0, 1]; say in it what the model expects"
    )


def _in_colour(classifier: Classifier) -> Classifier:
    """The same classifier, which takes grey images too."""
    if isinstance(classifier, Adapted):
        return replace(classifier, inputs=replace(classifier.inputs, channels=3))
    return Partial(_classify_in_colour, as_pytree(classifier))


def _classify_in_colour(classifier: Classifier, image: Float[Array, "h w c"]) -> Array:
    return classifier(jnp.broadcast_to(image, (*image.shape[:2], 3)))
