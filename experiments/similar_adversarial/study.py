"""The study: all that is trained and measured, before anything is written."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from experiments.charachon_shared import (
    AVERAGED,
    Groups,
    Localisation,
    Maps,
    Method,
    PairGenerator,
    Quality,
    Setup,
    averaged_method,
    averaging_ranges,
    baselines,
    find_annotated,
    localise,
    make_controls,
    make_maps,
    measure_quality,
    pair_method,
    prepare,
    train_mask_generator,
    train_similar_adversarial,
)
from experiments.shared import ImageSet, InputError, Workspace
from experiments.similar_adversarial.boxes import Boxes, find_boxes
from experiments.similar_adversarial.compared_generators import NAIVE, NAMES, OURS, row_settings
from experiments.similar_adversarial.config import Config
from experiments.similar_adversarial.published import AVERAGED_TOO
from trainers import with_run


class Marked(NamedTuple):
    """The test images that maps are compared on, each with an annotation.

    Attributes:
        images: the images.
        annotation: the marked pixels of each image, (n, h, w).
        detected: whether the classifier finds the finding in each, (n,).
        groups: the images that are drawn together.
        boxes: the boxes of all test images, for Table III; or None.
    """

    images: ImageSet
    annotation: Bool[np.ndarray, "n h w"]
    detected: Bool[np.ndarray, " n"]
    groups: Groups
    boxes: Boxes | None


class Run(NamedTuple):
    """One training of each generator, and what it gives.

    Attributes:
        generators: the generators by row of the paper's tables.
        quality: the measures by row of the paper's tables.
        maps: the maps of each method, plain and averaged (by the end of the name): of the
            generators, and in the first training of the other methods too; empty where nothing is
            annotated.
        localisation: the scores of these maps by method, and in the first training of the controls.
    """

    generators: Mapping[str, PairGenerator]
    quality: Mapping[str, Quality]
    maps: Mapping[str, Maps]
    localisation: Mapping[str, Localisation]


class Study(NamedTuple):
    """The results of all trainings and measurements.

    Attributes:
        setup: the configuration, the images and the classifier.
        runs: the trainings; tables and figures show the first.
        marked: None where nothing is annotated.
    """

    setup: Setup[Config]
    runs: tuple[Run, ...]
    marked: Marked | None

    @property
    def first(self) -> Run:
        """The first training, which tables and figures show."""
        return self.runs[0]

    @property
    def identity(self) -> object:
        """All that the results depend on, beside the configuration."""
        return [self.setup.network.identity, self.setup.data.identity]

    @property
    def note(self) -> str:
        """The note that stands beside every table and figure."""
        return self.setup.data.note

    @property
    def groups(self) -> Groups:
        """The test images that are drawn together."""
        return self.setup.data.groups

    @property
    def marked_groups(self) -> Groups:
        """The marked images that are drawn together."""
        return Groups() if self.marked is None else self.marked.groups


def stages(config: Config) -> tuple[str, ...]:
    """The stages of ``run_study``, in their order."""
    return "images and classifier", *map(stage_of, range(config.num_runs))


def stage_of(number: int) -> str:
    """The name of the stage of one training of each generator, by its number from 0."""
    return f"generators and maps, training {number + 1}"


def run_study(config: Config, workspace: Workspace) -> Study:
    """Trains classifier and generators, measures images, and compares maps where any is annotated.

    Raises:
        InputError: images that cannot be used, a classifier that cannot be explained; unknown
            generators, or the naive one or the paper's best left out; no training.
    """
    _check_generators(config.generators)
    if config.num_runs < 1:
        raise InputError(f"--num-runs: expected at least 1, got {config.num_runs}")
    workspace.begin("images and classifier")
    setup = prepare(config, workspace)
    marked = None if setup.data.annotation is None else _mark(setup, setup.data.annotation)
    runs = tuple(_run(setup, marked, number) for number in range(config.num_runs))
    return Study(setup, runs, marked)


def averaged_methods(setup: Setup[Config], methods: Sequence[Method]) -> list[Method]:
    """The methods of Tables VI and X that are averaged over augmentations, so averaged."""
    names, ranges = (*AVERAGED_TOO, *setup.config.generators), averaging_ranges(setup.config)
    chosen = [method for method in methods if method.name in names]
    return [averaged_method(method, ranges, num=setup.config.num_averaged) for method in chosen]


def nearest(percentiles: Sequence[float], percentile: float) -> float:
    """The one of some percentiles next to that which the paper names."""
    return min(percentiles, key=lambda at: abs(at - percentile))


def with_averages(names: Sequence[str]) -> list[str]:
    """Names of methods, then the names of their averages."""
    return [*names, *(name + AVERAGED for name in names)]


def _mark(setup: Setup[Config], annotation: str) -> Marked:
    data, logits = setup.data, setup.network.logits
    positions = find_annotated(setup.config, data)
    return Marked(
        data.test.take(positions),
        data.test.arrays[annotation][positions].astype(bool),
        logits[positions, data.finding] >= logits[positions, 0],
        data.groups.of(positions),
        find_boxes(data.test, annotation),
    )


def _run(setup: Setup[Config], marked: Marked | None, number: int) -> Run:
    """One training of each generator; the seeds of trainings differ by their numbers."""
    config = setup.config
    setup.workspace.begin(stage_of(number))
    base = with_run(config.similar_adversarial, seed=config.similar_adversarial.run.seed + number)
    generators = {
        name: train_similar_adversarial(
            name, row_settings(name, base, duo_batch_size=config.duo_batch_size), setup
        )
        for name in config.generators
    }
    quality = {name: measure_quality(pairs, setup) for name, pairs in generators.items()}
    if marked is None:
        return Run(generators, quality, {}, {})
    methods = [pair_method(pairs) for pairs in generators.values()]
    if number == 0:
        methods = [*baselines(setup, train_mask_generator(setup)), *methods]
    methods += averaged_methods(setup, methods)
    maps = {method.name: make_maps(method, marked.images, setup) for method in methods}
    values = {name: made.values for name, made in maps.items()}
    if number == 0:
        values |= make_controls(marked.images, setup.data, seed=config.seed)
    localisation = {
        name: localise(of_method, marked.annotation, config.percentiles)
        for name, of_method in values.items()
    }
    return Run(generators, quality, maps, localisation)


def _check_generators(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in NAMES]
    if unknown or not {NAIVE, OURS} <= set(names):
        raise InputError(
            f"--generators: expected some of {', '.join(NAMES)}, {NAIVE!r} and {OURS!r} among them,"
            f" got {', '.join(names)}"
        )
