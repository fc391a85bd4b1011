"""Maps and counterfactuals of slices, written as NIfTI volumes on the grid of the scan."""

from collections.abc import Iterable
from itertools import count
from pathlib import Path

import numpy as np
from jaxtyping import Float

from cfx_jax.data import ImageCollection
from cfx_jax.explain.explanation import Explanation
from cfx_jax.explain.explanations import Explanations
from cfx_jax.explain.generator_methods import ALL_METHODS
from cfx_jax.explain.name_cleaning import clean_name


def write_volumes(
    folder: Path, collection: ImageCollection, explanations: Explanations
) -> list[Path]:
    """Writes explanations of slices as NIfTI volumes, ``NAME_METHOD.nii.gz``.

    Where several volumes would have one name, as ``a/b.nii`` and ``a_b.nii``, all but the first get
    a number: ``a_b_2``.

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
    name_of = tuple(map(clean_name, collection.names))
    numbers = {name: number for number, name in enumerate(explanations.names)}
    written = []
    volumes = collection.volumes
    for places, stem in zip(volumes.values(), _stems(volumes), strict=True):
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


def _stems(names: Iterable[str]) -> list[str]:
    """A name without an ending for each volume, all different in any case of letters."""
    stems = list[str]()
    taken = set[str]()
    for name in names:
        plain = name.replace("/", "_").removesuffix(".gz").removesuffix(".nii")
        numbered = (plain if number == 1 else f"{plain}_{number}" for number in count(1))
        stem = next(one for one in numbered if one.casefold() not in taken)
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def _grey(item: Explanation, method: str) -> Float[np.ndarray, "h w"]:
    if ALL_METHODS[method].is_counterfactual:
        return (item.pictures[method] - item.image).mean(2)
    return item.pictures[method].sum(2)
