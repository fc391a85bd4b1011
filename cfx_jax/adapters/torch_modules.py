"""Facts about PyTorch modules: their convolutions, layers and logits, the size of a graph."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any


def convolutions_of(torch: Any, module: Any) -> frozenset[str]:
    """Names of the convolutions and batch norms of images, whose values are ``(n, f, fh, fw)``."""
    kinds = (torch.nn.Conv2d, torch.nn.BatchNorm2d)
    return frozenset(name for name, part in module.named_modules() if isinstance(part, kinds))


def is_depthwise_on_cpu(torch: Any, module: Any) -> bool:
    """Whether a network has convolutions of single channels, as MobileNet and EfficientNet.

    On a CPU these take a quarter less time where the channels of a pixel lie beside each other.
    """
    return any(
        isinstance(part, torch.nn.Conv2d)
        and part.groups == part.in_channels > 1
        and part.weight.device.type == "cpu"
        for part in module.modules()
    )


@contextmanager
def shown_layers(torch: Any, module: Any, visit: Callable[[str, Any], Any]) -> Iterator[None]:
    """Shows the values of the layers in this thread, while the context lasts."""
    thread = threading.get_ident()

    def hook(name: str, _module: Any, _arguments: Any, value: Any) -> Any:
        is_real = isinstance(value, torch.Tensor) and value.is_floating_point()
        return visit(name, value) if is_real and threading.get_ident() == thread else None

    handles = [
        layer.register_forward_hook(partial(hook, name))
        for name, layer in module.named_modules()
        if name
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def logits_among(values: Any) -> Any:
    """The logits of a network that gives more than them, by this name; other values as they are.

    The classifiers of Hugging Face give an object with ``logits``, others a dictionary.
    """
    if isinstance(values, Mapping):
        return values.get("logits", values)
    return getattr(values, "logits", values)


@contextmanager
def logits_alone(module: Any) -> Iterator[None]:
    """Lets the forward pass of a network give its ``logits_among`` alone, inside of the context."""
    own, forward = vars(module).get("forward"), module.forward
    module.forward = lambda *arguments: logits_among(forward(*arguments))
    try:
        yield
    finally:
        del module.forward
        if own is not None:
            module.forward = own


class GraphSize:
    """How many bytes a graph holds."""

    bytes = 0


@contextmanager
def measured_graph(torch: Any, module: Any) -> Iterator[GraphSize]:
    """Counts what a graph keeps beside the network's weights, while the context lasts."""
    size = GraphSize()
    counted = {place for place, _ in map(_memory, (*module.parameters(), *module.buffers()))}

    def count(tensor: Any) -> Any:
        place, num_bytes = _memory(tensor)
        if place not in counted:
            counted.add(place)
            size.bytes += num_bytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        yield size


def _memory(tensor: Any) -> tuple[int, int]:
    """The place of a tensor's values in memory, and their size in bytes.

    Both are 0 of a tensor without such a place: a sparse one, or one within ``torch.func``.
    """
    try:
        storage = tensor.untyped_storage()
        return storage.data_ptr(), storage.nbytes()
    except (NotImplementedError, RuntimeError):
        return 0, 0
