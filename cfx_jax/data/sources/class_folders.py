"""Images in class folders: which files of a tree are images, and of which class."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from cfx_jax.data.sources.file_tree import FileTree
from cfx_jax.data.sources.picture_headers import DECODED, READERS, START, SUFFIXES, kind_of
from cfx_jax.data.user_files import is_text, printable
from cfx_jax.errors import InputError

Classes = Mapping[str, list[PurePosixPath]]

_CLUTTER = {"__macosx", "thumbs.db", "desktop.ini"}  # made by archivers and file managers


def find_classes(tree: FileTree) -> tuple[Classes, Counter[str]]:
    """Finds the class folders, at the top or one level below.

    One folder alone at the top that holds folders itself is looked into.

    A file is an image if its name ends like one (``SUFFIXES``, in letters of any case), or else if
    its first bytes are those of one.

    Args:
        tree: the files.

    Returns:
        Name of each class folder, sorted, -> its images at any depth, sorted; and how many visible
        files are no images or lie beside the class folders, by what they are.

    Raises:
        InputError: there are no class folders, or the name of one is no text.
    """
    images, left_out = find_images(tree)
    files = [file for file in tree.files() if not _is_hidden(file)]
    folders = [folder for folder in tree.folders() if not _is_hidden(folder)]
    top = _common_top(folders, files)
    classes: dict[str, list[PurePosixPath]] = {
        f.name: [] for f in folders if len(f.parts) == top + 1
    }
    _check_names(classes, tree)
    for image in images:
        if len(image.parts) <= top + 1:
            left_out["images beside the class folders"] += 1
        else:
            classes[image.parts[top]].append(image)
    if not classes:
        raise InputError(
            f"path: expected one sub-folder per class in '{tree.path}', found no sub-folders and"
            f" {len(files)} files{_advice(left_out)}: sort the images into folders named after"
            " their classes"
        )
    return classes, left_out


def find_images(tree: FileTree) -> tuple[list[PurePosixPath], Counter[str]]:
    """Finds the visible images of a tree.

    Args:
        tree: the files.

    Returns:
        The files that are images by their names, or else by their first bytes, in the tree's order;
        and how many others there are, by what they are.
    """
    images, left_out = list[PurePosixPath](), Counter[str]()
    for file in tree.files():
        if _is_hidden(file):
            continue
        kind = "" if file.suffix.lower() in SUFFIXES else _kind(tree, file)
        if kind:
            left_out[kind] += 1
        else:
            images.append(file)
    for name, reason in tree.unusable.items():
        if not _is_hidden(PurePosixPath(name.lstrip("/"))):
            left_out[f"that {reason}"] += 1
    return images, left_out


def choose_classes(
    classes: Classes, wanted: Sequence[str] | None, tree: FileTree
) -> tuple[str, ...]:
    """The classes in the order of their labels, once each is known to be usable.

    Raises:
        InputError: a wanted class does not exist or is named twice, there are fewer than two, or
            one has no images or has them in sub-folders.
    """
    chosen = tuple(classes) if wanted is None else tuple(wanted)
    unknown = [name for name in chosen if name not in classes]
    if unknown or len(set(chosen)) < len(chosen):
        raise InputError(
            f"class_names: expected different names out of {', '.join(classes)}, got"
            f" {', '.join(chosen)}: name class folders of '{tree.path}'"
        )
    if len(chosen) < 2:
        raise InputError(
            f"path: expected two class folders or more in '{tree.path}', got"
            f" {', '.join(chosen) or 'none'}: a classifier needs two classes"
        )
    for name in chosen:
        _check_class(name, classes[name], tree)
    return chosen


def describe(left_out: Mapping[str, int]) -> str:
    """Counts of files by what they are, the most frequent first."""
    return ", ".join(f"{count} {what}" for what, count in Counter(left_out).most_common())


def _check_class(name: str, images: Sequence[PurePosixPath], tree: FileTree) -> None:
    if not images:
        kinds = Counter(
            _kind(tree, file)
            for file in tree.files()
            if file.parent.name == name and not _is_hidden(file)
        )
        others = f", but {describe(kinds)}" if kinds else ""
        unusable = {PurePosixPath(folder).name: why for folder, why in tree.unusable.items()}
        reason = f", it {unusable[name]}" if unusable.get(name) else ""
        raise InputError(
            f"path: expected images ({', '.join(SUFFIXES)}) in the class folder '{name}' of"
            f" '{tree.path}', found none{others}{reason}{_advice(kinds)}: add some, or leave the"
            " class out by class_names"
        )
    deep = [image for image in images if image.parent.name != name]
    if deep:
        raise InputError(
            f"path: expected images directly in the class folder '{name}' of '{tree.path}', found"
            f" '{printable(str(deep[0]))}': give the folder whose sub-folders are the classes"
        )


def _check_names(names: Mapping[str, object], tree: FileTree) -> None:
    """Reports and pages, to which classes give their names, are written in UTF-8."""
    for name in names:
        if not is_text(name):
            raise InputError(
                f"path: expected class folders with names in UTF-8, got '{printable(name)}' in"
                f" '{tree.path}': rename it"
            )


def _kind(tree: FileTree, file: PurePosixPath) -> str:
    """The kind of a file, in the plural; empty for an image."""
    kind = kind_of(tree.start(file, START), name=file.name)
    if kind in DECODED:
        return ""
    suffix = printable(file.suffix.lower())
    return f"{kind} files" if kind else f"{suffix} files" if suffix else "files without a suffix"


def _advice(kinds: Mapping[str, int]) -> str:
    """Who reads the kinds that have readers of their own."""
    named = [
        f"{kind} is read by {reader}"
        for kind, reader in READERS.items()
        if f"{kind} files" in kinds
    ]
    return "".join(f" ({reader}, whose arrays cfx_jax.data.ArraySource takes)" for reader in named)


def _common_top(folders: Sequence[PurePosixPath], files: Sequence[PurePosixPath]) -> int:
    """1 where everything lies in one top folder that has sub-folders, else 0."""
    tops = {path.parts[0] for path in [*folders, *files]}
    return int(len(tops) == 1 and any(len(folder.parts) > 1 for folder in folders))


def _is_hidden(path: PurePosixPath) -> bool:
    """Tells whether the file or a folder above it is hidden, or is clutter."""
    return any(part.startswith(".") or part.lower() in _CLUTTER for part in path.parts)
