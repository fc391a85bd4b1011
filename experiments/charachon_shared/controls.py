"""The controls of maps of test images, for both experiments' tables of maps."""

import numpy as np
from jaxtyping import Float

from experiments.charachon_shared.data import Data
from experiments.shared import ImageSet, control_maps


def make_controls(
    images: ImageSet, data: Data, *, seed: int
) -> dict[str, Float[np.ndarray, "n h w"]]:
    """The maps of every control for which the data suffice, by name; see ``control_maps``.

    Args:
        images: the explained images.
        data: name the field of their annotations.
        seed: the seed of the random pixels.
    """
    arrays = images.arrays
    annotations = None if data.annotation is None else arrays[data.annotation].astype(bool)
    return control_maps(
        arrays["image"],
        seed=seed,
        annotations=annotations,
        counterfactuals=arrays.get("counterfactual"),
        groups=images.groups,
    )
