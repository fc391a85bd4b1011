"""Everything that the tables, figures and claims are made from, each stage kept by what it depends
on.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.charachon.attributions import baselines, maps
from experiments.charachon.classifier import Network, train_classifier
from experiments.charachon.generators import (
    PairGenerator,
    train_mask_generator,
    train_similar_adversarial,
)
from experiments.charachon.images import Data
from experiments.charachon.localisation import Localisation, localise
from experiments.charachon.quality import Quality, measure_quality
from experiments.path_attribution import published
from experiments.path_attribution.adversary import train_adversary
from experiments.path_attribution.config import Config
from experiments.path_attribution.explained import Explained, choose
from experiments.path_attribution.faithfulness import Faithfulness, NotMeasured
from experiments.path_attribution.generators import CycleGenerators, train_cycle
from experiments.path_attribution.maps import OWN_PATH, PathMaps, along_own_path, sigma_of, straight
from experiments.path_attribution.measure import measure
from experiments.path_attribution.pairs import Pairs, pairs_of
from experiments.path_attribution.published import STATE_OF_THE_ART
from experiments.shared.stages import Workspace

_SAGEN = "SAGen"
_SYCE_OWN = f"SyCE {OWN_PATH}"


class Study(NamedTuple):
    """What was found.

    Attributes:
        network: the classifier.
        explained: the images.
        generators: CyCE, SyCE, SAGen and the adversary, in this order.
        quality: what each reaches on all test images, by name.
        pairs: the images that each makes of the explained images, by name.
        paths: the maps of each pair but the adversary's, and those of SyCE on its own path, by
            name.
        maps: by method, of the explained images (n, h, w).
        percentiles: the thresholds of Table 1.
        localisation: by method, on the annotated images; empty where there are none.
        faithfulness: the sweeps of every method, or why there are none.
    """

    network: Network
    explained: Explained
    generators: tuple[PairGenerator, ...]
    quality: Mapping[str, Quality]
    pairs: Mapping[str, Pairs]
    paths: Mapping[str, PathMaps]
    maps: Mapping[str, Float[np.ndarray, "n h w"]]
    percentiles: tuple[float, ...]
    localisation: Mapping[str, Localisation]
    faithfulness: Faithfulness | NotMeasured

    @property
    def identity(self) -> object:
        """What all of it depends on, besides the configuration."""
        return [
            self.network.identity,
            [each.identity for each in self.generators],
            self.explained.images.identity,
        ]


def study(config: Config, data: Data, workspace: Workspace) -> Study:
    """Trains what is to be trained, makes every map, and measures it.

    Raises:
        InputError: as the trainers; images or classifiers that nothing can be measured with.
    """
    network = train_classifier(config, data, workspace)
    cyce, syce = (
        train_cycle(each, config, data, network, workspace) for each in (config.cyce, config.syce)
    )
    sagen = train_similar_adversarial(
        _SAGEN, config.similar_adversarial, config, data, network, workspace
    )
    adversary = train_adversary(config, data, network, workspace)
    generators = (cyce.pair, syce.pair, sagen, adversary)
    quality = {
        each.name: measure_quality(each, config, data, network, workspace) for each in generators
    }
    explained = choose(config, data, network.classifier)
    pairs = {
        each.name: pairs_of(each, explained, batch_size=config.batch_size, workspace=workspace)
        for each in generators
    }
    paths = _paths(
        config, network, explained, syce, (cyce.pair, syce.pair, sagen), pairs, workspace
    )
    found = _state_of_the_art(config, data, network, explained, workspace)
    found |= {
        f"{name} {variant}": values
        for name, each in paths.items()
        for variant, values in each.maps.items()
    }
    percentiles = config.percentiles or published.PERCENTILES.get(
        published.task_of(config.data) or "", ()
    )
    others = pairs[adversary.name].adversarial
    return Study(
        network,
        explained,
        generators,
        quality,
        pairs,
        paths,
        found,
        percentiles,
        _localisation(data, explained, found, percentiles),
        measure(config, network, explained, others, found, workspace),
    )


def _paths(
    config: Config,
    network: Network,
    explained: Explained,
    syce: CycleGenerators,
    generators: tuple[PairGenerator, ...],
    pairs: Mapping[str, Pairs],
    workspace: Workspace,
) -> dict[str, PathMaps]:
    """The maps of each pair on the straight path, and SyCE's on its own."""
    sigma, classifier = sigma_of(config.image_size), network.classifier
    settings: dict[str, Any] = {
        "num_nodes": config.num_nodes,
        "sigma": sigma,
        "batch_size": config.batch_size,
    }
    depends = [network.identity, explained.images.identity, config.num_nodes, sigma]
    found = {}
    for each in generators:

        def compute(name: str = each.name) -> dict[str, np.ndarray]:
            return straight(classifier, pairs[name], progress=f"paths of {name}", **settings)

        found[each.name] = PathMaps.of(
            workspace.cached(f"paths {each.name}", [each.identity, *depends], compute)
        )

    def along() -> dict[str, np.ndarray]:
        images, ends = explained.images.arrays["image"], pairs[syce.pair.name]
        return along_own_path(classifier, syce.parts, images, ends, explained.predicted, **settings)

    found[_SYCE_OWN] = PathMaps.of(
        workspace.cached(f"paths {_SYCE_OWN}", [syce.pair.identity, *depends], along)
    )
    return found


def _state_of_the_art(
    config: Config, data: Data, network: Network, explained: Explained, workspace: Workspace
) -> dict[str, np.ndarray]:
    """The maps of the methods that the paper compares with, without those of generators of pairs."""
    masks = train_mask_generator(config, data, network, workspace)
    chosen = [each for each in baselines(config, network, masks) if each.name in STATE_OF_THE_ART]
    return {each.name: maps(each, explained.images, config, workspace).values for each in chosen}


def _localisation(
    data: Data,
    explained: Explained,
    found: Mapping[str, np.ndarray],
    percentiles: tuple[float, ...],
) -> dict[str, Localisation]:
    if data.annotation is None:
        return {}
    rows = explained.localised
    annotation = explained.images.arrays[data.annotation][rows]
    return {
        method: localise(values[rows], annotation, percentiles) for method, values in found.items()
    }
