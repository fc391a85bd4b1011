"""The square about the circle of an eye, cut out and resized: of photographs, and of lesion masks.

Pixel ``(i, j)`` of the result covers the square of side ``2 radius / size`` whose corner is at
``x - radius + 2 radius j / size``, and likewise down, exactly: the circle is not rounded to whole
pixels.
"""

import numpy as np
from jaxtyping import Bool, UInt8

from cfx_jax.data.fundus.pixels import Circle, check_pixels
from cfx_jax.errors import InputError, import_extra

_ROUNDING = 1e-6  # pixels: two squares overlap by more than this, or only touch


def crop_to_circle(
    image: UInt8[np.ndarray, "h w 3"], circle: Circle, *, size: int
) -> tuple[UInt8[np.ndarray, "size size 3"], Bool[np.ndarray, "size size"]]:
    """Cuts the circle's square out of a photograph and resizes it without aliasing.

    Args:
        image: red, green, blue.
        circle: in pixels of the image; may reach out of it.
        size: side of the result in pixels.

    Returns:
        The cropped image, 0 outside of the mask; and the mask: pixels whose centre is inside the
        disc and the frame.

    Raises:
        InputError: the image is no uint8 colour image, the size is below 1, or the circle has no
            radius.

    Example:
        >>> photograph = np.full((60, 80, 3), 9, np.uint8)
        >>> image, mask = crop_to_circle(photograph, Circle(40, 30, 20), size=16)
        >>> image.shape, mask.shape, image[~mask].max().item()
        ((16, 16, 3), (16, 16), 0)
    """
    check_pixels(image)
    _check(circle, size)
    pillow = import_extra("PIL.Image", "preparing photographs of the eye")
    square, left, top = _square(image, circle)
    side = 2 * circle.radius
    box = (left, top, min(left + side, square.shape[1]), min(top + side, square.shape[0]))
    resized = pillow.fromarray(square).resize((size, size), pillow.Resampling.BILINEAR, box=box)
    mask = eye_mask(circle, image.shape[:2], size=size)
    return np.where(mask[..., None], np.asarray(resized), np.uint8(0)), mask


def crop_mask(
    mask: Bool[np.ndarray, "h w"], circle: Circle, *, size: int, image_shape: tuple[int, int]
) -> Bool[np.ndarray, "size size"]:
    """Cuts the circle's square out of a mask: a pixel is True where any pixel of the mask in it is.

    So a lesion of one pixel is kept however much the image shrinks, and lesions may grow by up to a
    pixel a side.

    Args:
        mask: the mask of the uncropped image.
        circle: in pixels of the image; may reach out of it.
        size: side of the result in pixels.
        image_shape: height and width of the uncropped image, which the mask's must equal.

    Returns:
        The cropped mask, False outside of the disc.

    Raises:
        InputError: the mask is not of the image's shape, the size is below 1, or the circle has no
            radius.

    Example:
        >>> mask = np.zeros((60, 80), bool)
        >>> mask[30, 40] = True  # one pixel, in the middle of the circle
        >>> crop_mask(mask, Circle(40, 30, 20), size=9, image_shape=(60, 80)).sum().item()
        1
    """
    _check(circle, size)
    if mask.shape != tuple(image_shape):
        raise InputError(
            f"mask: expected the image's {image_shape[0]} x {image_shape[1]} pixels, got"
            f" {' x '.join(map(str, mask.shape))}: give the mask of this image, at its size"
        )
    cv2 = import_extra("cv2", "preparing photographs of the eye")
    counts = cv2.integral(mask.astype(np.uint8))
    (top, bottom), (left, right) = (
        _overlaps(centre, circle.radius, size, length)
        for centre, length in zip((circle.y, circle.x), image_shape, strict=True)
    )
    inside = (
        counts[np.ix_(bottom, right)] - counts[np.ix_(top, right)] - counts[np.ix_(bottom, left)]
    )
    return (inside + counts[np.ix_(top, left)] > 0) & eye_mask(circle, image_shape, size=size)


def eye_mask(circle: Circle, shape: tuple[int, int], *, size: int) -> Bool[np.ndarray, "size size"]:
    """The pixels of the cropped image whose centre is in the disc and in the original frame.

    Args:
        circle: in pixels of the uncropped image.
        shape: height and width of the uncropped image.
        size: side of the cropped image in pixels.
    """
    offset = (np.arange(size) + 0.5) * 2 / size - 1  # of pixel centres from the circle's, in radii
    rows, columns = circle.y + offset * circle.radius, circle.x + offset * circle.radius
    in_frame = np.logical_and.outer(
        *(
            (line >= -0.5) & (line <= n - 0.5)
            for line, n in zip((rows, columns), shape, strict=True)
        )
    )
    return (np.add.outer(offset**2, offset**2) <= 1) & in_frame


def _overlaps(
    centre: float, radius: float, size: int, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of the original that each pixel of the result overlaps.

    They are given as the first and the last but one.
    """
    # From the first pixel's left edge.
    edges = centre - radius + 0.5 + np.arange(size + 1) * 2 * radius / size
    first, last = np.floor(edges[:-1] + _ROUNDING), np.ceil(edges[1:] - _ROUNDING)
    return first.clip(0, length).astype(int), last.clip(0, length).astype(int)


def _square(
    image: UInt8[np.ndarray, "h w 3"], circle: Circle
) -> tuple[UInt8[np.ndarray, "n m 3"], float, float]:
    """The pixels that the circle's square touches, and the square's left and top edge in them."""
    cv2 = import_extra("cv2", "preparing photographs of the eye")
    edges = np.array(circle[:2]) - circle.radius + 0.5
    low, high = np.floor(edges).astype(int), np.ceil(edges + 2 * circle.radius).astype(int)
    height, width = image.shape[:2]
    left, top = (-low).clip(0).tolist()
    right, bottom = (high - (width, height)).clip(0).tolist()
    part = image[max(low[1], 0) : high[1], max(low[0], 0) : high[0]]
    if 0 in part.shape:
        raise InputError(
            f"circle: expected one that overlaps the image of {height} x {width} pixels, got"
            f" {circle}"
        )
    # Repeating the frame's pixels keeps what the frame cuts from darkening there; the rest is
    # masked.
    part = cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return part, *(edges - low).tolist()


def _check(circle: Circle, size: int) -> None:
    if size < 1:
        raise InputError(f"size: expected at least 1 pixel, got {size}: give e.g. 224")
    if not (np.isfinite(circle).all() and circle.radius > 0):
        raise InputError(f"circle: expected finite numbers and a radius above 0, got {circle}")
