"""The images of a synthetic world, drawn once, on every core, and kept in the workspace."""

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from cfx_jax.data import ImageSource, load_arrays
from cfx_jax.parallel import progress_bar
from cfx_jax.processes import end_with_parent
from experiments.shared.image_set import ImageSet, StoredImages
from experiments.shared.workspace import Arrays, Workspace

# images that a process draws before it hands them over; fewer in all are not worth a process
_AT_ONCE = 250


def stored_fields(
    name: str,
    world: Callable[..., ImageSource],
    options: Mapping[str, Any],
    fields: Sequence[str],
    workspace: Workspace,
) -> Arrays:
    """Some fields of all images.

    Args:
        name: the name of the world, a part of the stage's name.
        world: makes the source.
        options: the options of the world, on which the images depend.
        fields: the names of the fields that are kept.
        workspace: keeps them.
    """
    return workspace.cached(
        f"synthetic-{name}", [options, list(fields)], lambda: draw_fields(world, options, fields)
    )


def drawing_processes() -> ProcessPoolExecutor:
    """Processes that draw images, one for each core, to be used in a ``with`` statement.

    They start when the first image is asked for.
    """
    # Spawned: a fork of a process in which JAX has threads may hang.
    spawned = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(os.cpu_count() or 1, spawned, initializer=end_with_parent)


def draw_fields(
    world: Callable[..., ImageSource],
    options: Mapping[str, Any],
    fields: Sequence[str],
    *,
    processes: ProcessPoolExecutor | None = None,
) -> Arrays:
    """Fields of all images, drawn now; other arguments as of ``stored_fields``.

    From 500 images on, ``world`` must be one that can be pickled.

    Args:
        world, options, fields: as of ``stored_fields``.
        processes: the processes that draw, from ``drawing_processes``, where several worlds are
            drawn; None for processes of its own.
    """
    source = world(**options)
    everything = np.arange(len(source))
    parts = np.array_split(everything, max(1, len(everything) // _AT_ONCE))
    if len(parts) == 1:
        return load_arrays(source, everything, fields=fields, num_threads=1)
    given = drawing_processes() if processes is None else nullcontext(processes)
    drawn_parts = []
    with given as pool, progress_bar(len(everything), "images") as bar:
        for arrays in pool.map(partial(_part, world, options, fields), parts):
            drawn_parts.append(arrays)
            bar.update(len(parts[len(drawn_parts) - 1]))
    return jax.tree.map(lambda *values: np.concatenate(values), *drawn_parts)


def _part(
    world: Callable[..., ImageSource],
    options: Mapping[str, Any],
    fields: Sequence[str],
    indices: Int[np.ndarray, " n"],
) -> Arrays:
    return load_arrays(world(**options), indices, fields=fields, num_threads=1)


def draw_images(
    name: str,
    world: Callable[..., ImageSource],
    options: Mapping[str, Any],
    fields: Sequence[str],
    workspace: Workspace,
) -> tuple[ImageSet, Arrays]:
    """All images as a set, and their fields; arguments as of ``stored_fields``."""
    arrays = stored_fields(name, world, options, fields, workspace)
    stored = StoredImages(arrays, world(**options).class_names)
    return ImageSet.whole(stored, ["synthetic", name, options]), arrays
