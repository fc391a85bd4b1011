"""Mirroring of volumes, with all that lies on their grid and the side that the label names."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cfx_jax.checks import check_flag
from cfx_jax.data.pipeline import AugmentItem

_HEIGHT, _WIDTH = 1, 2


def random_volume_flip(
    *, horizontal: bool, vertical: bool, mirrored: Sequence[int] | None = None
) -> AugmentItem:
    """Mirrors a volume, all slices alike, each way with probability one half (ACAT, released code).

    Args:
        horizontal: whether columns may be reversed, so that the patient's left becomes the right.
        vertical: whether rows may be reversed.
        mirrored: the class that each class becomes when columns are reversed, such as (0, 2, 1, 3)
            for none, left, right, both; None where classes name no side.

    Returns:
        ``f(item, rng) -> item`` for ``data.training_batches``; every array (s, h, w, c) of the item
        is mirrored alike.

    Example:
        >>> flip = random_volume_flip(horizontal=True, vertical=False, mirrored=(0, 2, 1, 3))
        >>> item = {"image": np.arange(3.0).reshape(1, 1, 3, 1), "label": 1}
        >>> mirrored = flip(item, np.random.default_rng(2))
        >>> mirrored["image"].ravel(), mirrored["label"]
        (array([2., 1., 0.]), 2)
    """
    check_flag(horizontal, name="horizontal")
    check_flag(vertical, name="vertical")

    def flip(item: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        across, down = rng.random(2) < 0.5
        across, down = across and horizontal, down and vertical
        axes = ((_WIDTH,) if across else ()) + ((_HEIGHT,) if down else ())
        turned = {
            name: np.flip(value, axes) if np.ndim(value) == 4 else value
            for name, value in item.items()
        }
        if across and mirrored is not None:
            turned["label"] = mirrored[int(item["label"])]
        return turned

    return flip
