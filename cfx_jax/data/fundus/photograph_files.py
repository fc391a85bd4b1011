"""The photographs of a folder or a zip archive, by name or content, to be prepared.

``picture_headers.py`` knows the kinds of pictures; ``opening.py`` finds all other users' images.
"""

from collections import Counter
from pathlib import PurePosixPath

from cfx_jax.data.sources.file_listing import is_hidden
from cfx_jax.data.sources.folder_or_zip import FileTree
from cfx_jax.data.sources.picture_headers import DECODED, START, SUFFIXES, kind_of
from cfx_jax.data.user_files import shown_name


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
        if is_hidden(file):
            continue
        kind = "" if file.suffix.lower() in SUFFIXES else _kind(tree, file)
        if kind:
            left_out[kind] += 1
        else:
            images.append(file)
    for name, reason in tree.unusable.items():
        if not is_hidden(PurePosixPath(name.lstrip("/"))):
            left_out[f"that {reason}"] += 1
    return images, left_out


def _kind(tree: FileTree, file: PurePosixPath) -> str:
    """The kind of a file, in the plural; empty for an image."""
    kind = kind_of(tree.start(file, START), name=file.name)
    if kind in DECODED:
        return ""
    suffix = shown_name(file.suffix.lower())
    return f"{kind} files" if kind else f"{suffix} files" if suffix else "files without a suffix"
