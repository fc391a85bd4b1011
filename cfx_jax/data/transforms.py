"""Augmentations: functions ``f(image, rng) -> image`` of one image and a NumPy generator.

An image is float32 (h, w, c) in [0, 1].

Each factory fixes the ranges; each call draws its own values. The result has the image's shape and
dtype and stays in [0, 1]. Colours of grey images (c = 1) are left as they are where a transform
needs three channels.
"""

import math
from collections.abc import Callable
from numbers import Integral, Real

import numpy as np
from jaxtyping import Float

from cfx_jax.checks import check_callable, check_choice, check_number
from cfx_jax.errors import InputError, import_extra

Image = Float[np.ndarray, "h w c"]
Transform = Callable[[Image, np.random.Generator], Image]
Range = tuple[float, float]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_PURPOSE = "augmenting images"


def compose(*transforms: Transform) -> Transform:
    """Applies transforms one after the other.

    Example:
        >>> augment = compose(random_crop(padding=4), random_flip("horizontal"))
        >>> augment(np.zeros((8, 8, 3), np.float32), np.random.default_rng(0)).shape
        (8, 8, 3)
    """

    for transform in transforms:
        check_callable(transform, name="transforms", gives="an image and a random generator")

    def composed(image: Image, rng: np.random.Generator) -> Image:
        for transform in transforms:
            image = transform(image, rng)
        return image

    return composed


def sometimes(transform: Transform, *, probability: float) -> Transform:
    """Applies a transform with the given probability, else leaves the image as it is.

    Raises:
        InputError: the probability is outside [0, 1].

    Example:
        >>> never = sometimes(random_noise(scale=(0.1, 0.2)), probability=0.0)
        >>> never(np.zeros((4, 4, 1), np.float32), np.random.default_rng(0)).max().item()
        0.0
    """
    _check_probability(probability)
    check_callable(transform, name="transform", gives="an image and a random generator")

    def maybe(image: Image, rng: np.random.Generator) -> Image:
        return transform(image, rng) if rng.random() < probability else image

    return maybe


def random_crop(*, padding: int) -> Transform:
    """Pads with black on all sides and cuts out a window of the image's own size at a random place.

    Args:
        padding: pixels on each side, 0 or more.

    Raises:
        InputError: the padding is negative.

    Example:
        >>> crop = random_crop(padding=2)
        >>> crop(np.ones((4, 4, 1), np.float32), np.random.default_rng(0))[..., 0]
        array([[1., 1., 1., 0.],
               [1., 1., 1., 0.],
               [0., 0., 0., 0.],
               [0., 0., 0., 0.]], dtype=float32)
    """
    if not isinstance(padding, Integral) or padding < 0:
        raise InputError(
            f"padding: expected 0 or more pixels, got {padding!r}: give e.g. a seventh of the"
            " image's side"
        )

    def crop(image: Image, rng: np.random.Generator) -> Image:
        height, width, channels = image.shape
        padded = np.zeros((height + 2 * padding, width + 2 * padding, channels), image.dtype)
        padded[padding : padding + height, padding : padding + width] = image
        top, left = rng.integers(0, 2 * padding + 1, 2)
        return padded[top : top + height, left : left + width]

    return crop


def random_flip(direction: str, *, probability: float = 0.5) -> Transform:
    """Mirrors the image with the given probability.

    Args:
        direction: "horizontal" (left becomes right) or "vertical".
        probability: in [0, 1].

    Raises:
        InputError: the direction is unknown or the probability outside [0, 1].

    Example:
        >>> image = np.array([[[0.1], [0.2]]], np.float32)
        >>> random_flip("horizontal", probability=1.0)(image, np.random.default_rng(0))[..., 0]
        array([[0.2, 0.1]], dtype=float32)
    """
    check_choice(direction, ("horizontal", "vertical"), name="direction")
    axis = 1 if direction == "horizontal" else 0
    return sometimes(lambda image, rng: np.flip(image, axis), probability=probability)


def random_affine(
    *, degrees: float, translate: float = 0.0, magnify: Range = (1.0, 1.0)
) -> Transform:
    """Rotates and magnifies about the centre and shifts, filling with black; bilinear.

    Args:
        degrees: the angle is uniform in [-degrees, degrees].
        translate: the shifts are uniform in [-translate, translate], in shares of the image's width
            and height.
        magnify: range of the factor by which what is shown grows.

    Raises:
        InputError: a range is negative, or ``magnify`` is not ascending from above 0.

    Example:
        >>> turn = random_affine(degrees=10, translate=0.05, magnify=(1.0, 1.1))
        >>> turn(np.ones((8, 8, 3), np.float32), np.random.default_rng(0)).shape
        (8, 8, 3)
    """
    check_number(degrees, name="degrees")
    check_number(translate, name="translate")
    if not (0 <= degrees < math.inf and 0 <= translate < math.inf):
        raise InputError(
            f"degrees and translate: expected 0 or more, got {degrees} and {translate}: give the"
            " half-width"
        )
    _check_range(magnify, "magnify", "of factors above 0", example=(1.0, 1.1), above_0=True)

    def affine(image: Image, rng: np.random.Generator) -> Image:
        cv2 = import_extra("cv2", _PURPOSE)
        height, width, _ = image.shape
        angle, across, down = rng.uniform(-1, 1, 3) * (
            degrees,
            translate * width,
            translate * height,
        )
        factor = rng.uniform(*magnify) if magnify[0] < magnify[1] else magnify[0]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, factor)
        matrix[:, 2] += across, down
        moved = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
        return np.clip(moved.reshape(image.shape), 0, 1)

    return affine


def color_jitter(
    *,
    brightness: Range = (1.0, 1.0),
    contrast: Range = (1.0, 1.0),
    saturation: Range = (1.0, 1.0),
    hue: float = 0.0,
) -> Transform:
    """Changes brightness, contrast, saturation and hue by random amounts, in this order.

    The amounts have the meaning that they have in torchvision.

    Args:
        brightness: range of the factor on all values.
        contrast: range of the factor on the distance from the mean grey of the image.
        saturation: range of the factor on the distance from each pixel's grey.
        hue: the hue is turned by up to this share of the full circle either way, in [0, 0.5].

    Raises:
        InputError: a range is not ascending from 0 or more, or the hue outside [0, 0.5].

    Example:
        >>> jitter = color_jitter(brightness=(0.5, 0.5))
        >>> jitter(np.full((1, 2, 3), 0.8, np.float32), np.random.default_rng(0))[..., 0]
        array([[0.4, 0.4]], dtype=float32)
    """
    ranges = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
    for name, factors in ranges.items():
        _check_range(factors, name, "of factors from 0", example=(0.5, 1.5))
    check_number(hue, name="hue")
    if not 0 <= hue <= 0.5:
        raise InputError(f"hue: expected a number in [0, 0.5] turns, got {hue}: give e.g. 0.15")

    def jitter(image: Image, rng: np.random.Generator) -> Image:
        image = adjust_brightness(image, rng.uniform(*brightness))
        image = adjust_contrast(image, rng.uniform(*contrast))
        image = adjust_saturation(image, rng.uniform(*saturation))
        return adjust_hue(image, rng.uniform(-hue, hue))

    return jitter


def random_noise(*, scale: Range) -> Transform:
    """Adds Gaussian noise, the same in no two pixels, and clips to [0, 1].

    Args:
        scale: range of the standard deviation, drawn anew for each image.

    Raises:
        InputError: a range that is not ascending from 0 or more.

    Example:
        >>> noisy = random_noise(scale=(0.0, 0.1))
        >>> noisy(np.zeros((8, 8, 3), np.float32), np.random.default_rng(0)).min().item()
        0.0
    """
    _check_range(scale, "scale", "of 0 or more", example=(0.0, 0.1))

    def noisy(image: Image, rng: np.random.Generator) -> Image:
        noise = rng.standard_normal(image.shape, np.float32)
        return np.clip(image + np.float32(rng.uniform(*scale)) * noise, 0, 1)

    return noisy


def adjust_brightness(image: Image, factor: float) -> Image:
    """Multiplies all values by the factor and clips."""
    return np.clip(image * np.float32(factor), 0, 1)


def adjust_contrast(image: Image, factor: float) -> Image:
    """Moves all values away from (above 1) or towards the mean grey and clips."""
    return _blend(image, _grey(image).mean(), factor)


def adjust_saturation(image: Image, factor: float) -> Image:
    """Moves each pixel's colour away from (above 1) or towards its grey and clips.

    Grey images are kept.
    """
    return image if image.shape[-1] != 3 else _blend(image, _grey(image), factor)


def adjust_hue(image: Image, turn: float) -> Image:
    """Turns each pixel's hue by a share of the full circle; grey images are kept."""
    if image.shape[-1] != 3 or turn == 0:
        return image
    cv2 = import_extra("cv2", _PURPOSE)
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)  # hue of float images is in degrees
    turned = hsv[..., 0] + np.float32(360 * turn)
    hsv[..., 0] = turned - 360 * np.floor(turned / 360)  # several times faster than the remainder
    return np.clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), 0, 1)


def _grey(image: Image) -> Float[np.ndarray, "h w 1"]:
    return (image @ _LUMA)[..., None] if image.shape[-1] == 3 else image


def _blend(image: Image, towards: Float[np.ndarray, "..."], factor: float) -> Image:
    """``towards + factor * (image - towards)``, clipped, with few passes over the pixels."""
    blended = image * np.float32(factor)
    blended += towards * np.float32(1 - factor)
    return np.clip(blended, 0, 1, out=blended)


def _check_range(
    given: Range, name: str, kind: str, *, example: Range, above_0: bool = False
) -> None:
    """Checks for two finite numbers of at least 0, the second not below the first."""
    is_pair = isinstance(given, tuple | list) and len(given) == 2
    are_numbers = is_pair and all(isinstance(number, Real) for number in given)
    if not are_numbers or not 0 <= given[0] <= given[1] < math.inf or (above_0 and not given[0]):
        raise InputError(
            f"{name}: expected an ascending range {kind}, got {given!r}: give e.g. {example}"
        )


def _check_probability(probability: float) -> None:
    check_number(probability, name="probability")
    if not 0 <= probability <= 1:
        raise InputError(
            f"probability: expected a number in [0, 1], got {probability}: give e.g. 0.5"
        )
