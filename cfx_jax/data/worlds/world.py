"""Random streams, labels and checks of all synthetic worlds, and the source that draws."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from numbers import Integral
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.checks import check_number
from cfx_jax.errors import InputError

SMALLEST_SIZE = 32
_LARGEST_SIZE = 2**14
_MOST = 2**31  # pictures of a world
_LABEL = 0  # the stream that decides the label; a world's own streams count from 1


def stream(seed: int, index: int, purpose: int) -> np.random.Generator:
    """The random numbers of one aspect of one picture."""
    return np.random.default_rng([seed, index, purpose])


def label_of(seed: int, index: int, *, prevalence: float) -> int:
    """The label of one picture, 1 = diseased, without drawing it."""
    return int(stream(seed, index, _LABEL).random() < prevalence)


def check_picture(seed: int, index: int, size: int) -> None:
    """Checks which picture is asked for.

    Raises:
        InputError: the seed or the index is negative, or the side below 32 pixels.
    """
    if not all(_is_whole(number) and number >= 0 for number in (seed, index)):
        raise InputError(
            f"seed and index: expected 0 or more, got {seed!r} and {index!r}: count from 0"
        )
    if _is_whole(size) and size > _LARGEST_SIZE:
        raise InputError(f"size: expected at most {_LARGEST_SIZE} pixels, got {size}")
    if not _is_whole(size) or size < SMALLEST_SIZE:
        raise InputError(
            f"size: expected at least {SMALLEST_SIZE} pixels, got {size!r}: ask for a larger"
            " picture"
        )


def check_share(name: str, value: float, example: float) -> None:
    """Checks that an option is a share; ``example`` is one to suggest.

    Raises:
        InputError: it is outside [0, 1].
    """
    check_number(value, name=name)
    if not 0 <= value <= 1:
        raise InputError(f"{name}: expected a share in [0, 1], got {value}: give e.g. {example}")


def check_severity(severity: float) -> None:
    """Checks the factor on the findings.

    Raises:
        InputError: it is not above 0.
    """
    check_number(severity, name="severity")
    if not 0 < severity < math.inf:
        raise InputError(
            f"severity: expected above 0, got {severity}: give e.g. 1.0, the standard world"
        )


def check_options(
    seed: int,
    index: int,
    size: int,
    prevalence: float,
    severity: float,
    confounder: float | None,
) -> None:
    """Checks the options of a world whose tag is bound to the label by a strength.

    Raises:
        InputError: naming the first that is out of its range.
    """
    check_picture(seed, index, size)
    check_share("prevalence", prevalence, 0.5)
    check_severity(severity)
    if confounder is None:
        return
    check_number(confounder, name="confounder")
    if not 0 <= confounder <= 1:
        raise InputError(
            f"confounder: expected None or a strength in [0, 1], got {confounder}: give e.g. 0.9,"
            " or None for no tag"
        )


def _is_whole(number: object) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool) and number < _MOST


def is_tagged(rng: np.random.Generator, label: int, strength: float | None) -> bool:
    """Whether a picture of the given label carries the planted tag.

    ``(1 + strength) / 2`` of the diseased and ``(1 - strength) / 2`` of the healthy ones do; none
    where the strength is None.
    """
    if strength is None:
        return False
    return bool(rng.random() < 0.5 + (0.5 if label else -0.5) * strength)


def pair_of(
    label: int,
    healthy: Float[np.ndarray, "*s h w c"],
    diseased: Float[np.ndarray, "*s h w c"],
    lesion: Bool[np.ndarray, "*s h w"],
) -> dict[str, Any]:
    """The fields of an item that a pair of pictures, or of scans, gives.

    The label says which of the two is the image.

    Args:
        label: 1 where the image is the diseased one.
        healthy: the picture without the finding.
        diseased: the same picture with the finding.
        lesion: where the finding is.

    Returns:
        ``image``, ``label``, ``lesion_mask``, ``counterfactual`` and
        ``counterfactual_lesion_mask``.
    """
    nothing = np.zeros_like(lesion)
    return {
        "image": diseased if label else healthy,
        "label": label,
        "lesion_mask": lesion if label else nothing,
        "counterfactual": healthy if label else diseased,
        "counterfactual_lesion_mask": nothing if label else lesion,
    }


class DrawnSource:
    """The first pictures of one synthetic world, drawn when asked for.

    Args:
        num_images: the number of pictures, at least 1.
        draw: the world's ``draw``, ``(seed, index, prevalence=, ...) -> item``.
        seed: the number of the world.
        prevalence: the share of pictures with label 1, in [0, 1].
        options: further options of ``draw``, by name.

    Raises:
        InputError: no picture is asked for.
    """

    class_names: Sequence[str]

    def __init__(
        self,
        num_images: int,
        draw: Callable[..., dict[str, Any]],
        seed: int,
        prevalence: float,
        **options: Any,
    ) -> None:
        if not _is_whole(num_images) or num_images < 1:
            raise InputError(
                f"num_images: expected at least 1, got {num_images!r}: ask for some pictures"
            )
        self._num_images = num_images
        self._draw = partial(draw, seed, prevalence=prevalence, **options)
        self._label_of = partial(label_of, seed, prevalence=prevalence)

    @cached_property
    def labels(self) -> Int[np.ndarray, " n"]:
        """The label of every picture, decided when they are first asked for."""
        return np.array([self._label_of(index) for index in range(self._num_images)])

    def __len__(self) -> int:
        return self._num_images

    def __getitem__(self, index: int) -> dict[str, Any]:
        # Raises IndexError past the end and counts negative ones from it.
        position = range(len(self))[index]
        return self._draw(position)
