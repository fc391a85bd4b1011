"""Saliency maps of the volumes of a source, computed once and kept in files, one for each scan.

ACAT (Fontanella et al. 2023) and its competitors take a volume together with its map, which stays
fixed while they train. Each file names the scan that its map is of by a fingerprint of the scan's
voxels, and how the map was made by a text from the caller. So neither maps of other slices, sizes
or scans, nor maps of another classifier can be taken by mistake: the published code reads maps that
are not aligned with their scans without notice.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import check_array, check_integer
from cfx_jax.data.image_source import ImageSource, check_indices
from cfx_jax.data.volumes_with_saliency import VolumesWithSaliency
from cfx_jax.errors import InputError, import_extra
from cfx_jax.files import as_path, replacing
from cfx_jax.locks import locked

Explain = Callable[[Float[np.ndarray, "s h w c"]], Float[AnyArray, "s h w"]]


def write_saliency(
    folder: str | Path,
    index: int,
    volume: Float[AnyArray, "s h w c"],
    saliency: Float[AnyArray, "s h w"],
    *,
    origin: str,
) -> Path:
    """Writes the map of one scan, whole or not at all.

    Args:
        folder: the folder of the maps of one source.
        index: the scan's place in the source, which names the file.
        volume: the scan as the classifier sees it.
        saliency: its map.
        origin: a description of how the maps are made, e.g. a fingerprint of the classifier and the
            options.

    Returns:
        The file.

    Raises:
        InputError: a map of another shape than the volume's slices, or values that are not finite;
            or it cannot be written.
    """
    check_integer(index, name="index", at_least=0)
    check_array(volume, name="volume")
    check_array(saliency, name="saliency")
    values = np.asarray(saliency, np.float32)
    if values.shape != volume.shape[:-1] or volume.ndim != 4:
        raise InputError(
            "saliency: expected a map (s, h, w) of the volume (s, h, w, c), got shapes"
            f" {values.shape} and {volume.shape}: give one map for the slices that the classifier"
            " sees"
        )
    if not np.isfinite(values).all():
        raise InputError(
            f"saliency: expected finite values, got NaN or infinity for scan {index}: look for the"
            " cause"
        )
    file = _file(folder, index)
    with replacing(file, durable=True) as temporary, temporary.open("wb") as stream:
        np.savez(stream, saliency=values, identity=np.array(_identity(volume, origin)))
    return file


def read_saliency(
    folder: str | Path, index: int, volume: Float[AnyArray, "s h w c"], *, origin: str
) -> Float[np.ndarray, "s h w"]:
    """Reads the map of one scan.

    Args:
        folder: the folder of the maps.
        index: the scan's place in the source.
        volume: the scan as the classifier sees it.
        origin: the description that the map must have, see ``write_saliency``.

    Returns:
        The map as it was written.

    Raises:
        InputError: there is no such file, it is damaged, or its map is of another scan or was made
            otherwise.
    """
    file = _file(folder, index)
    if not file.is_file():
        raise InputError(
            f"expected the map of scan {index} in '{file}', which does not exist: run"
            " write_saliency_of first"
        )
    try:
        with np.load(file) as content:
            saliency, identity = content["saliency"], str(content["identity"])
    except Exception as error:  # a damaged archive fails in any way
        raise _DamagedError(
            f"'{file}' is damaged ({error}): remove it and compute it again"
        ) from error
    if identity != _identity(volume, origin):
        raise InputError(
            f"'{file}': expected the map of this scan {index}, with these slices and this size, of"
            f" origin '{origin}'; it is another one's: give the folder of this source, or remove it"
            " to compute its maps again"
        )
    return saliency


def write_saliency_of(
    source: ImageSource,
    indices: Int[np.ndarray, " n"],
    folder: str | Path,
    explain: Explain,
    *,
    origin: str,
    progress: bool = True,
) -> int:
    """Computes and writes the maps of a source's scans; those that are there already are kept.

    A run that was stopped goes on where it was: only the map in work is computed again, and what is
    damaged.

    Args:
        source: volumes ``image``.
        indices: which of them.
        folder: the folder of the maps; one folder for each source and origin.
        explain: volume (s, h, w, c) -> map (s, h, w).
        origin: see ``write_saliency``.
        progress: whether to show a progress bar.

    Returns:
        How many maps were computed.

    Raises:
        InputError: the indices do not fit the source; a file is there of another scan or made
            otherwise; a map cannot be used or written; or another process computes maps in this
            folder.
    """
    tqdm = import_extra("tqdm", "progress bars").tqdm
    positions, computed = check_indices(source, indices).tolist(), 0
    with locked(folder, doing="computes saliency maps"):
        for index in tqdm(positions, "saliency maps", disable=None if progress else True):
            volume = source[index]["image"]
            if not _is_there(folder, index, volume, origin):
                write_saliency(folder, index, volume, explain(volume), origin=origin)
                computed += 1
    return computed


class WithSaliency(VolumesWithSaliency):
    """A source whose items have their maps, read from files: ``saliency`` float32 (s, h, w, 1).

    Args:
        source: volumes ``image`` with labels.
        folder: the folder of the maps.
        origin: see ``write_saliency``.

    Attributes:
        source, class_names: the source, and its classes.
        labels: the label of each item.

    Raises:
        InputError: a label is not one of the classes; and for an item, see ``read_saliency``.
    """

    def __init__(self, source: ImageSource, folder: str | Path, *, origin: str) -> None:
        super().__init__(source)
        self._folder, self._origin = Path(folder), origin

    def saliency_of(
        self, index: int, volume: Float[np.ndarray, "s h w c"]
    ) -> Float[np.ndarray, "s h w 1"]:
        """The map of the volume at a place of the source; errors as ``read_saliency``."""
        return read_saliency(self._folder, index, volume, origin=self._origin)[..., None]


class _DamagedError(InputError):
    """A file of a map that cannot be read."""


def _is_there(
    folder: str | Path, index: int, volume: Float[AnyArray, "s h w c"], origin: str
) -> bool:
    """Whether a scan's map can be read; errors as ``read_saliency``, but for damage."""
    if not _file(folder, index).is_file():
        return False
    try:
        read_saliency(folder, index, volume, origin=origin)
    except _DamagedError:
        return False
    return True


def _file(folder: str | Path, index: int) -> Path:
    return as_path(folder, name="folder") / f"{index:06d}.npz"


def _identity(volume: Float[AnyArray, "s h w c"], origin: str) -> str:
    """A fingerprint of a scan's voxels and shape, and of how its map is made."""
    voxels = np.ascontiguousarray(volume, np.float32)
    return hashlib.sha256(repr((voxels.shape, origin)).encode() + voxels.tobytes()).hexdigest()
