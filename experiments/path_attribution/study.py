"""The study: all that is trained and measured, each stage kept by what it depends on."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.charachon_shared import (
    Localisation,
    PairGenerator,
    Quality,
    Setup,
    baselines,
    localise,
    make_controls,
    make_maps,
    measure_quality,
    prepare,
    train_mask_generator,
    train_similar_adversarial,
)
from experiments.path_attribution import published
from experiments.path_attribution.config import Config
from experiments.path_attribution.explained_images import Explained, choose_images
from experiments.path_attribution.faithfulness import (
    Faithfulness,
    NotMeasured,
    measure_faithfulness,
)
from experiments.path_attribution.generators import (
    ADVERSARY,
    CycleGenerators,
    Pairs,
    make_pairs,
    train_adversary,
    train_cycle,
)
from experiments.path_attribution.latent import NAMES, prepare_searches
from experiments.path_attribution.maps import (
    Integration,
    PathMaps,
    integrate_own_path,
    integrate_straight,
    smoothing_sigma,
)
from experiments.shared import Arrays, InputError, Workspace


class Study(NamedTuple):
    """The results of all trainings and measurements.

    Attributes:
        setup: the configuration, the images and the classifier.
        explained: the images that are explained.
        generators: CyCE, SyCE, SAGen, the latent searches and the adversary, in this order,
            without those that are left out.
        quality: the measures of each generator on all test images, by name.
        pairs: the images that each makes of the explained images, by name.
        paths: the maps of each pair but the adversary's, and the maps of SyCE on its own path, by
            name.
        maps: the maps of the explained images (n, h, w), by method; without the controls.
        percentiles: the thresholds of Table 1.
        localisation: the scores of each method and control on the annotated images; empty where
            there are none.
        faithfulness: the sweeps of every method and control, or why there are none.
    """

    setup: Setup[Config]
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
        """All that the results depend on, beside the configuration."""
        return [
            self.setup.network.identity,
            [generator.identity for generator in self.generators],
            self.explained.images.identity,
        ]

    @property
    def searches(self) -> tuple[str, ...]:
        """The names of the latent searches."""
        names = [generator.name for generator in self.generators]
        return tuple(name for name in names if name in NAMES.values())

    @property
    def note(self) -> str:
        """The note that stands beside every table and figure."""
        return self.setup.data.note

    @property
    def task(self) -> str | None:
        """The paper's task, whose figures stand beside ours; None for other images."""
        return published.task_of(self.setup.config.data)


STAGES = (
    "images and classifier",
    "cycle generators",
    "similar and adversarial generators",
    "latent searches",
    "quality of generators",
    "maps",
    "localisation and faithfulness",
)
"""The stages of ``run_study``, in their order."""


def run_study(config: Config, workspace: Workspace) -> Study:
    """Trains what is to be trained, makes every map, and measures it.

    Raises:
        InputError: as the trainers; images or classifiers that nothing can be measured with.
    """
    workspace.begin("images and classifier")
    setup = prepare(config, workspace)
    check_left_out(setup)
    workspace.begin("cycle generators")
    cycles = _train_cycles(setup)
    workspace.begin("similar and adversarial generators")
    sagen = train_similar_adversarial("SAGen", config.similar_adversarial, setup)
    overwrites = "overwriting" not in config.leave_out
    adversaries = (train_adversary(setup),) if overwrites else ()
    workspace.begin("latent searches")
    searches = prepare_searches(config.latent, setup)
    explaining = (*(made.pair for made in cycles), sagen, *searches.pairs)
    generators = (*explaining, *adversaries)
    workspace.begin("quality of generators")
    quality = {made.name: measure_quality(made, setup) for made in generators}
    explained = choose_images(setup)
    pairs = {made.name: make_pairs(made, explained, setup) for made in generators}
    workspace.begin("maps")
    paths = _integrate(setup, explained, cycles, explaining, pairs)
    maps = _state_of_the_art(setup, explained) | searches.maps(explained.images, setup)
    for name, made in paths.items():
        maps |= {f"{name} {variant}": values for variant, values in made.maps.items()}
    measured = maps | make_controls(explained.images, setup.data, seed=config.seed)
    workspace.begin("localisation and faithfulness")
    task = published.task_of(config.data) or ""
    percentiles = config.percentiles or published.PERCENTILES.get(task, ())
    return Study(
        setup,
        explained,
        generators,
        quality,
        pairs,
        paths,
        maps,
        percentiles,
        _localise(setup, explained, measured, percentiles),
        _overwrite(setup, explained, pairs, measured),
    )


def check_left_out(setup: Setup[Config]) -> None:
    """Checks that nothing is left out that claims or tables of these data need.

    Raises:
        InputError: the rivals are, and something is compared with them.
    """
    left_out = setup.config.leave_out
    compared = {"cycles", "rivals"} & set(left_out)
    if compared and (setup.data.annotation or "overwriting" not in left_out):
        raise InputError(
            f"--leave-out: expected {' and '.join(sorted(compared))} together with overwriting, on"
            f" images without masks, got {' '.join(left_out)}: claims compare with them"
        )


def _train_cycles(setup: Setup[Config]) -> tuple[CycleGenerators, ...]:
    """The generators of CyCE and SyCE, in this order; none where they are left out."""
    config = setup.config
    if "cycles" in config.leave_out:
        return ()
    return tuple(train_cycle(settings, setup) for settings in (config.cyce, config.syce))


def _overwrite(
    setup: Setup[Config],
    explained: Explained,
    pairs: Mapping[str, Pairs],
    maps: Mapping[str, Float[np.ndarray, "n h w"]],
) -> Faithfulness | NotMeasured:
    if ADVERSARY not in pairs:
        return NotMeasured("Left out: --leave-out overwriting.")
    return measure_faithfulness(setup, explained, pairs[ADVERSARY].adversarial, maps)


def _integrate(
    setup: Setup[Config],
    explained: Explained,
    cycles: tuple[CycleGenerators, ...],
    generators: tuple[PairGenerator, ...],
    pairs: Mapping[str, Pairs],
) -> dict[str, PathMaps]:
    """The maps of each generator's pairs on the straight path, and of SyCE's on its own path."""
    config, _, network, workspace = setup
    sigma = smoothing_sigma(config.image_size)
    integration = Integration(config.num_nodes, sigma, config.batch_size)
    shared = [network.identity, explained.images.identity, config.num_nodes, sigma]

    def keep(name: str, generator: PairGenerator, compute: Callable[[], Arrays]) -> PathMaps:
        depends = [generator.identity, *shared]
        return PathMaps.of(workspace.cached(f"paths {name}", depends, compute))

    paths = {}
    for generator in generators:
        name = generator.name
        straight = partial(integrate_straight, integration, network.classifier, pairs[name])
        paths[name] = keep(name, generator, partial(straight, progress=f"paths of {name}"))
    if not cycles:
        return paths
    syce, images = cycles[-1], explained.images.arrays["image"]
    name = f"{syce.pair.name} own path"
    own_path = partial(integrate_own_path, integration, network.classifier, syce.parts)
    compute = partial(own_path, images, pairs[syce.pair.name], explained.predicted)
    return paths | {name: keep(name, syce.pair, compute)}


def _state_of_the_art(setup: Setup[Config], explained: Explained) -> dict[str, np.ndarray]:
    """The maps of the methods that the paper compares with, without the maps of pairs of images.

    None where they are left out.
    """
    if "rivals" in setup.config.leave_out:
        return {}
    methods = baselines(setup, train_mask_generator(setup))
    chosen = [method for method in methods if method.name in published.STATE_OF_THE_ART]
    return {method.name: make_maps(method, explained.images, setup).values for method in chosen}


def _localise(
    setup: Setup[Config],
    explained: Explained,
    maps: Mapping[str, np.ndarray],
    percentiles: tuple[float, ...],
) -> dict[str, Localisation]:
    if setup.data.annotation is None:
        return {}
    rows = explained.localised
    annotation = explained.images.arrays[setup.data.annotation][rows]
    return {name: localise(values[rows], annotation, percentiles) for name, values in maps.items()}
