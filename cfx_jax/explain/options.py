"""The options that say which model is explained and on which images, for every command that does.

They are those of ``cfx explain``, ``cfx check`` and ``cfx train``.
"""

import argparse
import sys
from typing import Any

from cfx_jax.adapters import Inputs, Outputs
from cfx_jax.explain.models import load_model
from cfx_jax.explain.pictures import Pictures, read_pictures


def add_model_options(command: argparse.ArgumentParser) -> None:
    """Adds the options that say which model, which images, and how they go together."""
    command.add_argument("--model", required=True, help="module:function, .pt, .pt2, .keras, .jax")
    command.add_argument("--images", nargs="+", required=True, help="files and folders")
    command.add_argument("--size", nargs=2, type=int, metavar=("HEIGHT", "WIDTH"))
    command.add_argument("--channels", type=int, choices=(1, 3), help="of the model's images")
    command.add_argument("--layout", choices=("channels_first", "channels_last"))
    command.add_argument("--value-range", nargs=2, type=float, metavar=("BLACK", "WHITE"))
    command.add_argument("--mean", nargs="+", type=float, help="subtracted, for each channel")
    command.add_argument("--std", nargs="+", type=float, help="divided by, for each channel")
    command.add_argument("--outputs", choices=("logits", "probabilities", "log_probabilities"))
    command.add_argument("--label", type=int, help="of a model of several labels")


def classifier_of_options(options: argparse.Namespace) -> Any:
    """The classifier that the options name.

    Raises:
        InputError: as ``load_model``.
    """
    inputs: dict[str, Any] = {
        "layout": options.layout,
        "value_range": options.value_range and tuple(options.value_range),
        "mean": options.mean and tuple(options.mean),
        "std": options.std and tuple(options.std),
    }
    given = {name: value for name, value in inputs.items() if value is not None}
    if given and "layout" not in given:
        is_torch = options.model.endswith((".pt", ".pth", ".ts", ".pt2")) or ":" in options.model
        given["layout"] = "channels_first" if is_torch else "channels_last"
    outputs = None
    if options.outputs is not None or options.label is not None:
        outputs = Outputs(options.outputs or "logits", options.label)
    return load_model(options.model, inputs=Inputs(**given) if given else None, outputs=outputs)


def pictures_of_options(options: argparse.Namespace) -> Pictures:
    """The images that the options name; files that are skipped are told on stderr.

    Raises:
        InputError: as ``read_pictures``.
    """
    size = options.size and tuple(options.size)
    pictures = read_pictures(options.images, size=size, channels=options.channels)
    for line in pictures.skipped:
        print(f"skipped: {line}", file=sys.stderr)
    return pictures
