"""The layers of Inception-v3, by the names that torchvision has from the authors' code.

Source: Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision"; widths,
and where a layer is padded, follow torchvision.
"""

from cfx_jax.models.images.layers.inception import Pool, Table, Unit

HALVING = Pool("max", stride=2)

STEM = {
    "Conv2d_1a_3x3": Unit(32, (3, 3), stride=2),
    "Conv2d_2a_3x3": Unit(32, (3, 3)),
    "Conv2d_2b_3x3": Unit(64, (3, 3)),
    "Conv2d_3b_1x1": Unit(80),
    "Conv2d_4a_3x3": Unit(192, (3, 3)),
}
PADDED_IN_STEM = ("Conv2d_2b_3x3",)
POOLED_IN_STEM = ("Conv2d_2b_3x3", "Conv2d_4a_3x3")
"""After these the maps are halved."""


def blocks(mean: Pool, last: Pool) -> dict[str, Table]:
    """Lists the blocks in their order.

    Args:
        mean: the pooling of all blocks that keep the size of the maps but the last.
        last: the pooling of the last block.

    Returns:
        The layers of each block, by its name.
    """
    return {
        "Mixed_5b": _a(32, mean),
        "Mixed_5c": _a(64, mean),
        "Mixed_5d": _a(64, mean),
        "Mixed_6a": _B,
        "Mixed_6b": _c(128, mean),
        "Mixed_6c": _c(160, mean),
        "Mixed_6d": _c(160, mean),
        "Mixed_6e": _c(192, mean),
        "Mixed_7a": _D,
        "Mixed_7b": _e(mean),
        "Mixed_7c": _e(last),
    }


def _a(pool_width: int, pool: Pool) -> Table:
    """Lists figure 5's layers: two 3x3 convolutions in the place of a 5x5, a 5x5 and a pooling."""
    return {
        "branch1x1": Unit(64),
        "branch5x5_1": Unit(48),
        "branch5x5_2": Unit(64, (5, 5), of="branch5x5_1"),
        "branch3x3dbl_1": Unit(64),
        "branch3x3dbl_2": Unit(96, (3, 3), of="branch3x3dbl_1"),
        "branch3x3dbl_3": Unit(96, (3, 3), of="branch3x3dbl_2"),
        "pool": pool,
        "branch_pool": Unit(pool_width, of="pool"),
    }


_B: Table = {
    "branch3x3": Unit(384, (3, 3), stride=2),
    "branch3x3dbl_1": Unit(64),
    "branch3x3dbl_2": Unit(96, (3, 3), of="branch3x3dbl_1"),
    "branch3x3dbl_3": Unit(96, (3, 3), stride=2, of="branch3x3dbl_2"),
    "pool": HALVING,
}
"""Figure 10: halves the maps."""


def _c(inner: int, pool: Pool) -> Table:
    """Lists figure 6's layers: 7x7 convolutions as a row and a column of ``inner`` channels."""
    return {
        "branch1x1": Unit(192),
        "branch7x7_1": Unit(inner),
        "branch7x7_2": Unit(inner, (1, 7), of="branch7x7_1"),
        "branch7x7_3": Unit(192, (7, 1), of="branch7x7_2"),
        "branch7x7dbl_1": Unit(inner),
        "branch7x7dbl_2": Unit(inner, (7, 1), of="branch7x7dbl_1"),
        "branch7x7dbl_3": Unit(inner, (1, 7), of="branch7x7dbl_2"),
        "branch7x7dbl_4": Unit(inner, (7, 1), of="branch7x7dbl_3"),
        "branch7x7dbl_5": Unit(192, (1, 7), of="branch7x7dbl_4"),
        "pool": pool,
        "branch_pool": Unit(192, of="pool"),
    }


_D: Table = {
    "branch3x3_1": Unit(192),
    "branch3x3_2": Unit(320, (3, 3), stride=2, of="branch3x3_1"),
    "branch7x7x3_1": Unit(192),
    "branch7x7x3_2": Unit(192, (1, 7), of="branch7x7x3_1"),
    "branch7x7x3_3": Unit(192, (7, 1), of="branch7x7x3_2"),
    "branch7x7x3_4": Unit(192, (3, 3), stride=2, of="branch7x7x3_3"),
    "pool": HALVING,
}
"""Halves the maps once more."""


def _e(pool: Pool) -> Table:
    """Lists figure 7's layers: branches that end in a row and a column side by side."""
    return {
        "branch1x1": Unit(320),
        "branch3x3_1": Unit(384),
        "branch3x3_2a": Unit(384, (1, 3), of="branch3x3_1"),
        "branch3x3_2b": Unit(384, (3, 1), of="branch3x3_1"),
        "branch3x3dbl_1": Unit(448),
        "branch3x3dbl_2": Unit(384, (3, 3), of="branch3x3dbl_1"),
        "branch3x3dbl_3a": Unit(384, (1, 3), of="branch3x3dbl_2"),
        "branch3x3dbl_3b": Unit(384, (3, 1), of="branch3x3dbl_2"),
        "pool": pool,
        "branch_pool": Unit(192, of="pool"),
    }
