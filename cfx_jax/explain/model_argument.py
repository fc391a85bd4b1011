"""A classifier by its name on the command line: a function of a module, or a file."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

from cfx_jax.adapters import (
    Inputs,
    Outputs,
    from_exported,
    from_keras,
    from_nnx,
    from_torch,
    load_torch,
)
from cfx_jax.errors import InputError, reason_of
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


def load_model(
    name: str, *, settings: Mapping[str, Any] | None = None, outputs: Outputs | None = None
) -> Classifier:
    """Loads a classifier by its name.

    Args:
        name: ``module:function``, where the function takes no arguments and returns a classifier,
            or a model of PyTorch, Keras or Flax NNX, which its adapter takes; the module is looked
            for in the current folder too. Or a file: ``.pt``, ``.pt2`` (PyTorch), ``.keras``,
            ``.jax`` (``jax.export``).
        settings: attributes of ``Inputs``, how the model of a file, or of a framework, expects
            its images; where no ``layout`` is among them it is that of the framework. None or empty
            takes the default of its framework.
        outputs: what its values mean; None: logits.

    Returns:
        The classifier, image ``(h, w, c)`` -> logits ``(k,)``.

    Raises:
        InputError: no such module, function or file, a file of another kind, or code that raises.
    """
    facts: dict[str, Any] = {"settings": settings or {}, "outputs": outputs}
    module, colon, function = name.partition(":")
    if colon and not Path(name).exists():
        return _made(_function(module, function), name, facts)
    path = Path(name)
    if path.suffix not in _FILES:
        raise InputError(
            f"model: expected module:function or a file ({', '.join(_FILES)}), got {name}"
        )
    return _adapted(_FILES[path.suffix], path, **facts)


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
    folder = str(Path.cwd())
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
    if not facts["settings"] and facts["outputs"] is None:
        return model
    raise InputError(
        f"model: expected no settings of inputs and outputs, since {name} returns a classifier of"
        f" images in [0, 1]; say in it what the model expects"
    )
