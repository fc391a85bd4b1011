"""The cards of a gallery: one for each image, with its pictures and numbers.

``gallery.html.jinja`` draws them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from cfx_jax.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture, and perhaps signed values that are drawn over it in red and blue.

    Attributes:
        caption: the sentence below it.
        alt: a description in words.
        image: (h, w, 1) or (h, w, 3), in [0, 1].
        heat: (h, w), signed; None draws the picture alone.
        scale: the value of the strongest colour, above 0.
    """

    caption: str
    alt: str
    image: Float[np.ndarray, "h w c"]
    heat: Float[np.ndarray, "h w"] | None = None
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Strip:
    """The figures of one method, side by side; a slider turns through several steps of them.

    Attributes:
        title: the method, and what it was asked for.
        steps: one or more rows of figures; one row is shown at a time; each row has as many.
        labels: the name of each step, such as "radius 0.5: sick 0.71".
        knob: the name of what the slider changes, such as "radius".
        numbers: names and values of the method's scores, as text.
    """

    title: str
    steps: Sequence[Sequence[Figure]]
    labels: Sequence[str] = ("",)
    knob: str = "step"
    numbers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.steps) != len(self.labels) or len({len(step) for step in self.steps}) != 1:
            raise InputError(
                "a strip needs one label for each step, and as many figures in each, got"
                f" {len(self.labels)} labels and steps of {[len(step) for step in self.steps]}"
            )


@dataclass(frozen=True, kw_only=True)
class Card:
    """An image of a gallery.

    Attributes:
        number: the number of the image, from 0, different for each card.
        name: the name of the image.
        image: the image itself, (h, w, 1) or (h, w, 3), in [0, 1].
        facts: sentences below the name.
        prediction: the predicted class.
        label: the true class; empty where it is unknown.
        target: the class that was asked for.
        scores: numbers that cards are sorted by; every card of a gallery has the same names.
        strips: the rows of pictures made from the image.
    """

    number: int
    name: str
    image: Float[np.ndarray, "h w c"]
    facts: Sequence[str]
    prediction: str
    label: str
    target: str
    scores: Mapping[str, float]
    strips: Sequence[Strip]
