"""Which files of a tree are images of which class."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from cfx_jax.data.sources.decoding import SUFFIXES
from cfx_jax.data.sources.file_tree import FileTree
from cfx_jax.errors import InputError

Classes = Mapping[str, list[PurePosixPath]]


def find_classes(tree: FileTree) -> tuple[Classes, int]:
    """Finds the class folders: those at the top, or in the one folder at the top if that holds folders
    itself.

    Args:
        tree: the files.

    Returns:
        Name of each class folder, sorted, -> its images at any depth, sorted; and how many visible files are
        no images or lie beside the class folders.

    Raises:
        InputError: there are no class folders.
    """
    files = [file for file in tree.files() if not _is_hidden(file)]
    folders = [folder for folder in tree.folders() if not _is_hidden(folder)]
    top = _common_top(folders, files)
    classes: dict[str, list[PurePosixPath]] = {f.name: [] for f in folders if len(f.parts) == top + 1}
    if not classes:
        raise InputError(
            f"path: expected one sub-folder per class in '{tree.path}', found no sub-folders and "
            f"{len(files)} files: sort the images into folders named after their classes"
        )
    images = [file for file in files if file.suffix.lower() in SUFFIXES and len(file.parts) > top + 1]
    for file in images:
        classes[file.parts[top]].append(file)
    return classes, len(files) - len(images)


def choose_classes(classes: Classes, wanted: Sequence[str] | None, tree: FileTree) -> tuple[str, ...]:
    """The classes in the order of their labels, once each is known to be usable.

    Raises:
        InputError: a wanted class does not exist or is named twice, there are fewer than two, or one has no
            images or has them in sub-folders.
    """
    chosen = tuple(classes) if wanted is None else tuple(wanted)
    unknown = [name for name in chosen if name not in classes]
    if unknown or len(set(chosen)) < len(chosen):
        raise InputError(
            f"class_names: expected different names out of {', '.join(classes)}, got {', '.join(chosen)}: "
            f"name class folders of '{tree.path}'"
        )
    if len(chosen) < 2:
        raise InputError(
            f"path: expected two class folders or more in '{tree.path}', got {', '.join(chosen) or 'none'}: "
            "a classifier needs two classes"
        )
    for name in chosen:
        _check_class(name, classes[name], tree)
    return chosen


def _check_class(name: str, images: Sequence[PurePosixPath], tree: FileTree) -> None:
    if not images:
        raise InputError(
            f"path: expected images ({', '.join(SUFFIXES)}) in the class folder '{name}' of '{tree.path}', "
            "found none: add some, or leave the class out by class_names"
        )
    deep = [image for image in images if image.parent.name != name]
    if deep:
        raise InputError(
            f"path: expected images directly in the class folder '{name}' of '{tree.path}', found "
            f"'{deep[0]}': give the folder whose sub-folders are the classes"
        )


def _common_top(folders: Sequence[PurePosixPath], files: Sequence[PurePosixPath]) -> int:
    """1 where everything lies in one top folder that has sub-folders, else 0."""
    tops = {path.parts[0] for path in [*folders, *files]}
    return int(len(tops) == 1 and any(len(folder.parts) > 1 for folder in folders))


def _is_hidden(path: PurePosixPath) -> bool:
    """Whether the file or a folder above it is hidden or made by macOS's archiver."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
