"""The study of the explained label: classifier, explainer, explanations and their measures.

Every stage is kept by all that it depends on.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.progressive_exaggeration.classifiers import (
    EXPLAINED,
    JUDGE,
    Network,
    labelled,
    train_network,
)
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.data import Data
from experiments.progressive_exaggeration.features import Features, features_by, recognised_by
from experiments.progressive_exaggeration.identity import (
    Verifier,
    verifier_of,
)
from experiments.progressive_exaggeration.measures import Measures, measure
from experiments.progressive_exaggeration.subject import Subject, subject_of
from experiments.progressive_exaggeration.sweeps import (
    Explainer,
    Sweeps,
    further_explainer,
    seen_by,
    sweep,
    train_explainer,
    xgem_sweep,
)
from experiments.shared import Workspace


class LabelStudy(NamedTuple):
    """The results of the explained label.

    Attributes:
        config: of the run.
        workspace: keeps all that was computed.
        every_label: the images with all labels that were read.
        subject: the explained label, with the classifier, its labels and the queries.
        judge: a second classifier, of another seed.
        explainer: of the explained label.
        features: what is compared by distances.
        verifier: of faces; None where there is none.
        sweeps: the paper's method, then xGEM.
        seen_by_judge: the judge's probability of the label for every explanation of the paper's
            method (n, k).
        measures: Tables 1 and 2.
    """

    config: Config
    workspace: Workspace
    every_label: Data
    subject: Subject
    judge: Network
    explainer: Explainer
    features: Features
    verifier: Verifier | None
    sweeps: tuple[Sweeps, Sweeps]
    seen_by_judge: Float[np.ndarray, "n k"]
    measures: Measures

    @property
    def data(self) -> Data:
        """The images with the labels of the explained classifier."""
        return self.subject.data

    @property
    def identity(self) -> object:
        """Everything that the results depend on, beside the configuration."""
        return [self.judge.identity, [sweeps.identity for sweeps in self.sweeps]]


def study_label(config: Config, data: Data, workspace: Workspace) -> LabelStudy:
    """Trains what is to be trained, explains the queries, and measures the explanations.

    Raises:
        InputError: as the trainers; classifiers that nothing can be explained of.
    """
    recogniser = recognised_by(config, workspace)  # first: it is the user's, and may be mistaken
    known = labelled(config, data, data.label)
    network, judge = (train_network(name, config, known, workspace) for name in (EXPLAINED, JUDGE))
    subject = subject_of(config, known, network, known.explained)
    explainer = train_explainer(config.explainer, subject, config, workspace)
    sweeps = sweep(explainer, subject, config, workspace), xgem_sweep(subject, config, workspace)
    features = features_by(config, judge, workspace)
    verifier = verifier_of(known, features, recogniser, seed=config.seed)
    seen = seen_by(judge, sweeps[0], config, workspace)[..., subject.label]
    measures = measure(subject, sweeps, features, verifier, seed=config.seed)
    return LabelStudy(
        config,
        workspace,
        data,
        subject,
        judge,
        explainer,
        features,
        verifier,
        sweeps,
        seen,
        measures,
    )


def explained_label(study: LabelStudy, data: Data) -> tuple[Subject, Sweeps]:
    """The explanations of a label by an explainer of a chapter, for a classifier of some labels.

    Where it is the study's own classifier and label, its explanations are returned.

    Args:
        study: whose settings and workspace are used.
        data: the images with the labels of the classifier, the explained one named.
    """
    if (data.names, data.explained) == (study.data.names, study.subject.label):
        return study.subject, study.sweeps[0]
    network = train_network(EXPLAINED, study.config, data, study.workspace)
    subject = subject_of(study.config, data, network, data.explained)
    explainer = further_explainer(subject, study.config, study.workspace)
    return subject, sweep(explainer, subject, study.config, study.workspace)
