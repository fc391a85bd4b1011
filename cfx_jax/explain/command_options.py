"""The options that say which model is explained and on which images, for every command that does.

They are those of ``cfx explain``, ``cfx check`` and ``cfx train``.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.adapters import Outputs
from cfx_jax.data import ImageCollection, open_images
from cfx_jax.errors import InputError
from cfx_jax.explain.images import images_of
from cfx_jax.explain.model_argument import load_model
from cfx_jax.explain.trained import load_sibling, with_sibling
from cfx_jax.parallel import print_note


def add_model_options(command: argparse.ArgumentParser) -> None:
    """Adds the options that say which model, which images, and how they go together."""
    command.add_argument("--model", required=True, help="module:function, .pt, .pt2, .keras, .jax")
    command.add_argument(
        "--images",
        nargs="+",
        required=True,
        metavar="PATH",
        help="files, folders, zips, csv:FILE (path, label, group, split, mask); pictures, DICOM,"
        " NIfTI",
    )
    command.add_argument(
        "--size", nargs=2, type=int, metavar=("HEIGHT", "WIDTH"), help="resize images to this"
    )
    command.add_argument(
        "--window",
        nargs="+",
        metavar="NUMBER",
        help="CENTER WIDTH of the values to show; or values: each image's own; full: all;"
        " default: as the file says",
    )
    command.add_argument(
        "--groups",
        metavar="HOW",
        help="images that belong together: folder, column:NAME, or a pattern such as '(p[0-9]+)'",
    )
    command.add_argument(
        "--classes",
        nargs="+",
        metavar="CLASS",
        help="names of the model's classes in order; NAME, FOLDER=NAME or FOLDER+FOLDER=NAME where"
        " images lie in folders of their class",
    )
    command.add_argument("--channels", type=int, choices=(1, 3), help="of the model's images")
    command.add_argument("--layout", choices=("channels_first", "channels_last"))
    command.add_argument("--value-range", nargs=2, type=float, metavar=("BLACK", "WHITE"))
    command.add_argument("--mean", nargs="+", type=float, help="subtracted, for each channel")
    command.add_argument("--std", nargs="+", type=float, help="divided by, for each channel")
    command.add_argument("--outputs", choices=("logits", "probabilities", "log_probabilities"))
    command.add_argument("--label", type=int, help="of a model of several labels")
    command.add_argument(
        "--sibling",
        metavar="WORKDIR",
        help="the ensemble of the model and this robust sibling, the --out of cfx train trades",
    )


def classifier_of_options(options: argparse.Namespace) -> Any:
    """The classifier that the options name, with its robust sibling if one is named.

    Raises:
        InputError: as ``load_model``, ``load_sibling`` and ``with_sibling``.
    """
    inputs: dict[str, Any] = {
        "layout": options.layout,
        "value_range": options.value_range and tuple(options.value_range),
        "mean": options.mean and tuple(options.mean),
        "std": options.std and tuple(options.std),
    }
    given = {name: value for name, value in inputs.items() if value is not None}
    outputs = None
    if options.outputs is not None or options.label is not None:
        outputs = Outputs(options.outputs or "logits", options.label)
    classifier = load_model(options.model, settings=given, outputs=outputs)
    if options.sibling is None:
        return classifier
    return with_sibling(load_sibling(options.sibling), classifier)


def images_of_options(options: argparse.Namespace) -> ImageCollection:
    """The images that the options name; what is found and what is skipped is told on stderr.

    Raises:
        InputError: as ``open_images``.
    """
    pictures = open_images(
        options.images,
        size=options.size and tuple(options.size),
        channels=options.channels,
        window=_window(options.window),
        classes=options.classes or (),
        groups=options.groups,
        progress=True,
    )
    for line in (*(f"skipped: {line}" for line in pictures.skipped), *pictures.notes):
        print_note(line)
    return pictures


def first_images(collection: ImageCollection, *, most: int) -> Float[np.ndarray, "m h w c"]:
    """Decodes the first images; those that are damaged are left out and told on stderr.

    Args:
        collection: the images.
        most: how many.

    Raises:
        InputError: none can be decoded.
    """
    read, reasons = images_of(collection, None).first_readable(most)
    for reason in reasons:
        print_note(f"skipped: {reason}")
    if not read:
        raise InputError("images: expected one that can be decoded, got none")
    return np.stack(list(read.values()))


def _window(words: Sequence[str] | None) -> Any:
    """The option ``--window``: two numbers, or one of the words of ``open_images``."""
    if words is None:
        return "file"
    try:
        return words[0] if len(words) == 1 else tuple(float(word) for word in words)
    except ValueError as error:
        raise InputError(f"--window: expected CENTER WIDTH, got {' '.join(words)}") from error
