"""The study of the explained label: classifier, explainer, explanations and their measures.

Every stage is kept by all that it depends on.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.progressive_exaggeration.data import Data
from experiments.progressive_exaggeration.label_study.classifiers import (
    EXPLAINED,
    JUDGE,
    Network,
    Subject,
    subject_of,
    train_network,
)
from experiments.progressive_exaggeration.label_study.explanation_quality import Measures, measure
from experiments.progressive_exaggeration.label_study.explanations import (
    Explainer,
    Sweeps,
    further_explainer,
    seen_by,
    sweep,
    train_explainer,
    xgem_sweep,
)
from experiments.progressive_exaggeration.label_study.features import (
    Features,
    features_by,
    recognised_by,
)
from experiments.progressive_exaggeration.label_study.identity import Verifier, verifier_of
from experiments.progressive_exaggeration.setup import Setup

OVER_TRAININGS = "Of several trainings of the explainers, and one of each classifier."
"""The note of claims whose intervals are over trainings of explainers, too."""


class Training(NamedTuple):
    """The explanations of one training of the explainer.

    Attributes:
        sweeps: the explanations by the paper's method.
        seen_by_judge: the judge's probability of the label for every explanation (n, k).
    """

    sweeps: Sweeps
    seen_by_judge: Float[np.ndarray, "n k"]


class LabelStudy(NamedTuple):
    """The results of the explained label.

    Attributes:
        setup: the settings, the images with all labels that were read, and the workspace.
        subject: the explained label, with the classifier, its labels and the queries.
        judge: a second classifier, of another seed.
        explainers: the explainers of the explained label, one for each training.
        features: the features whose distances are measured.
        verifier: tells faces apart; None where the images are of nothing that it could tell apart.
        sweeps: the paper's method, then xGEM.
        seen_by_judge: the judge's probability of the label for every explanation of the paper's
            method (n, k).
        measures: Tables 1 and 2.
        further: the results of further trainings of the explainer.
    """

    setup: Setup
    subject: Subject
    judge: Network
    explainers: tuple[Explainer, ...]
    features: Features
    verifier: Verifier | None
    sweeps: tuple[Sweeps, Sweeps]
    seen_by_judge: Float[np.ndarray, "n k"]
    measures: Measures
    further: tuple[Training, ...] = ()

    @property
    def trainings(self) -> tuple[Training, ...]:
        """The results of each training of the explainer, the first one's first."""
        return (Training(self.sweeps[0], self.seen_by_judge), *self.further)

    @property
    def data(self) -> Data:
        """The images with the labels of the explained classifier."""
        return self.subject.data

    @property
    def identity(self) -> object:
        """Everything that the results depend on, beside the configuration."""
        further = [training.sweeps.identity for training in self.further]
        return [self.judge.identity, [sweeps.identity for sweeps in self.sweeps], further]


def study_label(setup: Setup) -> LabelStudy:
    """Trains what is to be trained, explains the queries, and measures the explanations.

    Raises:
        InputError: as the trainers; classifiers that nothing can be explained of.
    """
    config = setup.config
    recogniser = recognised_by(setup)  # first: it is the user's, and may be mistaken
    known = setup.labelled(setup.data.label)
    network, judge = (train_network(name, known) for name in (EXPLAINED, JUDGE))
    subject = subject_of(known, network)
    explainers = tuple(
        train_explainer(config.explainer, subject, training=training)
        for training in range(config.trainings)
    )
    ours = [sweep(explainer, subject) for explainer in explainers]
    sweeps = ours[0], xgem_sweep(subject)
    features = features_by(setup, judge)
    verifier = verifier_of(known.data, features, recogniser, seed=config.seed)
    trainings = [
        Training(series, seen_by(judge, series, setup)[..., subject.label]) for series in ours
    ]
    measures = measure(subject, sweeps, features, verifier, seed=config.seed)
    return LabelStudy(
        setup,
        subject,
        judge,
        explainers,
        features,
        verifier,
        sweeps,
        trainings[0].seen_by_judge,
        measures,
        tuple(trainings[1:]),
    )


def explained_label(study: LabelStudy, setup: Setup) -> tuple[Subject, Sweeps]:
    """The explanations of a label by an explainer of a chapter, for a classifier of some labels.

    Where it is the study's own classifier and label, its explanations are returned.

    Args:
        study: the study of the explained label.
        setup: the settings, and the images with the labels of the classifier, the explained one
            named.
    """
    data = setup.data
    if (data.names, data.explained) == (study.data.names, study.subject.label):
        return study.subject, study.sweeps[0]
    subject = subject_of(setup, train_network(EXPLAINED, setup))
    return subject, sweep(further_explainer(subject), subject)
