"""The explanation of one image."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from cfx_jax.explain.methods import Sweep
from cfx_jax.objectives import decision

T = TypeVar("T")

DECISION = (
    "image",
    "label",
    "prediction",
    "probability",
    "target",
    "probability of the target",
)
"""The columns of a table that do not depend on the methods."""


class ByName(Mapping[str, T]):
    """Values by name, each made when it is asked for."""

    def __init__(self, names: Iterable[str], make: Callable[[str], T]) -> None:
        """Keeps how values are made.

        Args:
            names: in the order of iteration.
            make: name -> value.
        """
        self._names, self._make = tuple(names), make

    def __getitem__(self, name: str) -> T:
        if name not in self._names:
            raise KeyError(name)
        return self._make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class Explanation:
    """The explanation of one image by one or more methods.

    Attributes:
        number: of the image in its run, from 0.
        name: of the image.
        label: the true class where one is known, else empty.
        image: (h, w, c), as the classifier was given it.
        logits: (k,), of the image.
        target: the class that counterfactuals were made for.
        pictures: by method, (h, w, c): a counterfactual in [0, 1], or a map. Maps of ``METHODS``
            explain the predicted class and have a sign; those of generators are at least 0.
        scores: by method and name of the score.
        sweeps: by method, pictures on the way to the method's own.
    """

    number: int
    name: str
    label: str
    logits: Float[np.ndarray, " k"]
    target: int
    scores: Mapping[str, Mapping[str, float]]
    arrays: Mapping[str, Float[np.ndarray, "..."]]
    """The image and all pictures by their names in a file, perhaps read when asked for."""
    curves: Mapping[str, Mapping[str, list[float]]]
    """Positions and probabilities of the sweeps, by method."""

    @property
    def image(self) -> Float[np.ndarray, "h w c"]:
        return self.arrays["image"]

    @property
    def pictures(self) -> Mapping[str, Float[np.ndarray, "h w c"]]:
        return ByName(self.scores, lambda method: self.arrays[f"picture/{method}"])

    @property
    def sweeps(self) -> Mapping[str, Sweep]:
        def sweep(method: str) -> Sweep:
            curve = {name: np.asarray(values) for name, values in self.curves[method].items()}
            return Sweep(self.arrays[f"sweep/{method}"], **curve)

        return ByName(self.curves, sweep)

    @property
    def prediction(self) -> int:
        """The class that the classifier decides on, by ``objectives.decision``."""
        return int(decision(self.logits))

    @property
    def probabilities(self) -> Float[np.ndarray, " k"]:
        """The classes' probabilities, (k,), with the sum 1."""
        shifted = np.exp(self.logits - self.logits.max())
        return shifted / shifted.sum()

    def row(self, classes: Sequence[str]) -> dict[str, Any]:
        """All numbers of the image, by the name of their column in a table.

        Args:
            classes: names of the k classes.
        """
        probabilities = self.probabilities
        decision = (
            self.name,
            self.label,
            classes[self.prediction],
            float(probabilities[self.prediction]),
            classes[self.target],
            float(probabilities[self.target]),
        )
        row: dict[str, Any] = dict(zip(DECISION, decision, strict=True))
        for method, scores in self.scores.items():
            row |= {f"{method}: {name}": value for name, value in scores.items()}
        return row
