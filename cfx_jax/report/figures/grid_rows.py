"""The records that grids of images are made of, checked when they are made."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from cfx_jax.errors import InputError
from cfx_jax.report.checks import check_filled, check_image, check_map, check_mask, check_share


@dataclass(frozen=True, kw_only=True)
class CounterfactualPanel:
    """A counterfactual of an image, with the classifier's probability."""

    image: Float[np.ndarray, "h w c"]
    """``(h, w, c)`` in [0, 1], c = 1 or 3, the shape of the original."""
    target: str
    """Name of the class it was made for."""
    probability: float
    """The classifier's probability of ``target`` at ``image``, in [0, 1]."""
    name: str = ""
    """The method, printed above the image, e.g. ``"l1.5, ε = 30"``."""
    saliency: Shaped[np.ndarray, "h w"] | None = None
    """``(h, w)`` thresholded map: 0 where it was thresholded away, positive where it was kept; or
    boolean.
    """
    iou: float | None = None
    """Intersection over union of the kept pixels with the row's mask, in [0, 1]."""

    def __post_init__(self) -> None:
        image = check_image(self.image, "a counterfactual's image")
        check_share(self.probability, "a counterfactual's probability")
        if self.iou is not None:
            check_share(self.iou, "a counterfactual's IoU")
        if self.saliency is not None:
            check_map(self.saliency, image.shape[:2], "a counterfactual's saliency", signed=False)


@dataclass(frozen=True, kw_only=True)
class CounterfactualRow:
    """An image and its counterfactuals: one row of ``counterfactual_grid``."""

    original: Float[np.ndarray, "h w c"]
    """``(h, w, c)`` in [0, 1], c = 1 or 3."""
    label: str
    """Name of the image's true class; empty where it is not known."""
    predicted: str
    """Name of the class whose probability is given, usually the predicted one."""
    probability: float
    """The classifier's probability of ``predicted`` at ``original``, in [0, 1]."""
    counterfactuals: Sequence[CounterfactualPanel]
    """One or more, of the original's shape."""
    mask: Shaped[np.ndarray, "h w"] | None = None
    """``(h, w)`` ground truth, boolean or 0 and 1; its outline is drawn on the differences and the
    maps.
    """
    name: str = ""
    """Name of the image, printed at the left."""

    def __post_init__(self) -> None:
        original = check_image(self.original, "a row's original")
        check_share(self.probability, "a row's probability")
        check_filled(self.counterfactuals, "a row's counterfactuals", CounterfactualPanel)
        for panel in self.counterfactuals:
            shape = np.shape(panel.image)
            if shape != original.shape:
                raise InputError(
                    f"a counterfactual needs its original's shape {original.shape}, got {shape}"
                )
        if self.mask is not None:
            check_mask(self.mask, original.shape[:2], "a row's mask")


@dataclass(frozen=True, kw_only=True)
class MapColumn:
    """A column of maps in ``saliency_grid``; neighbours with the same model share one heading."""

    model: str
    """Name of the explained model."""
    method: str
    """Name of the attribution method."""


@dataclass(frozen=True, kw_only=True)
class SaliencyMap:
    """A map of an image."""

    values: Shaped[np.ndarray, "h w"]
    """``(h, w)`` finite; thresholded (0 where dropped, positive where kept) or raw, as an option of
    ``saliency_grid`` says.
    """
    iou: float | None = None
    """Intersection over union with the row's mask, in [0, 1]."""

    def __post_init__(self) -> None:
        if np.ndim(self.values) != 2 or np.size(self.values) == 0:
            raise InputError(f"a saliency map must have shape (h, w), got {np.shape(self.values)}")
        check_map(self.values, np.shape(self.values), "a saliency map", signed=True)
        if self.iou is not None:
            check_share(self.iou, "a saliency map's IoU")


@dataclass(frozen=True, kw_only=True)
class SaliencyRow:
    """An image and its maps: one row of ``saliency_grid``."""

    original: Float[np.ndarray, "h w c"]
    """``(h, w, c)`` in [0, 1], c = 1 or 3."""
    maps: Sequence[SaliencyMap]
    """One map of the image's size for each column."""
    mask: Shaped[np.ndarray, "h w"] | None = None
    """``(h, w)`` ground truth, boolean or 0 and 1."""
    label: str = ""
    """Line above the original, e.g. its class."""
    name: str = ""
    """Name of the image, printed at the left."""

    def __post_init__(self) -> None:
        size = check_image(self.original, "a row's original").shape[:2]
        for saliency in self.maps:
            check_map(saliency.values, size, "a saliency map", signed=True)
        if self.mask is not None:
            check_mask(self.mask, size, "a row's mask")
