"""The classes of images: which are taken, how they are named, merged and ordered."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from cfx_jax.data.sources.collected_files import CollectedFile, Remarks
from cfx_jax.data.sources.folder_or_zip import natural_key
from cfx_jax.data.user_files import shown_name
from cfx_jax.errors import InputError

_NAMED = 5  # labels that a message names
_PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}


class ClassChoice(NamedTuple):
    """One class as a user wants it.

    Attributes:
        name: the name of the class.
        labels: the labels that are merged into the class.
    """

    name: str
    labels: tuple[str, ...]


def choose_classes(
    wanted: Sequence[str], known: Sequence[str], *, all_known: bool = True, hint: str = ""
) -> tuple[ClassChoice, ...]:
    """Reads what a user writes of classes.

    Args:
        wanted: for each class ``LABEL``, ``LABEL=NAME``, ``LABEL+LABEL`` or ``LABEL+LABEL=NAME``,
            in the order of the numbers that classes get; empty takes all as they are.
        known: the labels that images have.
        all_known: whether each label that is written must be known, or only one of them.
        hint: the end of a message about an unknown label.

    Returns:
        The classes.

    Raises:
        InputError: a label is not known or occurs twice, or two classes have one name.

    Example:
        >>> choose_classes(["no_tumor=healthy", "a+b=sick"], ["a", "b", "no_tumor"])[1]
        ClassChoice(name='sick', labels=('a', 'b'))
    """
    all_labels = frozenset(known)
    choices = tuple(_read(text, all_labels) for text in wanted or known)
    labels = Counter(label for choice in choices for label in choice.labels)
    unknown = [label for label in labels if label not in all_labels]
    if unknown and (all_known or len(unknown) == len(labels)):
        raise InputError(
            f"classes: expected labels out of {_some(known)}, got {unknown[0]!r}: write LABEL,"
            f" LABEL=NAME or LABEL+LABEL=NAME{hint}"
        )
    twice = [label for label, count in labels.items() if count > 1]
    if twice:
        raise InputError(f"classes: expected each label once, got {twice[0]!r} twice")
    names = Counter(choice.name for choice in choices)
    twice = [one for one, count in names.items() if count > 1]
    if twice:
        raise InputError(
            f"classes: expected different names, got {twice[0]!r} twice: merge labels as"
            f" LABEL+LABEL={twice[0]}"
        )
    return choices


def take_split_folders(files: Sequence[CollectedFile]) -> list[CollectedFile]:
    """Takes the first level of folders for the parts of a split, where all are called so.

    ``train/healthy/1.png`` and ``test/sick/2.png`` then lie in folders of classes.
    """
    are_parts = all(
        len(file.entry.folders) > 1 and file.entry.folders[0].casefold() in _PARTS for file in files
    )
    if not are_parts:
        return list(files)
    return [
        file._replace(
            entry=file.entry._replace(
                split=file.entry.split or file.entry.folders[0], folders=file.entry.folders[1:]
            )
        )
        for file in files
    ]


def find_labels(
    files: Sequence[CollectedFile],
    classes: Sequence[str],
    remarks: Remarks,
    *,
    labelled: bool,
    by_folder: bool = False,
) -> tuple[list[CollectedFile], tuple[str, ...]]:
    """Finds the class of each file: by a table, or by the first of the folders that sort it.

    Args:
        files: the files.
        classes: see ``open_images``.
        remarks: takes what is left out.
        labelled: see ``open_images``.
        by_folder: whether folders are groups, so that they are classes only above others.

    Returns:
        The files that are of a class with their labels, or all where no classes are known; and the
        names of the classes.

    Raises:
        InputError: see ``choose_classes``; no labels are known, and they are needed.
    """
    stated = any(file.entry.label is not None for file in files)
    texts = [_label_of(file) for file in files]
    is_flat = all(len(file.entry.folders) < 2 for file in files)
    known = sorted({text for text in texts if text is not None}, key=natural_key)
    is_group = by_folder and is_flat
    if not (stated or labelled) and (is_group or not _are_classes(texts, known, classes)):
        if classes and known and not is_group:
            remarks.notes.append(
                f"The folders {_some(known)} are no classes: no true class is known."
            )
        return list(files), tuple(text.partition("=")[2] or text for text in classes)
    if not known:
        raise InputError(
            f"images: expected one sub-folder for each class, or a table csv:FILE with a column"
            f" label; found {len(files)} files without a class{remarks.hint}"
        )
    choices = choose_classes(classes, known, all_known=labelled, hint=remarks.hint)
    number = {label: place for place, choice in enumerate(choices) for label in choice.labels}
    for text in texts:
        if text not in number:
            remarks.left_out["images without a class" if text is None else f"images of {text}"] += 1
    kept = [
        file._replace(label=number[text])
        for file, text in zip(files, texts, strict=True)
        if text in number
    ]
    return kept, tuple(choice.name for choice in choices)


def _label_of(file: CollectedFile) -> str | None:
    label = file.entry.label or next(iter(file.entry.folders), None)
    return None if label is None else shown_name(label)


def _are_classes(texts: Sequence[str | None], known: Sequence[str], classes: Sequence[str]) -> bool:
    """Whether folders are likely to be classes."""
    if classes:
        labels = frozenset(known)
        return any(label in labels for text in classes for label in _read(text, labels).labels)
    return len(known) > 1 and None not in texts


def _some(texts: Sequence[str]) -> str:
    """The first few of several texts."""
    return ", ".join(texts[:_NAMED]) + (", ..." if len(texts) > _NAMED else "")


def _read(text: str, known: frozenset[str]) -> ClassChoice:
    """A class; a label may itself hold the signs that merge and rename."""
    if text in known:
        return ClassChoice(text, (text,))
    left, _, name = text.partition("=")
    labels = (left,) if left in known else tuple(left.split("+"))
    return ClassChoice(name or left, labels)
