"""The chapters by name, each with trainings of its own, and the check of their options."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from experiments.progressive_exaggeration.chapters.ablation import ablate_terms
from experiments.progressive_exaggeration.chapters.attributes import explain_attributes
from experiments.progressive_exaggeration.chapters.confounder import study_bias
from experiments.progressive_exaggeration.chapters.discrimination import study_discrimination
from experiments.progressive_exaggeration.chapters.heart import measure_hearts
from experiments.progressive_exaggeration.chapters.saliency import map_saliency
from experiments.progressive_exaggeration.label_study import LabelStudy
from experiments.progressive_exaggeration.setup import Setup
from experiments.shared import Claim, InputError, PaperReport, check_choice


class Chapter(Protocol):
    """The results of one chapter."""

    @property
    def identity(self) -> object:
        """Everything that the results depend on, beside the configuration."""

    def write(self, report: PaperReport) -> None:
        """Writes the chapter's section of the report."""

    def claims(self) -> Iterator[Claim]:
        """Yields the paper's claims that the chapter can test."""


CHAPTERS: Mapping[str, Callable[[LabelStudy], Chapter]] = {
    "heart": measure_hearts,
    "saliency": map_saliency,
    "bias": study_bias,
    "attributes": explain_attributes,
    "discrimination": study_discrimination,
    "ablation": ablate_terms,
}


def check_chapters(setup: Setup) -> None:
    """Checks that the images have the labels that chapters and questionnaire ask for.

    Raises:
        InputError: naming the option.
    """
    config, data, _ = setup
    for name in config.chapters:
        check_choice(name, tuple(CHAPTERS), name="--chapters")
    if "attributes" in config.chapters:
        for name in config.attributes:
            check_choice(name, data.names, name="--attributes")
    if "discrimination" in config.chapters:
        _check_discriminated(setup)
    if "ablation" in config.chapters and config.ablated:
        check_choice(config.ablated, data.names, name="--ablated")
    if "bias" in config.chapters:
        others = tuple(name for name in data.names if name != data.label)
        check_choice(config.confounder, others, name="--confounder")
    if any(config.human_items):
        _check_human_items(setup)


def _check_discriminated(setup: Setup) -> None:
    config, data, _ = setup
    for name in config.discriminated:
        check_choice(name, data.names, name="--discriminated")
    names = config.discriminated or data.names
    if len(names) < 2:
        raise InputError(
            "--discriminated: expected two labels or more of one classifier, got"
            f" {', '.join(names)}: leave the chapter 'discrimination' out"
        )


def _check_human_items(setup: Setup) -> None:
    config = setup.config
    possible = True, "attributes" in config.chapters, "bias" in config.chapters
    tasks = zip(config.human_items, possible, strict=True)
    if not any(number and can_ask for number, can_ask in tasks):
        raise InputError(
            "--human-items: expected queries of a task that the chapters can ask, got"
            f" {config.human_items}: Task 2 needs the chapter 'attributes', Task 3 'bias'"
        )


def study_chapters(study: LabelStudy) -> dict[str, Chapter]:
    """The results of the chapters that the configuration names, in the order of ``CHAPTERS``.

    Raises:
        InputError: a chapter that these images cannot answer.
    """
    return {
        name: answer(study)
        for name, answer in CHAPTERS.items()
        if name in study.setup.config.chapters
    }
