"""The slices of a volume that a network sees, resized, and the way back to the volume's grid.

The rule that chooses the slices and the resizing come from ACAT's code (Fontanella et al. 2023).
"""

import numpy as np
from jaxtyping import Float, Int, Shaped

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import as_numpy, check_array, check_count
from cfx_jax.errors import InputError, import_extra


def slice_indices(num_slices: int, wanted: int) -> Int[np.ndarray, " wanted"]:
    """Chooses slices at equal distances around the middle of a volume.

    With m = floor(n / 2), k = floor(S / 2 + 1) and d = floor(n / (2 k)) these are the S slices from
    m - d (k - 1) - 1 upwards in steps of d. Towards the ends about half of the volume may be left
    out: of 39 slices the rule takes 19 neighbouring ones.

    Args:
        num_slices: n, how many the volume has.
        wanted: S, how many to take; as many as the volume has are all of them.

    Returns:
        Their places, ascending.

    Raises:
        InputError: a number below 1, or a volume of fewer than 2 k slices: 12 for 11, 20 for 19.

    Example:
        >>> slice_indices(41, 11)
        array([ 4,  7, 10, 13, 16, 19, 22, 25, 28, 31, 34])
    """
    check_count(num_slices, name="num_slices")
    check_count(wanted, name="wanted")
    if num_slices == wanted:
        return np.arange(wanted)
    half = wanted // 2 + 1
    if num_slices < 2 * half:
        raise InputError(
            f"num_slices: expected {wanted} or at least {2 * half} slices to choose {wanted} from,"
            f" got {num_slices}: take fewer, or leave the scan out"
        )
    step = num_slices // (2 * half)
    return num_slices // 2 - step * (half - 1) - 1 + step * np.arange(wanted)


def resize_slices(
    volume: Float[AnyArray, "s h w"], size: tuple[int, int]
) -> Float[np.ndarray, "s H W"]:
    """Resizes each slice by bilinear interpolation between the centres of pixels.

    Nothing is smoothed before.

    Where it shrinks an image, pixels are therefore left out, as by torchvision 0.12 on tensors, by
    which the paper's scans were prepared. Beyond the outermost centres the image is constant.

    Args:
        volume: slices of any range.
        size: the new height and width.

    Returns:
        float32, within the range of the values.

    Raises:
        InputError: another rank, no slices, or a size that is not two numbers above 0.

    Example:
        >>> resize_slices(np.array([[[0.0, 1.0]]]), (1, 4))
        array([[[0.  , 0.25, 0.75, 1.  ]]], dtype=float32)
    """
    cv2 = import_extra("cv2", "resizing slices")
    check_array(volume, name="volume")
    if volume.ndim != 3 or not volume.size:
        raise InputError(
            f"volume: expected slices (s, h, w), got shape {volume.shape}: leave out the channel"
            " axis"
        )
    height, width = _checked_size(size)
    values = np.asarray(volume, np.float32)
    if values.shape[1:] == (height, width):
        return values
    return np.stack(
        [cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in values]
    )


def to_native_grid(
    saliency: Float[AnyArray, "s h w"], indices: Int[np.ndarray, " s"], shape: tuple[int, int, int]
) -> Float[np.ndarray, "n H W"]:
    """Brings a map of some resized slices to the grid of the volume, for comparison with a mask.

    Bilinear within the slices and linear between them. Slices before the first and after the last
    of those that the map is of become 0: nothing is known of them.

    Args:
        saliency: a map, at least 0 where the zeros outside are to mean the least.
        indices: the slices' places in the volume, ascending.
        shape: numbers of slices, rows and columns of the volume.

    Returns:
        float32.

    Raises:
        InputError: places that are not one for each slice, not ascending or outside the volume.

    Example:
        >>> saliency = np.array([[[1.0]], [[3.0]]])  # of the slices 1 and 3 of five
        >>> to_native_grid(saliency, np.array([1, 3]), (5, 1, 1)).ravel()
        array([0., 1., 2., 3., 0.], dtype=float32)
    """
    sides, places = as_numpy(shape, name="shape"), as_numpy(indices, name="indices")
    if sides.shape != (3,) or sides.dtype.kind not in "iu":
        raise InputError(f"shape: expected three whole numbers (s, h, w), got {shape}")
    if places.dtype.kind not in "iu":
        raise InputError(f"indices: expected whole numbers, got {indices!r}")
    check_array(saliency, name="saliency")
    slices = resize_slices(saliency, shape[1:])
    if places.shape != slices.shape[:1] or (np.diff([-1, *places, shape[0]]) <= 0).any():
        raise InputError(
            f"indices: expected {len(saliency)} ascending places in 0..{shape[0] - 1}, one for each"
            f" slice of the map, got {places.tolist()}: give those by which the slices were chosen"
        )
    native = np.zeros(shape, np.float32)
    for number in range(places[0], places[-1] + 1):
        after = int(np.searchsorted(places, number))
        before = after if places[after] == number else after - 1
        share = (
            0.0 if before == after else (number - places[before]) / (places[after] - places[before])
        )
        native[number] = (1 - share) * slices[before] + share * slices[after]
    return native


def resize_labels(
    labels: Shaped[np.ndarray, "s h w"], size: tuple[int, int]
) -> Shaped[np.ndarray, "s H W"]:
    """Resizes each slice of a mask or of classes: every pixel takes the value of the nearest one.

    Args:
        labels: slices of any dtype.
        size: the new height and width.

    Returns:
        The same dtype.

    Raises:
        InputError: another rank, or a size that is not two numbers above 0.

    Example:
        >>> resize_labels(np.array([[[0, 1, 2, 3]]]), (1, 2))
        array([[[1, 3]]])
    """
    check_array(labels, name="labels")
    if labels.ndim != 3:
        raise InputError(
            f"labels: expected slices (s, h, w), got shape {labels.shape}: leave out the channel"
            " axis"
        )
    rows, columns = (
        (2 * np.arange(after) + 1) * before // (2 * after)
        for before, after in zip(labels.shape[1:], _checked_size(size), strict=True)
    )
    return labels[:, rows[:, None], columns]


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    sides = as_numpy(size, name="size")
    is_pair = sides.shape == (2,) and sides.dtype.kind in "iu"
    if not is_pair or min(size) < 1:
        raise InputError(f"size: expected (height, width) in pixels, both above 0, got {size}")
    height, width = map(int, size)
    return height, width
