"""Opening a user's images: files, folders, zips, tables; pictures, DICOM and NIfTI."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral
from pathlib import Path
from typing import Any

from cfx_jax.checks import check_choice, check_flag, check_text, check_texts
from cfx_jax.data.display_window import Window, check_window
from cfx_jax.data.sources.class_choice import find_labels, take_split_folders
from cfx_jax.data.sources.collected_files import CollectedFile, Remarks
from cfx_jax.data.sources.collection import ImageCollection
from cfx_jax.data.sources.decoding import quiet_opencv
from cfx_jax.data.sources.file_listing import Entry, each_once, list_files
from cfx_jax.data.sources.file_survey import collect_files, describe
from cfx_jax.data.sources.grouping import find_groups, group_column
from cfx_jax.data.sources.images_in_file import depth_of, largest_value
from cfx_jax.data.sources.label_file import read_label_file
from cfx_jax.data.splits import evenly_spread
from cfx_jax.errors import InputError

_TABLE = "csv:"
_NAMED = 100  # classes whose images are counted in a sentence
_SAMPLE = 100  # pictures of 16 bits whose values are looked at
_LONGEST = 2**14  # pixels of a side that images are resized to

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def open_images(
    paths: Paths,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    window: Window = "file",
    classes: Sequence[str] = (),
    groups: str | None = None,
    labelled: bool = False,
    progress: bool = False,
) -> ImageCollection:
    """Opens images as people have them: PNG, JPEG, TIFF, BMP, WebP, DICOM and NIfTI.

    Files are looked at, not decoded: only headers are read, and of volumes which slices are empty.
    Of a TIFF file of several pages, and of an animation, the first picture is read.

    Args:
        paths: files, folders, zip archives, and tables as ``csv:FILE`` with the columns path, and
            optionally label, group, split and mask; paths in a table are relative to it. Folders
            are searched through: the first level of folders are classes where there are several,
            and every image is in one; below folders that are called train, validation and test the
            second.
        size: a side or (height, width) in pixels that images are resized to, each axis by itself;
            None takes them as they are.
        channels: 1 or 3; None takes 3 where a file is stored in colour, else 1.
        window: the values that become 0 and 1. "file": what the file says; pictures of 16 bits that
            use 10, 12 or 14 of them are found and scaled by these, volumes without a window by
            their smallest and largest value. (centre, width): centre - width / 2 and centre +
            width / 2, in the file's numbers. "values": each image's smallest and largest. "full":
            all that the file's type can hold.
        classes: in the order of the labels, ``LABEL``, ``LABEL=NAME`` or ``LABEL+LABEL=NAME``,
            where a label is the name of a folder or stands in a table; images of others are left
            out. Empty takes all, sorted by name.
        groups: what belongs together: "folder", the folder that an image lies in; "column:NAME" of
            a table; or a regular expression with one group, searched for in the names, such as
            ``(patient[0-9]+)``. None takes a table's column ``group``, or else where a file holds
            several images the file.
        labelled: whether each image must have a class. Without, folders that are none of
            ``classes`` are no classes.
        progress: whether to show a progress bar for many files.

    Returns:
        The images, see ``ImageCollection``; what is skipped and why in ``skipped``, and sentences
        for the user in ``notes``.

    Raises:
        InputError: a path, an option or a table cannot be used; no image can be; sizes differ
            without ``size``; a label is no class, or a class has no image; a group is in two
            splits.

    Example:
        >>> import tempfile, cv2
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("healthy", "sick"):
        ...     (folder / name).mkdir()
        ...     written = cv2.imwrite(str(folder / name / "1.png"), np.zeros((8, 6), np.uint8))
        >>> images = open_images(folder, classes=("healthy", "sick"))
        >>> images.names, images.labels.tolist(), images[0]["image"].shape
        (('healthy/1.png', 'sick/1.png'), [0, 1], (8, 6, 1))
    """
    check_window(window)
    resized = _check_size(size)
    check_choice(channels, (None, 1, 3), name="channels")
    check_texts(classes, name="classes")
    check_text(groups, name="groups", or_none=True)
    check_flag(labelled, name="labelled")
    check_flag(progress, name="progress")
    remarks = Remarks()
    entries, has_masks = _list(paths, groups, remarks)
    files = collect_files(entries, remarks, window=window, progress=progress)
    files, names = find_labels(
        take_split_folders(files),
        tuple(classes),
        remarks,
        labelled=labelled,
        by_folder=groups == "folder",
    )
    if labelled:
        _check_classes(files, names, remarks)
    files = find_groups(files, groups)
    height, width = resized or _common_size(files)
    stored = max(file.contents.channels for file in files)
    depth = _find_depth(files, remarks) if window == "file" else None
    _tell(files, names, remarks)
    return ImageCollection(
        files,
        shape=(height, width, channels or stored),
        size=resized,
        window=window,
        depth=depth,
        class_names=names,
        has_masks=has_masks,
        remarks=remarks,
    )


def _list(paths: Paths, groups: str | None, remarks: Remarks) -> tuple[list[Entry], bool]:
    """The files that the user names, and whether a table has a column of masks."""
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    named = list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(path, str | os.PathLike) for path in named):
        raise InputError(f"paths: expected a path, or paths in a list, got {paths!r}")
    tables = [str(path) for path in named if str(path).startswith(_TABLE)]
    column = group_column(groups)
    if column is not None and not tables:
        raise InputError(f"groups: expected a table csv:FILE with the column '{column}', got none")
    entries, has_masks = list[Entry](), False
    for text in tables:
        table = read_label_file(Path(text.removeprefix(_TABLE)), group_column=column)
        entries += table.entries
        has_masks |= table.has_masks
        remarks.skipped += table.skipped
        remarks.notes += [table.note] if table.note else []
    listed, unusable = list_files([Path(path) for path in named if str(path) not in tables])
    remarks.left_out.update(unusable)
    kept, num_again = each_once(entries + listed)  # a table's first: it knows more of them
    if num_again:
        remarks.left_out["files that are named twice"] = num_again
    return kept, has_masks


def _check_classes(files: Sequence[CollectedFile], names: Sequence[str], remarks: Remarks) -> None:
    """Checks that there are several classes."""
    if len(names) < 2:
        raise InputError(
            f"images: expected several classes, found {', '.join(names)} with {len(files)} images"
            f"{remarks.hint}: give one sub-folder for each class, or a table csv:FILE with a column"
            " label"
        )


def _common_size(files: Sequence[CollectedFile]) -> tuple[int, int]:
    """The height and width that all images have."""
    first = files[0]
    size = (first.contents.height, first.contents.width)
    for file in files:
        other = (file.contents.height, file.contents.width)
        if other != size:
            raise InputError(
                f"size: expected images of one size, got {size[0]} x {size[1]} ({first.name}) and"
                f" {other[0]} x {other[1]} ({file.name}): give a size, e.g. 224 224"
            )
    return size


def _find_depth(files: Sequence[CollectedFile], remarks: Remarks) -> int | None:
    """The bits that pictures of 16 bits use, by a sample of them; None where they use all."""
    deep = [file for file in files if file.contents.kind == "picture" and file.contents.bits == 16]
    if not deep:
        return None
    places = evenly_spread(len(deep), most=_SAMPLE)
    with quiet_opencv(), ThreadPoolExecutor(os.cpu_count()) as pool:
        values = list(pool.map(lambda place: largest_value(deep[place].entry.file), places))
    largest = max(values)
    depth = depth_of(largest)
    if not largest or depth == 16:
        return None
    remarks.notes.append(
        f"{len(deep)} pictures of 16 bits use {depth} of them (the largest value of {len(values)}"
        f" is {largest}): {2**depth - 1} is shown as white; --window CENTER WIDTH changes that."
    )
    return depth


def _tell(files: Sequence[CollectedFile], names: Sequence[str], remarks: Remarks) -> None:
    """Adds sentences on classes, volumes, files of several pictures and what is left out."""
    if files[0].label is not None:
        remarks.notes.append(_classes_in_words(files, names))
    volumes = [file for file in files if file.contents.kind == "NIfTI"]
    if volumes:
        remarks.notes.append(_volumes_in_words(volumes))
    several = [file.name for file in files if file.contents.has_further]
    if several:
        remarks.notes.append(
            f"Files that hold several pictures: {len(several)} (TIFF pages or an animation), such"
            f" as {several[0]}; the first picture of each is read."
        )
    if remarks.left_out:
        remarks.notes.append(f"Left out: {describe(remarks.left_out)}.")
    if remarks.skipped:
        remarks.notes.append(f"Skipped files: {len(remarks.skipped)}.")


def _classes_in_words(files: Sequence[CollectedFile], names: Sequence[str]) -> str:
    counts = Counter[int]()
    for file in files:
        counts[file.label or 0] += len(file.contents.numbers)
    shown = names[:_NAMED]
    listed = ", ".join(f"{counts[label]} {name}" for label, name in enumerate(shown))
    more = f" and {len(names) - len(shown)} classes more" if len(names) > len(shown) else ""
    return f"Images of each class: {listed}{more}."


def _volumes_in_words(volumes: Sequence[CollectedFile]) -> str:
    slices = sum(len(file.contents.numbers) for file in volumes)
    empty = sum(file.contents.num_empty for file in volumes)
    ways = ", ".join(sorted({file.contents.stacked for file in volumes}))
    return (
        f"{len(volumes)} volumes give {slices} slices, {ways}; {empty} empty slices are left out."
    )


def _check_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    pair: Any = (size, size) if isinstance(size, Integral) else size
    is_pair = isinstance(pair, Sequence) and len(pair) == 2
    if not is_pair or not all(isinstance(n, Integral) and 1 <= int(n) <= _LONGEST for n in pair):
        raise InputError(
            f"size: expected a side or (height, width) of 1 to {_LONGEST} pixels, got {size!r}:"
            " give e.g. 224"
        )
    return int(pair[0]), int(pair[1])
