"""Generators trained on a classifier's decisions, and the folder that holds one.

A folder has ``generator.json`` (what was trained, on what, as it is told below) and
``generator.npz`` (the networks' arrays). The files are written and read by ``storage.py``; the
networks are built again by ``models/generators/stored.py``. The folder is complete in itself: no
code of the training is needed to explain by it. It holds no images of the training. It holds the
fingerprint of the classifier, so that the generator is not used with another one.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.explain.trained.fingerprints import Fingerprint, check_same_model, take_fingerprint
from cfx_jax.explain.trained.storage import check_facts, read_trained, write_trained
from cfx_jax.models import arrays_of, rebuild
from cfx_jax.objectives import Classifier

_NAME = "generator"
METHODS_OF_GENERATORS = ("similar_adversarial", "naive_adversarial", "syce", "cyce", "progressive")


class Network(NamedTuple):
    """A network with all that it is built again from.

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
        fingerprint: of the classifier.
        training: how it was trained, by name, for a reader.
    """

    method: str
    networks: Sequence[Network]
    classes: tuple[str, ...]
    sides: tuple[tuple[int, ...], tuple[int, ...]]
    shape: tuple[int, int, int]
    model: str
    fingerprint: Fingerprint
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that another generator does not have."""
        sums = hashlib.sha256(repr((self.method, self.sides)).encode())
        for network in self.networks:
            for name, values in sorted(arrays_of(network.module).items()):
                sums.update(name.encode() + np.ascontiguousarray(values).tobytes())
        return sums.hexdigest()[:12]

    @property
    def side_names(self) -> tuple[str, str]:
        """The names of the two sides: their classes, or ``not X`` for all others than X."""
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
    return TrainedGenerator(
        method,
        networks,
        tuple(classes),
        sides,
        shape,
        model,
        take_fingerprint(classifier, shape),
        training,
    )


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
    arrays: dict[str, Any] = generator.fingerprint._asdict()
    for number, network in enumerate(generator.networks):
        named = arrays_of(network.module)
        arrays |= {f"network {number}/{name}": values for name, values in named.items()}
    facts = {
        "method": generator.method,
        "networks": [[network.name, dict(network.options)] for network in generator.networks],
        "classes": generator.classes,
        "sides": generator.sides,
        "shape": generator.shape,
        "model": generator.model,
        "training": generator.training,
    }
    return write_trained(folder, _NAME, facts=facts, arrays=arrays)


def load_generator(folder: str | os.PathLike[str]) -> TrainedGenerator:
    """Reads what ``save_generator`` kept.

    Args:
        folder: the folder, such as the ``--out`` of ``cfx train``.

    Raises:
        InputError: no generator there, a training that is not finished, or damaged files.
    """
    with read_trained(folder, _NAME, made_by="cfx train") as (facts, arrays):
        side_0, side_1 = facts["sides"]
        check_facts(facts | {"sides": [*side_0, *side_1]}, texts=["classes"], numbers=["sides"])
        if not facts["networks"]:
            raise ValueError("no networks")
        return TrainedGenerator(
            method=_known_method(facts["method"]),
            networks=[
                Network(name, options, rebuild(name, options, _of_network(arrays, number)))
                for number, (name, options) in enumerate(facts["networks"])
            ],
            classes=tuple(facts["classes"]),
            sides=(tuple(side_0), tuple(side_1)),
            shape=tuple(facts["shape"]),
            model=facts["model"],
            fingerprint=Fingerprint(arrays["probes"], arrays["logits"]),
            training=facts["training"],
        )


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
            f"generator: {name} was trained on images of {trained}, these have {_size(shape)}: read"
            " them as for its training (--size, --grey)"
        )
    numbered = tuple(f"class {number}" for number in range(len(classes)))
    named = numbered not in (tuple(classes), generator.classes)
    if len(classes) != len(generator.classes) or (named and tuple(classes) != generator.classes):
        raise InputError(
            f"generator: {name} was trained for the classes {', '.join(generator.classes)}, these"
            f" are {', '.join(classes)}: give the classes of the training, in its order"
        )
    check_same_model(
        generator.fingerprint,
        classifier,
        what=f"generator: {name} was trained on the decisions of another model, {generator.model}",
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


def _size(shape: Sequence[int]) -> str:
    return f"{shape[0]}x{shape[1]} pixels and {shape[2]} channels"
