"""The images of the experiment: synthetic fundus photographs or a user's folder, split once and for all."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from cfx_jax.data import ArraySource, ImageFolder, SyntheticFundus, load_arrays, split
from cfx_jax.errors import InputError
from experiments.fundus_vce.config import Config
from experiments.stages import Arrays, Workspace


class Data(NamedTuple):
    """Images in memory and their split.

    Attributes:
        arrays: ``image`` (n, h, w, c) and ``label`` (n,); for synthetic data ``lesion_mask`` and ``eye_mask`` (n, h, w).
        parts: positions of the images of ``train``, ``validation``, ``temperature`` and ``test``.
        class_names: two names, the finding last.
        note: what a reader must know beside every figure.
        identity: what the data depend on.
    """

    arrays: Arrays
    parts: Mapping[str, np.ndarray]
    class_names: tuple[str, ...]
    note: str
    identity: Mapping[str, object]

    def part(self, name: str) -> Arrays:
        """The arrays of one part, in the order of its positions."""
        return {field: values[self.parts[name]] for field, values in self.arrays.items()}

    @property
    def source(self) -> ArraySource:
        """All images as a source for training."""
        return ArraySource(self.arrays["image"], self.arrays["label"], self.class_names)


def load(config: Config, workspace: Workspace) -> Data:
    """Loads or draws the images and splits them.

    Raises:
        InputError: ``data`` is neither 'synthetic' nor 'folder:PATH', or the folder cannot be used.
    """
    if config.data == "synthetic":
        arrays, names, identity = _synthetic(config, workspace)
        note = "Synthetic data: drawn by a program, no patient's eye."
    elif config.data.startswith("folder:"):
        arrays, names, identity = _folder(config)
        note = "Split by image: where several images show one person, accuracy on new persons is lower than printed."
    else:
        raise InputError(f"--data: expected 'synthetic' or 'folder:PATH', got {config.data!r}")
    shares = {"validation": config.validation, "temperature": config.temperature, "test": config.test}
    rest = 1 - sum(shares.values())
    if rest <= 0:
        raise InputError(f"--validation, --temperature, --test: expected a sum below 1, got {1 - rest:g}")
    parts = split(arrays["label"], {"train": rest, **shares}, seed=config.seed)
    shuffled = {name: np.random.default_rng(config.seed).permutation(items) for name, items in parts.items()}
    return Data(arrays, shuffled, names, note, {**identity, "shares": shares, "seed": config.seed})


def _synthetic(config: Config, workspace: Workspace) -> tuple[Arrays, tuple[str, ...], dict[str, object]]:
    if config.classes or config.channels != 3:
        raise InputError("--classes, --channels: the synthetic images have their own; leave these out, or give --data")
    identity = {
        "data": "synthetic",
        "num_images": config.num_images,
        "size": config.image_size,
        "severity": config.severity,
        "seed": config.seed,
    }

    def draw() -> Arrays:
        source = SyntheticFundus(config.num_images, size=config.image_size, severity=config.severity, seed=config.seed)
        fields = ("image", "label", "lesion_mask", "eye_mask")
        return load_arrays(source, np.arange(len(source)), fields=fields, progress=True)

    return workspace.cached("synthetic", identity, draw), tuple(SyntheticFundus.class_names), identity


def _folder(config: Config) -> tuple[Arrays, tuple[str, ...], dict[str, object]]:
    path = config.data.removeprefix("folder:")
    names = list(config.classes) or None
    folder = ImageFolder(path, size=config.image_size, channels=config.channels, class_names=names)
    if len(folder.class_names) != 2:
        raise InputError(
            f"--data: expected two classes, found {len(folder.class_names)} ({', '.join(folder.class_names)}): choose two,"
            f" e.g. --classes {folder.class_names[0]} {folder.class_names[1]}"
        )
    arrays = load_arrays(folder, np.arange(len(folder)), fields=("image", "label"))
    identity = {
        "data": config.data,
        "classes": list(folder.class_names),
        "size": config.image_size,
        "channels": config.channels,
        "num_images": len(folder),
    }
    return arrays, tuple(folder.class_names), identity
