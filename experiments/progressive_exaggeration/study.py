"""Everything that the tables, figures and claims are made from, each stage kept by what it depends on."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.callables import call
from cfx_jax.metrics import cosine_distance
from cfx_jax.models import FeatureExtractor, extract_features
from cfx_jax.parallel import map_examples
from experiments.image_set import ImageSet
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.distances import Distances, Features, distances, features_of_sweep
from experiments.progressive_exaggeration.identity import Verifier, calibrate, closeness
from experiments.progressive_exaggeration.images import Data
from experiments.progressive_exaggeration.network import EXPLAINED, JUDGE, Network, features_of, train_network
from experiments.progressive_exaggeration.sweeps import (
    Sweeps,
    choose_queries,
    sweep,
    train_explainer,
    xgem_sweep,
)
from experiments.stages import Workspace


class Identity(NamedTuple):
    """Table 2 for one method, each (n, k), of every query and bin.

    Attributes:
        closeness: by the judge's features.
        verified: None where no pair of pictures of one person is known.
    """

    closeness: Bool[np.ndarray, "n k"]
    verified: Bool[np.ndarray, "n k"] | None


class Study(NamedTuple):
    """What was found.

    Attributes:
        network: the explained classifier.
        judge: a second classifier, of another seed.
        queries: the explained test images.
        sweeps: the paper's method, then xGEM.
        seen_by_judge: the judge's probability of the label for every explanation of the paper's method (n, k).
        extractor: the name of the network whose features are compared.
        distances: Table 1.
        identity: Table 2, by method.
        verifier: of its second half; None where there is none.
    """

    network: Network
    judge: Network
    queries: ImageSet
    sweeps: tuple[Sweeps, Sweeps]
    seen_by_judge: Float[np.ndarray, "n k"]
    extractor: str
    distances: Distances
    identity: Mapping[str, Identity]
    verifier: Verifier | None

    @property
    def dependencies(self) -> object:
        """What all of it depends on, besides the configuration."""
        return [self.judge.identity, [each.identity for each in self.sweeps]]


def study(config: Config, data: Data, workspace: Workspace) -> Study:
    """Trains what is to be trained, explains the queries, and measures the explanations.

    Raises:
        InputError: as the trainers; classifiers that nothing can be explained of.
    """
    network, judge = (train_network(name, config, data, workspace) for name in (EXPLAINED, JUDGE))
    classifier, depends = network.of_label(data.explained), [network.identity, data.explained]
    queries = choose_queries(config, data, network.logits[:, data.explained])
    explainer = train_explainer(config.explainer, classifier, depends, config, data, workspace)
    sweeps = (
        sweep(explainer, classifier, queries, config, workspace),
        xgem_sweep(classifier, depends, queries, config, data, workspace),
    )
    extractor = features_of(config, judge)
    of_network = [extractor.name, judge.identity]
    real = Features(
        _features(extractor, "test", data.test.images, of_network, config, workspace), _probability(network, data)
    )
    fakes = {each.name: features_of_sweep(extractor, each, of_network, config.batch_size, workspace) for each in sweeps}
    own = _features(extractor, "queries", queries, of_network, config, workspace)
    verifier = _verifier(extractor, data, real, of_network, config, workspace)
    identity = {each.name: _identity(own, fakes[each.name], each, verifier) for each in sweeps}
    return Study(
        network,
        judge,
        queries,
        sweeps,
        _seen(judge, data, sweeps[0], config, workspace),
        extractor.name,
        distances(real, fakes, seed=config.seed),
        identity,
        verifier,
    )


def _probability(network: Network, data: Data) -> Float[np.ndarray, " n"]:
    return 1 / (1 + np.exp(-network.logits[:, data.explained].astype(np.float64)))


def _features(
    extractor: FeatureExtractor, name: str, images: ImageSet, depends: object, config: Config, workspace: Workspace
) -> Float[np.ndarray, "n d"]:
    def compute() -> dict[str, np.ndarray]:
        return {"values": extract_features(extractor, images.arrays["image"], batch_size=config.batch_size)}

    return workspace.cached(f"features {name}", [depends, images.identity], compute)["values"]


def _verifier(
    extractor: FeatureExtractor, data: Data, real: Features, depends: object, config: Config, workspace: Workspace
) -> Verifier | None:
    """Calibrated on the test images and their true counterfactuals, which show the same people."""
    arrays = data.test.images.arrays
    if "counterfactual" not in arrays:
        return None

    def compute() -> dict[str, np.ndarray]:
        return {"values": extract_features(extractor, arrays["counterfactual"], batch_size=config.batch_size)}

    again = workspace.cached("features counterfactuals", [depends, data.test.images.identity], compute)["values"]
    return calibrate(real.values, again, seed=config.seed)


def _identity(own: Float[np.ndarray, "n d"], fake: Features, found: Sweeps, verifier: Verifier | None) -> Identity:
    bins = found.found.images.shape[1]
    explanations = fake.values.reshape(len(own), bins, -1)
    verified = None
    if verifier is not None:
        away = [cosine_distance(own, explanations[:, each]) for each in range(bins)]
        verified = np.stack(away, axis=1) < verifier.threshold
    return Identity(closeness(own, explanations), verified)


def _seen(judge: Network, data: Data, found: Sweeps, config: Config, workspace: Workspace) -> Float[np.ndarray, "n k"]:
    """What a classifier says that the explainer was not trained against; noise for one network moves another little."""

    def compute() -> dict[str, np.ndarray]:
        images = np.asarray(found.found.images)
        flat = images.reshape(-1, *images.shape[2:])
        logits = map_examples(
            call, judge.of_label(data.explained), flat, batch_size=config.batch_size * images.shape[1]
        )
        odds = (logits[:, 1] - logits[:, 0]).astype(np.float64)
        return {"values": (1 / (1 + np.exp(-odds))).reshape(images.shape[:2])}

    return workspace.cached("judged", [judge.identity, data.explained, found.identity], compute)["values"]
