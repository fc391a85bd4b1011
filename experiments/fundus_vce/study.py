"""The study of Boreiko et al. 2022, from the images to the counterfactuals."""

from typing import NamedTuple

from experiments.fundus_vce.accuracy import Evaluations, evaluate
from experiments.fundus_vce.classifiers import Classifiers, train
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.counterfactuals import Explained, Search, explain
from experiments.fundus_vce.data import Data, Sources, load_sources, split_data
from experiments.fundus_vce.localisation import Localised, localise
from experiments.fundus_vce.quality_filter import Quality, filter_gradable
from experiments.fundus_vce.setup import Setup
from experiments.shared import Workspace


class Study(NamedTuple):
    """The results of the study.

    Attributes:
        config: the configuration of the run.
        sources: the images as they were opened or drawn.
        quality: the quality filter; None where there was none.
        data: the gradable images, split.
        classifiers: plain, robust, and their ensemble.
        evaluations: their accuracies on each test set.
        localised: their maps against lesion masks; None where there are no masks.
        explained: test images with their counterfactuals.
    """

    config: Config
    sources: Sources
    quality: Quality | None
    data: Data
    classifiers: Classifiers
    evaluations: Evaluations
    localised: Localised | None
    explained: Explained

    @property
    def identity(self) -> object:
        """Everything that the results depend on, beside the configuration."""
        return [self.classifiers.identity, self.sources.identity]

    @property
    def note(self) -> str:
        """The sentence that a reader must know beside every table and figure."""
        return self.data.note


STAGES = (
    "images",
    "quality filter",
    "classifiers",
    "accuracies",
    "localisation",
    "counterfactuals",
)
"""The stages of ``run_study``, in their order."""


def run_study(config: Config, workspace: Workspace) -> Study:
    """Trains the classifiers and explains test images, or reads what earlier runs computed."""
    workspace.begin("images")
    sources = load_sources(config, workspace)
    workspace.begin("quality filter")
    quality = filter_gradable(config, sources, workspace)
    data = split_data(config, sources, None if quality is None else quality.kept)
    workspace.begin("classifiers")
    setup = Setup(config, data, workspace)
    classifiers = train(setup)
    workspace.begin("accuracies")
    evaluations = evaluate(setup, classifiers)
    workspace.begin("localisation")
    search = Search(setup, classifiers)
    localised = localise(search)
    workspace.begin("counterfactuals")
    explained = explain(search, evaluations)
    return Study(config, sources, quality, data, classifiers, evaluations, localised, explained)
