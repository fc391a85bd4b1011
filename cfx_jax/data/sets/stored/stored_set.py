"""A published set as a random-access source; it is stored at its first use."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped

from cfx_jax.data.sets.stored.spec import Integers, Kind, SetSpec
from cfx_jax.data.sources.decoding import unit_range
from cfx_jax.errors import InputError, import_extra


class StoredSet:
    """A published set, prepared and stored once, then read from the disk in any order.

    The first use reads every file, which takes minutes or, for a large set, hours; later ones open
    what is stored. It can be pickled and read by several threads.

    Args:
        spec: the set.
        raw_folder: the set as it was downloaded and unpacked, in the layout that its reader
            describes. None opens a set that has been stored, without a look at its raw files.
        work_folder: where the prepared images are kept, for all sets and sizes.
        size: side of the images in pixels; of volumes, the numbers of slices, rows and columns.
        progress: whether to show progress bars while images are prepared.
        part: name of the subset; becomes part of ``name`` and so of ``identity``.
        changes: fields of ``spec`` to replace.

    Attributes:
        name: the set's name, and its part where it has one.
        size: the argument of the same name.
        left_out: how many images of the set are not stored; a class that counts otherwise says so.
        identity: a fingerprint of the set's facts, what was dropped, the name, the size, and the
            options by which a class chooses items or labels; for caches of results.

    Raises:
        InputError: the raw folder lacks something that the set has, or differs from the one that
            the set was stored from; a file cannot be used; the work folder cannot be written; an
            option is unknown; or there is no set to open.
    """

    def __init__(
        self,
        spec: SetSpec,
        raw_folder: str | Path | None,
        work_folder: str | Path,
        *,
        size: Any,
        progress: bool,
        part: str = "",
        **changes: Any,
    ) -> None:
        self._check_size(size)
        import_extra("tensorflow_datasets", f"storing {spec.entries}")
        from cfx_jax.data.sets.stored.builder import builder_class, open_or_build

        make_builder = builder_class(spec)
        builder = make_builder(data_dir=work_folder, size=size, progress=progress, changes=changes)
        stored = open_or_build(builder, raw_folder)
        self.name, self.size = f"{spec.name} {part}".strip(), size
        self._features = spec.features
        self._examples = stored.as_data_source("images")
        self._metadata = stored.info.metadata
        self._indices = np.arange(len(self._metadata["facts"]))
        self.left_out: int = self._metadata.get("left_out", 0)
        dropped = sorted(self._metadata.get("dropped", ()))
        described = [self.name, size, str(stored.version), self._metadata["digest"], dropped]
        self.identity = hashlib.sha256(repr(described).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """All that is stored of one item, under the names of the spec's features."""
        example = self._example(index)
        return {name: self._decode(kind, example[name]) for name, kind in self._features.items()}

    @staticmethod
    def _check_size(size: Any) -> None:
        if size < 1:
            raise InputError(
                f"size: expected a side in pixels, 1 or more, got {size}: give e.g. 224"
            )

    def _keep(self, kept: Bool[np.ndarray, " n"]) -> None:
        """Drops all items but those where ``kept`` is True."""
        self._indices = self._indices[kept]

    def _example(self, index: int) -> dict[str, Any]:
        """All that is stored of one item; texts are bytes, images have 8 bits."""
        return self._examples[int(self._indices[index])]

    def _decode(self, kind: Kind | Integers, value: Any) -> Any:
        """A value as it was before it was stored; images come back rounded to 8 bits."""
        if kind in (Kind.GREY, Kind.COLOUR):
            image = unit_range(value)
            return image.reshape(*self.size, 1) if isinstance(self.size, tuple) else image
        if kind is Kind.MASK:
            return value[..., 0] > 0
        if kind is Kind.TEXT:
            return value.decode()
        return int(value) if kind is Kind.NUMBER else value

    def _facts(self, key: str) -> Shaped[np.ndarray, "n *shape"]:
        """One fact of all items."""
        return np.array([facts[key] for facts in self._metadata["facts"]])[self._indices]

    def _add_to_identity(self, *options: object) -> None:
        """Makes ``identity`` depend on options that choose items or labels of what is stored."""
        self.identity = hashlib.sha256(repr((self.identity, *options)).encode()).hexdigest()
