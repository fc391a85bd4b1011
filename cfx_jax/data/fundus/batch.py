"""Preparing many photographs into a folder, on all processor cores.

A run that was stopped goes on where it was.

The folder then holds ``images/NAME.png``, ``eye_masks/NAME.png``, ``lesion_masks/KIND/NAME.png``
(masks are 0 or 255), ``report.csv`` with one line for each photograph that is finished or dropped,
and ``settings.json``.
"""

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Shaped, UInt8

from cfx_jax.data.fundus.crop import crop_mask
from cfx_jax.data.fundus.pixels import Circle, UnusableImage
from cfx_jax.data.fundus.preprocess import preprocess
from cfx_jax.data.fundus.progress_report import Outcome, ProgressReport
from cfx_jax.data.sources.decoding import decode_image, quiet_opencv, unit_range
from cfx_jax.data.user_files import DamagedFile, is_text, read_file, shown_name
from cfx_jax.errors import InputError, import_extra
from cfx_jax.files import read_json, replacing, write_text
from cfx_jax.locks import locked


@dataclass(frozen=True)
class Job:
    """One photograph to prepare.

    Args:
        name: unique; the names of its files. Slashes make sub-folders.
        image: the photograph, a PNG, JPEG or TIFF file.
        masks: kind of lesion -> the file of its mask, of the photograph's shape, above 0 where
            there is a lesion.
    """

    name: str
    image: Path
    masks: Mapping[str, Path] = field(default_factory=dict)


class PreparedFiles(NamedTuple):
    """The photographs that were prepared, and those that cannot be used.

    Attributes:
        kept: names in the order of the jobs.
        dropped: name -> the reason.
    """

    kept: list[str]
    dropped: dict[str, str]


def prepare_files(
    jobs: Sequence[Job],
    out: Path,
    *,
    size: int = 224,
    clahe: bool = True,
    num_threads: int | None = None,
    progress: bool = True,
) -> PreparedFiles:
    """Prepares photographs and their lesion masks, see :func:`preprocess`, as PNG files.

    Stopped, even by a kill, and started again it goes on: finished photographs are not read again,
    at most those in work are repeated, and no file is ever half written. A dropped photograph is
    not tried again; to have it tried, take its line out of ``report.csv``.

    Args:
        jobs: the photographs.
        out: the folder to write to; made where it is missing.
        size: side of the results in pixels.
        clahe: whether to even out the local contrast.
        num_threads: photographs in work at once; None takes one for each processor core.
        progress: whether to show a progress bar.

    Returns:
        The names that were kept and those that were dropped, each with the reason.

    Raises:
        InputError: a name occurs twice or is no relative path, the folder was written with other
            settings, another process prepares photographs there, a lesion mask cannot be read or
            has another shape than its photograph, or a file cannot be written.
    """
    _check(jobs, size, num_threads)
    with locked(out, doing="prepares photographs"):
        return _prepare_all(jobs, out, size, clahe, num_threads, progress)


def _prepare_all(
    jobs: Sequence[Job], out: Path, size: int, clahe: bool, num_threads: int | None, progress: bool
) -> PreparedFiles:
    _check_settings(out / "settings.json", {"size": size, "clahe": clahe})
    report = ProgressReport(out / "report.csv")
    waiting = [job for job in jobs if not _is_finished(job, out, report)]
    tqdm = import_extra("tqdm", "progress bars").tqdm
    pool = ThreadPoolExecutor(num_threads or os.cpu_count())
    try:
        with quiet_opencv():
            futures = [pool.submit(_prepare, job, out, size, clahe) for job in waiting]
            hidden = None if progress else True  # None: hidden unless on a terminal
            for future in tqdm(
                as_completed(futures), "preparing photographs", len(futures), disable=hidden
            ):
                report.add(future.result())
    finally:
        pool.shutdown(cancel_futures=True)
    outcomes = [report.outcomes[job.name] for job in jobs]
    dropped = {outcome.name: outcome.reason for outcome in outcomes if outcome.circle is None}
    return PreparedFiles([outcome.name for outcome in outcomes if outcome.circle], dropped)


def _prepare(job: Job, out: Path, size: int, clahe: bool) -> Outcome:
    """Prepares and writes one photograph with its masks."""
    try:
        pixels = _eight_bits(decode_image(read_file(job.image), channels=3))
        image, eye_mask, circle = preprocess(pixels, size=size, clahe=clahe)
    except (UnusableImage, DamagedFile) as error:
        return Outcome(job.name, str(error), None)
    files: dict[tuple[str, ...], np.ndarray] = {("images",): image, ("eye_masks",): eye_mask}
    for kind, path in job.masks.items():
        files["lesion_masks", kind] = _lesions(path, job.image, circle, size, pixels.shape[:2])
    for folders, content in files.items():
        _write_png(_path(out, folders, job.name), content)
    return Outcome(job.name, "", circle)


def _is_finished(job: Job, out: Path, report: ProgressReport) -> bool:
    """Whether the report has the photograph and all its files are there.

    Of one that was dropped there are no files.
    """
    outcome = report.outcomes.get(job.name)
    if outcome is None or outcome.circle is None:
        return outcome is not None
    folders = [("images",), ("eye_masks",), *(("lesion_masks", kind) for kind in job.masks)]
    return all(_path(out, folder, job.name).exists() for folder in folders)


def _path(out: Path, folders: tuple[str, ...], name: str) -> Path:
    return out.joinpath(*folders, f"{name}.png")


def _lesions(
    path: Path, image: Path, circle: Circle, size: int, shape: tuple[int, int]
) -> Bool[np.ndarray, "s s"]:
    """A lesion mask, cropped as its photograph was."""
    try:
        pixels = decode_image(read_file(path), channels=3)
        mask = pixels.max(axis=-1) > 0  # some sets draw their masks in colour
        return crop_mask(mask, circle, size=size, image_shape=shape)
    except (DamagedFile, InputError) as error:
        raise InputError(f"lesion mask '{path}' of '{image}': {error}") from error


def _eight_bits(pixels: Shaped[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return (
        pixels if pixels.dtype == np.uint8 else np.round(unit_range(pixels) * 255).astype(np.uint8)
    )


def _write_png(path: Path, pixels: Shaped[np.ndarray, "h w ..."]) -> None:
    cv2 = import_extra("cv2", "writing image files")
    pixels = pixels[..., ::-1] if pixels.ndim == 3 else pixels * np.uint8(255)
    with replacing(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def _check_settings(path: Path, settings: dict[str, Any]) -> None:
    """Writes the settings into a new folder; compares them in one that has them."""
    if not path.exists():
        write_text(path, json.dumps(settings, indent=2) + "\n")
        return
    earlier = read_json(path, advice="restore it, or choose another folder")
    if json.dumps(earlier, sort_keys=True) != json.dumps(settings, sort_keys=True):
        raise InputError(
            "out: expected the settings of the earlier run,"
            f" {' '.join(json.dumps(earlier, indent=2).split())} ({path}), got"
            f" {json.dumps(settings)}: choose another folder, or the same settings"
        )


def _check(jobs: Sequence[Job], size: int, num_threads: int | None) -> None:
    if size < 1:
        raise InputError(f"size: expected at least 1 pixel, got {size}: give e.g. 224")
    if num_threads is not None and num_threads < 1:
        raise InputError(
            f"num_threads: expected at least 1, got {num_threads}: None takes one for each core"
        )
    seen = dict[str, Path]()
    for job in jobs:
        parts = PurePosixPath(job.name).parts
        if str(PurePosixPath(*parts)) != job.name or not parts or {"..", "/", "."} & set(parts):
            raise InputError(
                f"jobs: expected names that are relative paths such as 'a/b', got '{job.name}'"
            )
        if not is_text(job.name):
            raise InputError(
                f"jobs: expected names in UTF-8, got '{shown_name(job.name)}': rename the file or"
                " its folder"
            )
        if job.name in seen:
            raise InputError(
                f"jobs: expected names used once, got '{job.name}' for '{seen[job.name]}' and"
                f" '{job.image}'"
            )
        seen[job.name] = job.image
