"""The guided ReLU in PyTorch networks: as a module, as a function, and in place.

See ``models.guided_relu`` for the rule (Springenberg et al. 2015). The functions themselves are
exchanged while the network runs, so that it does not matter how the network calls them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


class Count:
    """The number of ReLUs that have run."""

    def __init__(self) -> None:
        self.number = 0


@contextmanager
def guided_relus(torch: Any) -> Iterator[Count]:
    """Lets every ReLU and ReLU6 pass back only positive signals, while the context lasts."""
    count = Count()
    with _mode(torch)(count):
        yield count


@cache
def _mode(torch: Any) -> Any:
    """The class of the mode: PyTorch is imported where it is used."""
    rectifiers, guided, aten = _rectifiers(torch), _guided(torch), torch.ops.aten
    clips = (torch.nn.functional.hardtanh, aten.hardtanh.default, aten.hardtanh_.default)  # ReLU6

    class Mode(torch.overrides.TorchFunctionMode):
        """Runs the guided ReLU in place of the plain one."""

        def __init__(self, count: Count) -> None:
            super().__init__()
            self.count = count

        def __torch_function__(
            self, function: Any, _types: Any, arguments: Any = (), options: Any = None
        ) -> Any:
            options = options or {}
            low, highest = 0.0, rectifiers.get(function)
            if function in clips:
                given = dict(zip(("min_val", "max_val"), arguments[1:3], strict=False)) | options
                low, highest = given.get("min_val", -1.0), given.get("max_val", 1.0)
            if low != 0 or highest is None:
                return function(*arguments, **options)
            self.count.number += 1
            values = arguments[0] if arguments else options["input"]
            result = guided.apply(values, highest)
            is_in_place = options.get("inplace") or any(option is True for option in arguments[1:])
            if is_in_place or function.__name__.partition(".")[0].endswith("_"):
                return values.copy_(result)
            return result

    return Mode


def _rectifiers(torch: Any) -> dict[Any, float]:
    """The functions that rectify, and the value at which they clip."""
    functional, aten = torch.nn.functional, torch.ops.aten
    plain = (torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_, functional.relu)
    return {
        **dict.fromkeys(
            (*plain, functional.relu_, aten.relu.default, aten.relu_.default), float("inf")
        ),
        functional.relu6: 6.0,
    }


def _guided(torch: Any) -> Any:
    class Guided(torch.autograd.Function):
        """Values between 0 and ``highest``; positive signals alone pass back, where they vary."""

        @staticmethod
        def forward(context: Any, values: Any, highest: float) -> Any:
            context.save_for_backward((values > 0) & (values < highest))
            return values.clamp(0, highest)

        @staticmethod
        def backward(context: Any, signal: Any) -> Any:
            (varies,) = context.saved_tensors
            return signal.clamp(min=0) * varies, None

    return Guided
