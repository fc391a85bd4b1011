"""Looking at many files at once: which hold images, and which cannot be used."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from cfx_jax.data.display_window import Window
from cfx_jax.data.sources.collected_files import CollectedFile, Remarks
from cfx_jax.data.sources.decoding import quiet_opencv
from cfx_jax.data.sources.file_listing import Entry, folders_of, short_names
from cfx_jax.data.sources.images_in_file import Contents, survey
from cfx_jax.data.user_files import DamagedFile
from cfx_jax.errors import InputError, import_extra

_PROGRESS_FROM = 2000  # files; looking at fewer takes a moment only

_Contents = tuple[Contents, Contents | None]
"""The images of a file, and the images of its mask."""


def collect_files(
    entries: Sequence[Entry], remarks: Remarks, *, window: Window, progress: bool
) -> list[CollectedFile]:
    """Finds the files that hold images.

    Args:
        entries: any files.
        remarks: takes what is skipped and what is left out.
        window: see ``open_images``.
        progress: whether to show a progress bar for many files.

    Returns:
        The files that can be used, in their order.

    Raises:
        InputError: there are none.
    """
    surveyed = _survey_all(entries, window, progress=progress)
    pairs = [
        (entry, result)
        for entry, result in zip(entries, surveyed, strict=True)
        if not isinstance(result, str)
    ]
    remarks.left_out.update(result for result in surveyed if isinstance(result, str))
    if not pairs:
        raise InputError(_nothing(len(entries), remarks))
    names = short_names([entry.file for entry, _ in pairs])
    folders = folders_of([entry for entry, _ in pairs])
    files = list[CollectedFile]()
    for name, below, (entry, result) in zip(names, folders, pairs, strict=True):
        if isinstance(result, Exception):
            remarks.skipped.append(f"{name}: {result}")
        else:
            files.append(CollectedFile(name, entry._replace(folders=below), *result))
    if not files:
        raise InputError(_nothing(len(entries), remarks))
    return files


def _survey_all(
    entries: Sequence[Entry], window: Window, *, progress: bool
) -> list[_Contents | str | Exception]:
    """The contents of each file and its mask; what it is if it is no image, or what is wrong."""
    tqdm = import_extra("tqdm", "progress bars").tqdm
    hidden = None if progress and len(entries) >= _PROGRESS_FROM else True  # None: on a terminal

    def survey_one(entry: Entry) -> _Contents | str | Exception:
        try:
            contents = survey(entry.file, window=window)
            if isinstance(contents, str):
                return contents
            if not contents.numbers:
                return DamagedFile("all its slices are empty")
            return contents, entry.mask and _survey_mask(entry, contents)
        except (DamagedFile, InputError) as error:
            return error

    with quiet_opencv(), ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(tqdm(pool.map(survey_one, entries), "files", len(entries), disable=hidden))


def _survey_mask(entry: Entry, contents: Contents) -> Contents:
    """The images that the file of a mask holds; they must fit the images of its image file."""
    assert entry.mask is not None
    try:
        mask = survey(entry.mask, window="full")
    except (DamagedFile, InputError) as error:
        raise DamagedFile(f"its mask '{entry.mask.path.name}': {error}") from error
    if isinstance(mask, str):
        raise DamagedFile(f"its mask '{entry.mask.path.name}' is no image")
    if _extent(mask) != _extent(contents):
        raise DamagedFile(
            f"expected a mask of {_size(contents)}, as the image is, got {_size(mask)} in"
            f" '{entry.mask.path.name}'"
        )
    return mask


def _extent(contents: Contents) -> tuple[int, int, int]:
    return contents.height, contents.width, len(contents.numbers) + contents.num_empty


def _size(contents: Contents) -> str:
    number = len(contents.numbers) + contents.num_empty
    stack = f"{number} x " if number > 1 else ""
    return f"{stack}{contents.height} x {contents.width}"


def _nothing(number: int, remarks: Remarks) -> str:
    """Says why no file can be used."""
    kinds = "PNG, JPEG, TIFF, BMP, WebP, DICOM or NIfTI"
    if remarks.skipped:
        return f"images: none of {number} files can be used; the first: {remarks.skipped[0]}"
    return f"images: expected {kinds} files, found {describe(remarks.left_out) or 'no files'}"


def describe(left_out: Mapping[str, int]) -> str:
    """Counts of files by what they are, the most frequent first."""
    return ", ".join(f"{count} {what}" for what, count in Counter(left_out).most_common())
