"""The boxes of Table III: how large what is annotated is."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from cfx_jax.data import load_arrays
from experiments.shared import ImageSet


class Boxes(NamedTuple):
    """The boxes of a set of images, one number for each.

    Attributes:
        height, width: the size of each box in pixels.
        area: the area, height times width, in percent of the image.
        drawn: whether annotators drew them; otherwise they hold the connected regions of a mask.
    """

    height: Float[np.ndarray, " n"]
    width: Float[np.ndarray, " n"]
    area: Float[np.ndarray, " n"]
    drawn: bool

    def statistics(self) -> dict[str, tuple[float, ...]]:
        """Least, largest, mean and median of height, width and area."""
        sizes = (self.height, self.width, self.area)
        return {
            name: tuple(float(getattr(np, name)(size)) for size in sizes)
            for name in ("min", "max", "mean", "median")
        }


def find_boxes(images: ImageSet, annotation: str) -> Boxes | None:
    """Finds the boxes on some images; None where there is none.

    Args:
        images: the images, with ``boxes`` (n, k, 4), y0, x0, y1, x1, half-open and padded with
            zeros, or with masks.
        annotation: the field of the masks (n, h, w).
    """
    height, width = images.arrays["image"].shape[1:3]
    drawn = "boxes" in images.source[int(images.indices[0])]
    if drawn:
        boxes = load_arrays(images.source, images.indices, fields=("boxes",))["boxes"]
    else:
        masks = images.arrays[annotation]
        regions = [
            region for mask in masks for region in ndimage.find_objects(ndimage.label(mask)[0])
        ]
        boxes = np.array([(y.start, x.start, y.stop, x.stop) for y, x in regions])
    boxes = np.asarray(boxes).reshape(-1, 4)
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(float)
    sides = sides[sides.min(axis=1) > 0]
    if not len(sides):
        return None
    return Boxes(sides[:, 0], sides[:, 1], 100 * sides.prod(axis=1) / (height * width), drawn)
