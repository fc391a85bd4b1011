"""The boxes of Table III: how large what is annotated is."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from cfx_jax.data import load_arrays
from experiments.shared.image_set import ImageSet

_STATISTICS: dict[str, Callable[[np.ndarray], Any]] = {
    "min": np.min,
    "max": np.max,
    "mean": np.mean,
    "median": np.median,
}


class Boxes(NamedTuple):
    """The boxes of a set of images, one number for each.

    Attributes:
        height, width: in pixels.
        area: of height times width, in percent of the image.
        drawn: whether annotators drew them; otherwise they hold the connected regions of a mask.
    """

    height: Float[np.ndarray, " n"]
    width: Float[np.ndarray, " n"]
    area: Float[np.ndarray, " n"]
    drawn: bool

    def statistics(self) -> dict[str, tuple[float, float, float]]:
        """Least, largest, mean and median of height, width and area."""
        return {
            name: (
                float(measure(self.height)),
                float(measure(self.width)),
                float(measure(self.area)),
            )
            for name, measure in _STATISTICS.items()
        }


def boxes_of(images: ImageSet, annotation: str) -> Boxes | None:
    """The boxes on some images; None where there is none.

    Args:
        images: with ``boxes`` (n, k, 4), y0, x0, y1, x1, half-open and padded with zeros, or with
            masks.
        annotation: the field of the masks (n, h, w).
    """
    height, width = images.arrays["image"].shape[1:3]
    drawn = "boxes" in images.source[int(images.indices[0])]
    if drawn:
        boxes = np.asarray(
            load_arrays(images.source, images.indices, fields=("boxes",))["boxes"]
        ).reshape(-1, 4)
    else:
        found = [ndimage.find_objects(ndimage.label(mask)[0]) for mask in images.arrays[annotation]]
        boxes = np.array(
            [(y.start, x.start, y.stop, x.stop) for regions in found for y, x in regions]
        ).reshape(-1, 4)
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(float)
    sides = sides[sides.min(axis=1) > 0]
    if not len(sides):
        return None
    return Boxes(sides[:, 0], sides[:, 1], 100 * sides.prod(axis=1) / (height * width), drawn)
