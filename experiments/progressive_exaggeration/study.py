"""The study of Singla et al. 2020: the explained label, then the chapters that were asked for."""

from collections.abc import Mapping
from typing import NamedTuple

from experiments.progressive_exaggeration.chapters import Chapter, check_chapters, study_chapters
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.label_study import LabelStudy, study_label
from experiments.progressive_exaggeration.setup import prepare
from experiments.shared import Workspace


class Study(NamedTuple):
    """The results of the study.

    Attributes:
        label: the results of the explained label.
        chapters: the results beyond it, by name, in reading order.
    """

    label: LabelStudy
    chapters: Mapping[str, Chapter]

    @property
    def identity(self) -> object:
        """Everything that the results depend on, beside the configuration."""
        return [self.label.identity, [chapter.identity for chapter in self.chapters.values()]]

    @property
    def note(self) -> str:
        """The sentence on the images that stands beside every table and figure."""
        return self.label.data.note


STAGES = ("images", "explained label", "chapters")
"""The stages of ``run_study``, in their order."""


def run_study(config: Config, workspace: Workspace) -> Study:
    """Trains and explains, or reads what earlier runs computed.

    Raises:
        InputError: images or chapters that cannot be used, before anything is trained.
    """
    workspace.begin("images")
    setup = prepare(config, workspace)
    check_chapters(setup)
    workspace.begin("explained label")
    label = study_label(setup)
    workspace.begin("chapters")
    return Study(label, study_chapters(label))
