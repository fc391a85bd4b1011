"""The options of the commands: which model, on which images, and how it is explained.

The first two are those of ``cfx explain``, ``cfx check``, ``cfx layers`` and ``cfx train``.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.adapters import Outputs
from cfx_jax.data import ImageCollection, open_images
from cfx_jax.errors import InputError
from cfx_jax.explain.images import images_of
from cfx_jax.explain.methods import METHODS
from cfx_jax.explain.model_argument import load_model
from cfx_jax.explain.settings import Settings
from cfx_jax.explain.trained import load_sibling, with_sibling
from cfx_jax.parallel import print_note


def add_model_options(command: argparse.ArgumentParser) -> None:
    """Adds the options that say which model, which images, and how they go together."""
    command.add_argument(
        "--model",
        required=True,
        help="module:function or file.py:function; .pt, .pt2, .keras, .jax; NETWORK:WEIGHTS, as in"
        " resnet50:weights.pth",
    )
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
    command.add_argument(
        "--grey", action="store_true", help="read colour images as grey, and explain them so"
    )
    command.add_argument(
        "--channels",
        type=int,
        choices=(1, 3),
        help="that the model takes: 3 repeats the values of grey images, 1 reads all as grey",
    )
    command.add_argument("--layout", choices=("channels_first", "channels_last"))
    command.add_argument("--channel-order", choices=("rgb", "bgr"), help="bgr: OpenCV's")
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


def add_explain_options(command: argparse.ArgumentParser) -> None:
    """Adds the options that say how ``cfx explain`` explains, and where it writes."""
    command.add_argument("--out", type=Path, default=Path("explanations"), help="folder to write")
    command.add_argument(
        "--replace", action="store_true", help="remove the explanations in that folder first"
    )
    command.add_argument(
        "--methods",
        nargs="+",
        default=["vce", "smallest", "integrated_gradients"],
        metavar="METHOD",
        help=f"of {', '.join(METHODS)}",
    )
    command.add_argument(
        "--target",
        default="runner_up",
        help="class to reach, by name or number; runner_up: the second most probable",
    )
    command.add_argument(
        "--generator",
        nargs="+",
        default=[],
        metavar="WORKDIR",
        help="explain by these generators too: the --out of cfx train",
    )
    command.add_argument("--norm", type=float, default=2.0, help="p of the lp norm, or inf")
    command.add_argument("--radius", type=float, help="largest change; default: by the image size")
    command.add_argument(
        "--radii",
        nargs="*",
        type=float,
        default=list(Settings.radii),
        metavar="SHARE",
        help="shares of the radius for the knob of the page, each one search of 'vce' more;"
        " default: %(default)s",
    )
    command.add_argument("--probability", type=float, default=0.9, help="wanted by 'smallest'")
    command.add_argument("--num-steps", type=int, default=Settings.num_steps, help="of a search")
    command.add_argument(
        "--num-nodes", type=int, default=Settings.num_nodes, help="of integrated_gradients"
    )
    command.add_argument(
        "--num-samples", type=int, default=Settings.num_samples, help="of smooth_grad"
    )
    command.add_argument("--layer", help="of class activation maps; default: the last spatial one")
    command.add_argument(
        "--occlusion-window", type=int, help="side of what occlusion hides, in pixels"
    )
    command.add_argument(
        "--batch-size",
        type=int,
        help="images computed at once; default: 8 for each CPU, 32 for each accelerator",
    )
    command.add_argument(
        "--shard",
        type=_shard,
        default=(1, 1),
        metavar="I/N",
        help="compute part I of N; start each part as a process of its own, the last one writes the"
        " page",
    )
    command.add_argument(
        "--matmul-precision",
        choices=("default", "high", "highest"),
        help="of the model's products on accelerators: highest is float32; high is TensorFloat-32"
        " on GPUs, three bfloat16 products on TPUs; default is JAX's own, one bfloat16 product on"
        " TPUs; without it: what JAX_DEFAULT_MATMUL_PRECISION says, else high",
    )
    command.add_argument("--seed", type=int, default=0, help="of what is random")


def classifier_of_options(options: argparse.Namespace) -> Any:
    """The classifier that the options name, with its robust sibling if one is named.

    Raises:
        InputError: as ``load_model``, ``load_sibling`` and ``with_sibling``.
    """
    inputs: dict[str, Any] = {
        "channels": options.channels,
        "layout": options.layout,
        "channel_order": options.channel_order,
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
        channels=1 if options.grey or options.channels == 1 else None,
        window=_window(options.window),
        classes=options.classes or (),
        groups=options.groups,
        progress=True,
    )
    for line in (*(f"skipped: {line}" for line in pictures.skipped), *pictures.notes):
        print_note(line)
    return pictures


def first_images(
    collection: ImageCollection, *, most: int
) -> tuple[list[str], Float[np.ndarray, "m h w c"]]:
    """Decodes the first images; those that are damaged are left out and told on stderr.

    Args:
        collection: the images.
        most: how many.

    Returns:
        Their names, and the images.

    Raises:
        InputError: none can be decoded.
    """
    images = images_of(collection, None)
    read, reasons = images.first_readable(most)
    for reason in reasons:
        print_note(f"skipped: {reason}")
    if not read:
        raise InputError("images: expected one that can be decoded, got none")
    return [images.names[number] for number in read], np.stack(list(read.values()))


def _window(words: Sequence[str] | None) -> Any:
    """The option ``--window``: two numbers, or one of the words of ``open_images``."""
    if words is None:
        return "file"
    try:
        return words[0] if len(words) == 1 else tuple(float(word) for word in words)
    except ValueError as error:
        raise InputError(f"--window: expected CENTER WIDTH, got {' '.join(words)}") from error


def _shard(text: str) -> tuple[int, int]:
    """The part of a run and the number of parts, from ``I/N``."""
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected I/N, such as 1/4, got {text}")
    return int(index), int(count)
