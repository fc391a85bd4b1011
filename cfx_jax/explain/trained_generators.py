"""Generators trained on a classifier's decisions, and the folder that holds one.

A folder has ``generator.json`` (what was trained, on what, as it is told below) and
``generator.npz`` (the networks' arrays). It is complete in itself: no code of the training is
needed to explain by it. The images of the training are not in it. So that a generator is not used
with another classifier, it keeps the classifier's logits of pictures that are drawn at random
(``draw_probes``), and these pictures.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from jaxtyping import Float, UInt8

from cfx_jax.callables import as_pytree, call
from cfx_jax.errors import InputError, reason_of
from cfx_jax.files import digest, read_json, replacing, write_text
from cfx_jax.models import arrays_of, rebuild
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import map_examples

_FACTS, _ARRAYS, _TRAINING = "generator.json", "generator.npz", "training.json"
_NUM_PROBES = 8
_TOLERANCE = 1e-2
"""Logits of the probes may differ by this share of the largest: devices round differently, and
logits of networks that were trained anew differ by far more."""
METHODS_OF_GENERATORS = ("similar_adversarial", "naive_adversarial", "syce", "cyce", "progressive")


class Network(NamedTuple):
    """A network by which it can be built again.

    Attributes:
        name: of its class, see ``models.rebuild``.
        options: of its class.
        module: the network.
    """

    name: str
    options: Mapping[str, Any]
    module: nnx.Module


@dataclass(frozen=True, eq=False)
class TrainedGenerator:
    """A generator with all that must be known to explain by it.

    Attributes:
        method: one of ``METHODS_OF_GENERATORS``.
        networks: one; of ``syce`` and ``cyce`` that of side 0 and that of side 1.
        classes: names of the classifier's classes, in the order of its logits.
        sides: the classes of side 0 and of side 1, between which the generator goes.
        shape: of the images, (h, w, c).
        model: what the classifier was called.
        probes: pictures (m, h, w, c), 0 to 255.
        logits: of the classifier, of the probes, (m, k).
        training: how it was trained, by name, for a reader.
    """

    method: str
    networks: Sequence[Network]
    classes: tuple[str, ...]
    sides: tuple[tuple[int, ...], tuple[int, ...]]
    shape: tuple[int, int, int]
    model: str
    probes: UInt8[np.ndarray, "m h w c"]
    logits: Float[np.ndarray, "m k"]
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def side_names(self) -> tuple[str, str]:
        """What the two sides are called: their classes, or ``not X`` for all others than X."""
        names = [" or ".join(self.classes[number] for number in side) for side in self.sides]
        rest_of = set(range(len(self.classes))) - set(self.sides[1])
        if len(self.classes) > 2 and set(self.sides[0]) == rest_of:
            names[0] = f"not {names[1]}"
        return names[0], names[1]


def trained_generator(
    method: str,
    networks: Sequence[Network],
    classifier: Classifier,
    *,
    classes: Sequence[str],
    sides: tuple[tuple[int, ...], tuple[int, ...]],
    shape: tuple[int, int, int],
    model: str,
    training: Mapping[str, Any],
) -> TrainedGenerator:
    """A generator with the logits by which its classifier is known again.

    Args:
        method, networks, classes, sides, shape, model, training: as ``TrainedGenerator`` has them.
        classifier: one image -> logits of all ``classes``, whose decisions it was trained on.
    """
    probes = draw_probes(shape)
    return TrainedGenerator(
        method,
        networks,
        tuple(classes),
        sides,
        shape,
        model,
        probes,
        _logits_of(classifier, probes),
        training,
    )


def draw_probes(shape: tuple[int, int, int]) -> UInt8[np.ndarray, "m h w c"]:
    """Pictures of coarse and fine random squares, some faint and some strong.

    Args:
        shape: of a picture, (h, w, c).

    >>> draw_probes((6, 4, 1)).shape
    (8, 6, 4, 1)
    """
    rng = np.random.default_rng(0)
    height, width, channels = shape
    pictures = []
    for number in range(_NUM_PROBES):
        squares = 2 ** (1 + number % 4)  # along each side: 2, 4, 8 or 16
        values = rng.random((squares, squares, channels)) ** (1 + number % 3)
        rows, columns = (np.arange(side) * squares // side for side in (height, width))
        pictures.append(values[rows][:, columns])
    return np.round(255 * np.stack(pictures)).astype(np.uint8)


def save_generator(folder: str | os.PathLike[str], generator: TrainedGenerator) -> Path:
    """Keeps a generator in a folder, for ``load_generator``.

    Args:
        folder: made where it is missing; other files in it stay.
        generator: the generator.

    Returns:
        The folder.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(folder)
    arrays: dict[str, Any] = {"probes": generator.probes, "logits": generator.logits}
    for number, network in enumerate(generator.networks):
        named = arrays_of(network.module)
        arrays |= {f"network {number}/{name}": values for name, values in named.items()}
    with replacing(folder / _ARRAYS, durable=True) as path, path.open("wb") as file:
        np.savez(file, **arrays)
    facts = {
        "method": generator.method,
        "networks": [[network.name, dict(network.options)] for network in generator.networks],
        "classes": generator.classes,
        "sides": generator.sides,
        "shape": generator.shape,
        "model": generator.model,
        "training": generator.training,
        "arrays": digest(folder / _ARRAYS),
    }
    write_text(folder / _FACTS, json.dumps(facts, indent=1), durable=True)
    return folder


def load_generator(folder: str | os.PathLike[str]) -> TrainedGenerator:
    """Reads what ``save_generator`` kept.

    Args:
        folder: the folder, such as the ``--out`` of ``cfx train``.

    Raises:
        InputError: no generator there, a training that is not finished, or damaged files.
    """
    folder = Path(folder)
    if not (folder / _FACTS).is_file():
        if (folder / _TRAINING).is_file():
            raise InputError(
                f"generator: the training in {folder} is not finished, or was not one of `cfx"
                " train`: start the same command again to finish it"
            )
        raise InputError(
            f"generator: expected a folder with a generator, found no {_FACTS} in {folder}: give"
            " the --out of cfx train"
        )
    facts = read_json(folder / _FACTS, advice="train the generator again")
    try:
        if facts["arrays"] != digest(folder / _ARRAYS):
            raise InputError(f"{_ARRAYS} is not the one that {_FACTS} was written with")
        with np.load(folder / _ARRAYS, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return TrainedGenerator(
            method=_known_method(facts["method"]),
            networks=[
                Network(name, options, rebuild(name, options, _of_network(arrays, number)))
                for number, (name, options) in enumerate(facts["networks"])
            ],
            classes=tuple(facts["classes"]),
            sides=(tuple(facts["sides"][0]), tuple(facts["sides"][1])),
            shape=tuple(facts["shape"]),
            model=facts["model"],
            probes=arrays["probes"],
            logits=arrays["logits"],
            training=facts["training"],
        )
    except Exception as error:  # whatever NumPy and zipfile raise of a damaged file
        raise InputError(
            f"generator: {folder} is damaged, or of another version: {reason_of(error)}: train it"
            " again"
        ) from error


def check_generator(
    generator: TrainedGenerator,
    classifier: Classifier,
    *,
    shape: Sequence[int],
    classes: Sequence[str],
) -> None:
    """Checks that a generator can explain a classifier on images of a shape.

    Args:
        generator: the generator.
        classifier: one image -> logits ``(k,)``.
        shape: of the images, (h, w, c).
        classes: names of the k classes; those that are only numbered, as ``class 0``, are not
            compared.

    Raises:
        InputError: images of another shape, other classes, or a classifier that answers otherwise
            than the one of the training.
    """
    name, trained = generator.method, _size(generator.shape)
    if tuple(shape) != generator.shape:
        raise InputError(
            f"generator: {name} was trained on images of {trained}, these have {_size(shape)}:"
            f" give --size {generator.shape[0]} {generator.shape[1]} --channels"
            f" {generator.shape[2]}"
        )
    numbered = tuple(f"class {number}" for number in range(len(classes)))
    named = numbered not in (tuple(classes), generator.classes)
    if len(classes) != len(generator.classes) or (named and tuple(classes) != generator.classes):
        raise InputError(
            f"generator: {name} was trained for the classes {', '.join(generator.classes)}, these"
            f" are {', '.join(classes)}: give the classes of the training, in its order"
        )
    answers = _logits_of(classifier, generator.probes)
    difference = np.abs(_centred(answers) - _centred(generator.logits)).max()
    scale = max(1.0, float(np.abs(_centred(generator.logits)).max()))
    if not difference <= _TOLERANCE * scale:
        raise InputError(
            f"generator: {name} was trained on the decisions of another model, {generator.model}:"
            f" logits of the same {len(answers)} pictures differ by up to {difference:.3g}: train"
            " one on this model with `cfx train`"
        )


def _known_method(name: str) -> str:
    if name not in METHODS_OF_GENERATORS:
        raise InputError(f"unknown method {name!r}")
    return name


def _of_network(arrays: Mapping[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    prefix = f"network {number}/"
    return {
        name.removeprefix(prefix): values
        for name, values in arrays.items()
        if name.startswith(prefix)
    }


def _logits_of(
    classifier: Callable[..., Any], probes: UInt8[np.ndarray, "m h w c"]
) -> Float[np.ndarray, "m k"]:
    images = probes.astype(np.float32) / 255
    return np.asarray(map_examples(call, as_pytree(classifier), images), np.float32)


def _centred(logits: Float[np.ndarray, "m k"]) -> Float[np.ndarray, "m k"]:
    """Logits with the mean 0: what is added to all of an image's changes no decision."""
    return logits - logits.mean(axis=1, keepdims=True)


def _size(shape: Sequence[int]) -> str:
    return f"{shape[0]}x{shape[1]} pixels and {shape[2]} channels"
