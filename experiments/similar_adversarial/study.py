"""What is trained and measured, before anything is written."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.errors import InputError
from experiments.generation.attributions import AVERAGED, Maps, Method, averaged, baselines, maps, pair_method
from experiments.generation.augmentation import averaging_ranges
from experiments.generation.classifier import Network
from experiments.generation.generators import PairGenerator, train_mask_generator, train_similar_adversarial
from experiments.generation.images import Data, annotated
from experiments.generation.localisation import Localisation, localise
from experiments.generation.quality import Quality, measure_quality
from experiments.image_set import ImageSet
from experiments.similar_adversarial.config import Config
from experiments.similar_adversarial.published import AVERAGED_TOO
from experiments.similar_adversarial.rows import NAIVE, NAMES, OURS, settings_of
from experiments.stages import Workspace


class Localised(NamedTuple):
    """Maps against annotations.

    Attributes:
        images: annotated test images.
        annotation: of each, (n, h, w).
        patients: whom each shows, where several show one; or None.
        right: whether the classifier finds the finding in each, (n,).
        maps: by method.
        found: by method.
    """

    images: ImageSet
    annotation: Bool[np.ndarray, "n h w"]
    patients: np.ndarray | None
    right: Bool[np.ndarray, " n"]
    maps: dict[str, Maps]
    found: dict[str, Localisation]


class Study(NamedTuple):
    """Everything measured.

    Attributes:
        generators: by row of the paper's tables.
        quality: of each.
        localised: None where nothing is annotated.
    """

    generators: dict[str, PairGenerator]
    quality: dict[str, Quality]
    localised: Localised | None


def run_study(config: Config, data: Data, network: Network, workspace: Workspace) -> Study:
    """Trains the generators, measures their images, and compares explanations where findings are annotated.

    Raises:
        InputError: unknown generators, or the naive one or the paper's best left out.
    """
    _check_generators(config.generators)
    generators = {
        name: train_similar_adversarial(
            name,
            settings_of(name, config.similar_adversarial, duo_batch_size=config.duo_batch_size),
            config,
            data,
            network,
            workspace,
        )
        for name in config.generators
    }
    quality = {name: measure_quality(each, config, data, network, workspace) for name, each in generators.items()}
    localised = None
    if data.annotation is not None:
        localised = _localise(config, data, network, generators, workspace)
    return Study(generators, quality, localised)


def averaged_methods(config: Config, methods: Sequence[Method]) -> list[Method]:
    """The methods of Tables VI and X that are averaged over augmentations, so averaged."""
    chosen = [each for each in methods if each.name in (*AVERAGED_TOO, *config.generators)]
    return [averaged(each, averaging_ranges(config), num=config.num_averaged) for each in chosen]


def _localise(
    config: Config, data: Data, network: Network, generators: dict[str, PairGenerator], workspace: Workspace
) -> Localised:
    assert data.annotation is not None
    masks = train_mask_generator(config, data, network, workspace)
    methods = [*baselines(config, network, masks), *map(pair_method, generators.values())]
    methods += averaged_methods(config, methods)
    positions = annotated(config, data)
    images, logits = data.test.take(positions), network.logits[positions]
    annotation = data.test.arrays[data.annotation][positions].astype(bool)
    made = {each.name: maps(each, images, config, workspace) for each in methods}
    return Localised(
        images,
        annotation,
        None if data.patients is None else data.patients[positions],
        logits[:, data.finding] >= logits[:, 0],
        made,
        {name: localise(each.values, annotation, config.percentiles) for name, each in made.items()},
    )


def measures(found: Localisation, percentiles: Sequence[float]) -> Float[np.ndarray, "n m"]:
    """The IoU at some percentiles and both areas, for each image."""
    return np.stack([*(found.iou[each] for each in percentiles), found.auc, found.partial_auc], axis=1)


def nearest(percentiles: Sequence[float], percentile: float) -> float:
    """The one of some percentiles next to that which the paper names."""
    return min(percentiles, key=lambda each: abs(each - percentile))


def with_averages(names: Sequence[str]) -> list[str]:
    """Names of methods, then those of their averages."""
    return [*names, *(name + AVERAGED for name in names)]


def _check_generators(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in NAMES]
    if unknown or not {NAIVE, OURS} <= set(names):
        raise InputError(
            f"--generators: expected some of {', '.join(NAMES)}, {NAIVE!r} and {OURS!r} among them, got {', '.join(names)}"
        )
