"""What the paper asks beyond the explained label: chapters of the report, each with trainings of
its own.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.report import Claim
from experiments.progressive_exaggeration.ablation import ablation
from experiments.progressive_exaggeration.attributes import attributes
from experiments.progressive_exaggeration.bias import bias
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.discrimination import discrimination
from experiments.progressive_exaggeration.heart import heart
from experiments.progressive_exaggeration.images import Data
from experiments.progressive_exaggeration.saliency import saliency
from experiments.progressive_exaggeration.study import Study
from experiments.shared.presenter import Presenter


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


def check_chapters(config: Config, data: Data) -> None:
    """Checks, before anything is trained, that the images have the labels that chapters and
    questionnaire ask for.

    Raises:
        InputError: naming the option.
    """
    for name in config.chapters:
        check_choice(name, tuple(CHAPTERS), name="--chapters")
    if "attributes" in config.chapters:
        for name in config.attributes:
            check_choice(name, data.names, name="--attributes")
    if "discrimination" in config.chapters:
        for name in config.discriminated:
            check_choice(name, data.names, name="--discriminated")
        names = config.discriminated or data.names
        if len(names) < 2:
            raise InputError(
                f"--discriminated: expected two labels or more of one classifier, got"
                f" {', '.join(names)}: leave the chapter"
                " 'discrimination' out"
            )
    if "ablation" in config.chapters and config.ablated:
        check_choice(config.ablated, data.names, name="--ablated")
    if "bias" in config.chapters:
        check_choice(
            config.confounder,
            tuple(each for each in data.names if each != data.label),
            name="--confounder",
        )
    asked = zip(
        config.human_items,
        (True, "attributes" in config.chapters, "bias" in config.chapters),
        strict=True,
    )
    if any(config.human_items) and not any(number and possible for number, possible in asked):
        raise InputError(
            f"--human-items: expected queries of a task that the chapters can ask, got"
            f" {config.human_items}: Task 2 needs"
            " the chapter 'attributes', Task 3 'bias'"
        )


def examine(study: Study) -> dict[str, Chapter]:
    """The chapters that the configuration names, in the order of ``CHAPTERS``.

    Raises:
        InputError: a chapter that these images cannot answer.
    """
    return {
        name: answer(study) for name, answer in CHAPTERS.items() if name in study.config.chapters
    }
