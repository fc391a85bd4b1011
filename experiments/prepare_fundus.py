"""Prepares photographs of the eye: even contrast, the eye's circle, a tight square crop.

``python -m experiments.prepare_fundus --source FOLDER --out FOLDER``; the same command again goes
on where it stopped.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

from cfx_jax.data.fundus import Job, prepare_files
from cfx_jax.data.fundus.photograph_files import find_images
from cfx_jax.data.sources.file_survey import describe
from cfx_jax.data.sources.folder_or_zip import FileTree
from cfx_jax.data.sources.picture_headers import SUFFIXES
from cfx_jax.data.user_files import is_folder
from experiments.shared import InputError, command_line

_NAMED = 10  # dropped photographs that are printed


@dataclass(frozen=True)
class Config:
    """Writes every photograph below a folder cropped to the eye, with the mask of the eye."""

    source: Path
    """Folder of photographs (PNG, JPEG, TIFF, BMP or WebP), searched with all its sub-folders."""
    out: Path
    """Folder to write to; sub-folders, such as class folders, are kept below out/images."""
    size: int = 224
    """Side of the images written, in pixels (paper: 224)."""
    clahe: bool = True
    """Even out the local contrast (paper: yes)."""


def main(config: Config) -> None:
    """Runs the preparation and prints what was kept and what was dropped."""
    jobs = find_photographs(config.source, config.out)
    kept, dropped = prepare_files(jobs, config.out, size=config.size, clahe=config.clahe)
    print(f"{len(kept)} photographs are in {config.out / 'images'}, {len(dropped)} dropped")
    for name in list(dropped)[:_NAMED]:
        print(f"  {name}: {dropped[name]}")
    if len(dropped) > _NAMED:
        print(f"  ... all are in {config.out / 'report.csv'}")


def find_photographs(source: Path, out: Path) -> list[Job]:
    """One job for each photograph below ``source``, by name with numbers in numeric order.

    Args:
        source: the folder to search; hidden files and folders are left out.
        out: the folder that will be written to.

    Raises:
        InputError: there is no such folder, it holds no photographs, or ``out`` lies inside of it.

    Warns:
        UserWarning: how many visible files are no photographs.
    """
    if not is_folder(source):
        raise InputError(
            f"--source: expected a folder of photographs, but '{source}' is none: check the"
            " spelling"
        )
    if out.resolve().is_relative_to(source.resolve()):
        raise InputError(
            f"--out: expected a folder outside of --source, got '{out}': its images would be read"
            " again"
        )
    names, left_out = find_images(FileTree(source))
    if left_out:
        warnings.warn(f"{left_out.total()} files are left out: {describe(left_out)}", stacklevel=2)
    if not names:
        raise InputError(
            f"--source: expected photographs ({', '.join(SUFFIXES)}), but '{source}' holds none"
        )
    return [Job(path.with_suffix("").as_posix(), source / path) for path in names]


if __name__ == "__main__":
    command_line.command(main, Config)
