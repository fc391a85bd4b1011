"""The images of a synthetic world, drawn once, by a process on each core, and kept in the
workspace.
"""

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from cfx_jax.data import ImageSource, load_arrays
from cfx_jax.parallel import progress_bar
from cfx_jax.processes import end_with_parent
from experiments.shared.image_set import ImageSet, StoredImages
from experiments.shared.stages import Arrays, Workspace

# images that a process draws before it hands them over; fewer in all are not worth a process
_AT_ONCE = 250


def draw(
    name: str,
    world: Callable[..., ImageSource],
    options: Mapping[str, Any],
    fields: Sequence[str],
    workspace: Workspace,
) -> Arrays:
    """Some fields of all images.

    Args:
        name: of the world, in the stage's.
        world: makes the source.
        options: of the world, on which the images depend.
        fields: those that are kept.
        workspace: keeps them.
    """

    return workspace.cached(
        f"synthetic-{name}", [options, list(fields)], lambda: drawn(world, options, fields)
    )


def drawn(
    world: Callable[..., ImageSource], options: Mapping[str, Any], fields: Sequence[str]
) -> Arrays:
    """The images themselves, drawn now; arguments as of ``draw``, where ``world`` can be pickled if
    there are many.
    """
    source = world(**options)
    everything = np.arange(len(source))
    parts = np.array_split(everything, max(1, len(everything) // _AT_ONCE))
    if len(parts) == 1:
        return load_arrays(source, everything, fields=fields, num_threads=1)
    # Spawned: a fork of a process in which JAX has threads may hang.
    spawned, number = multiprocessing.get_context("spawn"), min(len(parts), os.cpu_count() or 1)
    pool = ProcessPoolExecutor(number, spawned, initializer=end_with_parent)
    found = []
    with pool, progress_bar(len(everything), "images") as bar:
        for arrays in pool.map(partial(_part, world, options, fields), parts):
            found.append(arrays)
            bar.update(len(parts[len(found) - 1]))
    return jax.tree.map(lambda *each: np.concatenate(each), *found)


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
    """All images as a set, and their fields; arguments as of ``draw``."""
    arrays = draw(name, world, options, fields, workspace)
    stored = StoredImages(arrays, world(**options).class_names)
    return ImageSet.whole(stored, ["synthetic", name, options]), arrays
