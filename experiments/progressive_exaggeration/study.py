"""What the tables, figures and claims of the explained label are made from, each stage kept by what it depends on."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.distances import Cloud, Distances, distances
from experiments.progressive_exaggeration.features import Features, features_by
from experiments.progressive_exaggeration.identity import Identity, Verifier, calibrate, identity_of
from experiments.progressive_exaggeration.images import Data
from experiments.progressive_exaggeration.network import EXPLAINED, JUDGE, Network, train_network
from experiments.progressive_exaggeration.subject import Subject, subject_of
from experiments.progressive_exaggeration.sweeps import (
    Explainer,
    Sweeps,
    seen_by,
    sweep,
    train_explainer,
    xgem_sweep,
)
from experiments.stages import Workspace


class Study(NamedTuple):
    """What was found.

    Attributes:
        config: of the run.
        workspace: keeps all that was computed.
        subject: the explained label, with the classifier and the queries.
        judge: a second classifier, of another seed.
        explainer: of the explained label.
        features: what is compared by distances.
        sweeps: the paper's method, then xGEM.
        seen_by_judge: the judge's probability of the label for every explanation of the paper's method (n, k).
        measures: Tables 1 and 2.
    """

    config: Config
    workspace: Workspace
    subject: Subject
    judge: Network
    explainer: Explainer
    features: Features
    sweeps: tuple[Sweeps, Sweeps]
    seen_by_judge: Float[np.ndarray, "n k"]
    measures: "Measures"

    @property
    def data(self) -> Data:
        """The images."""
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
        verifier: of its second half; None where there is none.
    """

    distances: Distances
    identity: Mapping[str, Identity]
    verifier: Verifier | None


def study(config: Config, data: Data, workspace: Workspace) -> Study:
    """Trains what is to be trained, explains the queries, and measures the explanations.

    Raises:
        InputError: as the trainers; classifiers that nothing can be explained of.
    """
    network, judge = (train_network(name, config, data, workspace) for name in (EXPLAINED, JUDGE))
    subject = subject_of(config, data, network, data.explained)
    explainer = train_explainer(config.explainer, subject, config, workspace)
    sweeps = sweep(explainer, subject, config, workspace), xgem_sweep(subject, config, workspace)
    features = features_by(config, judge, workspace)
    seen = seen_by(judge, sweeps[0], config, workspace)[..., subject.label]
    measures = measure(subject, sweeps, features, seed=config.seed)
    return Study(config, workspace, subject, judge, explainer, features, sweeps, seen, measures)


def measure(subject: Subject, sweeps: tuple[Sweeps, ...], features: Features, *, seed: int) -> Measures:
    """Tables 1 and 2 of one subject.

    Args:
        subject: what is explained.
        sweeps: by one method or several; names differ.
        features: what is compared.
        seed: of the choice of images, of pairs, and of the bootstrap.
    """
    test = subject.data.test.images
    real, again = features.of_images(test), features.of_counterfactuals(test)
    verifier = None if again is None else calibrate(real, again, seed=seed)
    clouds = {each.name: _cloud(each, features) for each in sweeps}
    identity = {
        each.name: identity_of(each, subject.queries, features, verifier, features.workspace) for each in sweeps
    }
    return Measures(distances(Cloud(real, subject.probability), clouds, seed=seed), identity, verifier)


def _cloud(found: Sweeps, features: Features) -> Cloud:
    vectors, probabilities = features.of_sweeps(found), np.asarray(found.found.probabilities)
    return Cloud(vectors.reshape(probabilities.size, -1), probabilities.ravel())
