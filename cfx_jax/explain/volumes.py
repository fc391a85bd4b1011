"""Maps and counterfactuals of slices, written as NIfTI volumes on the grid of the scan."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from cfx_jax.data import ImageCollection
from cfx_jax.explain.explanation import Explanation
from cfx_jax.explain.explanations import Explanations
from cfx_jax.explain.generators import ALL_METHODS
from cfx_jax.explain.printing import printable


def write_volumes(
    folder: Path, collection: ImageCollection, explanations: Explanations
) -> list[Path]:
    """Writes explanations of slices as NIfTI volumes, ``NAME_METHOD.nii.gz``.

    A map is the sum over channels. A counterfactual is its volume with the changes of its slices,
    each the mean over channels, since a slice is grey.

    Args:
        folder: where they are written.
        collection: the images that are explained.
        explanations: of them, in any order; a slice without one is 0 in a map, and as it was in a
            counterfactual.

    Returns:
        The files, each with the affine matrix and the shape of its volume. None for a volume of
        which no slice is explained.

    Raises:
        InputError: a file cannot be written.
    """
    name_of = tuple(map(printable, collection.names))
    numbers = {name: number for number, name in enumerate(explanations.names)}
    written = []
    for name, places in collection.volumes.items():
        stem = name.replace("/", "_").removesuffix(".gz").removesuffix(".nii")
        explained = {
            place: explanations[numbers[name_of[place]]]
            for place in map(int, places)
            if name_of[place] in numbers
        }
        for method in explanations.run.methods if explained else ():
            changes = ALL_METHODS[method].is_counterfactual
            slices = {place: _grey(item, method) for place, item in explained.items()}
            path = folder / f"{stem}_{method}.nii.gz"
            written.append(collection.write_volume(path, slices, add=changes))
    return written


def _grey(item: Explanation, method: str) -> Float[np.ndarray, "h w"]:
    if ALL_METHODS[method].is_counterfactual:
        return (item.pictures[method] - item.image).mean(2)
    return item.pictures[method].sum(2)
