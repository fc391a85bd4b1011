"""What is trained and measured, before anything is written."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from cfx_jax.errors import InputError
from experiments.charachon.attributions import (
    AVERAGED,
    Maps,
    Method,
    averaged,
    baselines,
    maps,
    pair_method,
)
from experiments.charachon.augmentation import averaging_ranges
from experiments.charachon.classifier import Network
from experiments.charachon.generators import (
    PairGenerator,
    train_mask_generator,
    train_similar_adversarial,
)
from experiments.charachon.images import Data, annotated
from experiments.charachon.localisation import Localisation, localise
from experiments.charachon.quality import Quality, measure_quality
from experiments.shared.image_set import PATIENTS, ImageSet
from experiments.shared.stages import Workspace
from experiments.similar_adversarial.boxes import Boxes, boxes_of
from experiments.similar_adversarial.config import Config
from experiments.similar_adversarial.published import AVERAGED_TOO
from experiments.similar_adversarial.rows import NAIVE, NAMES, OURS, settings_of
from trainers import with_run


class Localised(NamedTuple):
    """Maps against annotations.

    Attributes:
        images: annotated test images.
        annotation: of each, (n, h, w).
        groups: those that are drawn together, of one patient or of one picture; or None.
        right: whether the classifier finds the finding in each, (n,).
        maps: by method.
        found: by method.
    """

    images: ImageSet
    annotation: Bool[np.ndarray, "n h w"]
    groups: np.ndarray | None
    right: Bool[np.ndarray, " n"]
    maps: dict[str, Maps]
    found: dict[str, Localisation]


class Run(NamedTuple):
    """One training of each generator; by row of the paper's tables.

    Attributes:
        quality: of each.
        found: of the maps of each, plain and averaged (with the end of the name); empty where
            nothing is annotated.
    """

    quality: dict[str, Quality]
    found: dict[str, Localisation]


class Study(NamedTuple):
    """Everything measured.

    Attributes:
        generators: by row of the paper's tables, of the first training.
        quality: of each.
        localised: None where nothing is annotated.
        groups: test images that are drawn together, of one patient or of one picture; or None.
        group_unit: what the groups are, in words.
        further: the trainings after the first.
        boxes: what Table III is made from; None where nothing is annotated.
    """

    generators: dict[str, PairGenerator]
    quality: dict[str, Quality]
    localised: Localised | None
    groups: np.ndarray | None = None
    further: tuple[Run, ...] = ()
    boxes: Boxes | None = None
    group_unit: str = PATIENTS

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every training."""
        return Run(
            self.quality, {} if self.localised is None else self.localised.found
        ), *self.further


def run_study(config: Config, data: Data, network: Network, workspace: Workspace) -> Study:
    """Trains the generators, measures their images, and compares explanations where findings are
    annotated.

    Raises:
        InputError: unknown generators, or the naive one or the paper's best left out; no training.
    """
    _check_generators(config.generators)
    if config.num_runs < 1:
        raise InputError(f"--num-runs: expected at least 1, got {config.num_runs}")
    generators = _trained(config, data, network, workspace, run=0)
    quality = _qualities(generators, config, data, network, workspace)
    further = tuple(
        _run(config, data, network, workspace, run) for run in range(1, config.num_runs)
    )
    if data.annotation is None:
        return Study(generators, quality, None, data.groups, further, None, data.group_unit)
    localised = _localise(config, data, network, generators, workspace)
    boxes = boxes_of(data.test, data.annotation)
    return Study(generators, quality, localised, data.groups, further, boxes, data.group_unit)


def _trained(
    config: Config, data: Data, network: Network, workspace: Workspace, *, run: int
) -> dict[str, PairGenerator]:
    base = with_run(config.similar_adversarial, seed=config.similar_adversarial.run.seed + run)
    rows = {
        name: settings_of(name, base, duo_batch_size=config.duo_batch_size)
        for name in config.generators
    }
    return {
        name: train_similar_adversarial(name, each, config, data, network, workspace)
        for name, each in rows.items()
    }


def _qualities(
    generators: dict[str, PairGenerator],
    config: Config,
    data: Data,
    network: Network,
    workspace: Workspace,
) -> dict[str, Quality]:
    return {
        name: measure_quality(each, config, data, network, workspace)
        for name, each in generators.items()
    }


def _run(config: Config, data: Data, network: Network, workspace: Workspace, run: int) -> Run:
    """A training after the first."""
    generators = _trained(config, data, network, workspace, run=run)
    quality = _qualities(generators, config, data, network, workspace)
    if data.annotation is None:
        return Run(quality, {})
    methods = [pair_method(each) for each in generators.values()]
    images, annotation = _annotated(config, data)
    made = {
        each.name: maps(each, images, config, workspace)
        for each in [*methods, *averaged_methods(config, methods)]
    }
    return Run(
        quality,
        {
            name: localise(each.values, annotation, config.percentiles)
            for name, each in made.items()
        },
    )


def averaged_methods(config: Config, methods: Sequence[Method]) -> list[Method]:
    """The methods of Tables VI and X that are averaged over augmentations, so averaged."""
    chosen = [each for each in methods if each.name in (*AVERAGED_TOO, *config.generators)]
    return [averaged(each, averaging_ranges(config), num=config.num_averaged) for each in chosen]


def _localise(
    config: Config,
    data: Data,
    network: Network,
    generators: dict[str, PairGenerator],
    workspace: Workspace,
) -> Localised:
    masks = train_mask_generator(config, data, network, workspace)
    methods = [*baselines(config, network, masks), *map(pair_method, generators.values())]
    methods += averaged_methods(config, methods)
    positions = annotated(config, data)
    logits = network.logits[positions]
    images, annotation = _annotated(config, data)
    made = {each.name: maps(each, images, config, workspace) for each in methods}
    return Localised(
        images,
        annotation,
        None if data.groups is None else data.groups[positions],
        logits[:, data.finding] >= logits[:, 0],
        made,
        {
            name: localise(each.values, annotation, config.percentiles)
            for name, each in made.items()
        },
    )


def _annotated(config: Config, data: Data) -> tuple[ImageSet, Bool[np.ndarray, "n h w"]]:
    """The images that explanations are compared on, and what is marked on each."""
    assert data.annotation is not None
    positions = annotated(config, data)
    return data.test.take(positions), data.test.arrays[data.annotation][positions].astype(bool)


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
            f"--generators: expected some of {', '.join(NAMES)}, {NAIVE!r} and {OURS!r} among them,"
            f" got {', '.join(names)}"
        )
