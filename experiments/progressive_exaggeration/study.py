"""What the tables, figures and claims of the explained label are made from, each stage kept by what
it depends on.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.distances import Cloud, Distances, distances
from experiments.progressive_exaggeration.features import Features, features_by, recognised_by
from experiments.progressive_exaggeration.identity import (
    Identity,
    Verifier,
    identity_of,
    verifier_of,
)
from experiments.progressive_exaggeration.images import Data
from experiments.progressive_exaggeration.network import (
    EXPLAINED,
    JUDGE,
    Network,
    labelled,
    train_network,
)
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
from experiments.shared.stages import Workspace
from trainers import digest


class Study(NamedTuple):
    """What was found.

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
    measures: "Measures"

    @property
    def data(self) -> Data:
        """The images with the labels of the explained classifier."""
        return self.subject.data

    @property
    def dependencies(self) -> object:
        """What all of it depends on, besides the configuration."""
        return [self.judge.identity, [each.identity for each in self.sweeps]]


class Measures(NamedTuple):
    """Tables 1 and 2 for some methods.

    Attributes:
        distances: Table 1.
        identity: Table 2, by method.
        groups: which queries are drawn together, of one person or one picture; None where every
            query is one of its own.
    """

    distances: Distances
    identity: Mapping[str, Identity]
    groups: Shaped[np.ndarray, " n"] | None


def study(config: Config, data: Data, workspace: Workspace) -> Study:
    """Trains what is to be trained, explains the queries, and measures the explanations.

    Raises:
        InputError: as the trainers; classifiers that nothing can be explained of.
    """
    recogniser = recognised_by(config, workspace)  # first: it is the user's, and may be mistaken
    own = labelled(config, data, data.label)
    network, judge = (train_network(name, config, own, workspace) for name in (EXPLAINED, JUDGE))
    subject = subject_of(config, own, network, own.explained)
    explainer = train_explainer(config.explainer, subject, config, workspace)
    sweeps = sweep(explainer, subject, config, workspace), xgem_sweep(subject, config, workspace)
    features = features_by(config, judge, workspace)
    verifier = verifier_of(own, features, recogniser, seed=config.seed)
    seen = seen_by(judge, sweeps[0], config, workspace)[..., subject.label]
    measures = measure(subject, sweeps, features, verifier, seed=config.seed)
    return Study(
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


def explained_label(study: Study, data: Data) -> tuple[Subject, Sweeps]:
    """The explanations of a label by an explainer of a chapter, for the classifier of the labels of
    the data.

    The study's own where it is the same classifier and label.

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


def measure(
    subject: Subject,
    sweeps: tuple[Sweeps, ...],
    features: Features,
    verifier: Verifier | None,
    *,
    seed: int,
) -> Measures:
    """Tables 1 and 2 of one subject.

    Args:
        subject: what is explained.
        sweeps: by one method or several; names differ.
        features: what is compared by distances.
        verifier: of faces, or None.
        seed: of the choice of images and of the bootstrap.
    """
    test = subject.data.test
    real = Cloud(
        features.of_images(test.images), subject.probability, units_of(test.groups, len(test))
    )
    units = units_of(subject.groups, len(subject.queries))
    clouds = {method.name: _cloud(method, features, units) for method in sweeps}
    depends = [
        seed,
        [subject.identity, test.images.identity],
        [features.name, features.identity],
        [(method.name, method.identity) for method in sweeps],
        digest(
            [np.unique(cloud.units, return_inverse=True)[1] for cloud in (real, *clouds.values())]
        ),
    ]
    table = distances(
        real, clouds, seed=seed, keep=partial(features.workspace.cached, "distances", depends)
    )
    identity = {
        method.name: identity_of(method, subject.queries, features, verifier, features.workspace)
        for method in sweeps
    }
    return Measures(table, identity, subject.groups)


def units_of(groups: Shaped[np.ndarray, " n"] | None, number: int) -> Shaped[np.ndarray, " n"]:
    """The unit of each image: its group, or itself."""
    return np.arange(number) if groups is None else groups


def _cloud(found: Sweeps, features: Features, units: Shaped[np.ndarray, " n"]) -> Cloud:
    """All explanations of all queries; those of one unit belong together."""
    vectors, probabilities = features.of_sweeps(found), np.asarray(found.found.probabilities)
    flat = vectors.reshape(probabilities.size, -1)
    return Cloud(flat, probabilities.ravel(), np.repeat(units, probabilities.shape[1]))
