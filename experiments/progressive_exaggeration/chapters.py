"""What the paper asks beyond the explained label: chapters of the report, each with trainings of its own."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from cfx_jax.checks import check_choice
from cfx_jax.report import Claim
from experiments.presenter import Presenter
from experiments.progressive_exaggeration.ablation import ablation
from experiments.progressive_exaggeration.attributes import attributes
from experiments.progressive_exaggeration.bias import bias
from experiments.progressive_exaggeration.discrimination import discrimination
from experiments.progressive_exaggeration.heart import heart
from experiments.progressive_exaggeration.saliency import saliency
from experiments.progressive_exaggeration.study import Study


class Chapter(Protocol):
    """An answer."""

    @property
    def dependencies(self) -> object:
        """What it depends on, besides the configuration."""

    def present(self, presenter: Presenter) -> None:
        """Writes its section."""

    def claims(self) -> Iterator[Claim]:
        """The paper's orderings that it can test."""


CHAPTERS: Mapping[str, Callable[[Study], Chapter]] = {
    "heart": heart,
    "saliency": saliency,
    "bias": bias,
    "attributes": attributes,
    "discrimination": discrimination,
    "ablation": ablation,
}


def examine(study: Study) -> dict[str, Chapter]:
    """The chapters that the configuration names, in the order of ``CHAPTERS``.

    Raises:
        InputError: an unknown chapter, or one that these images cannot answer.
    """
    for name in study.config.chapters:
        check_choice(name, tuple(CHAPTERS), name="--chapters")
    return {name: answer(study) for name, answer in CHAPTERS.items() if name in study.config.chapters}
