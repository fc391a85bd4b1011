"""Trainings on scans of one kind: the autoencoder, the baseline, and the networks with maps."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Bool, Float, Int

from cfx_jax.counterfactuals import find_unexplainable, reconstruction_psnr
from cfx_jax.data import SaliencySource
from cfx_jax.models import LesionHead, coder_of, parts, per_image
from cfx_jax.parallel import map_examples
from experiments.acat.data import Parts, split_scans
from experiments.acat.maps import CONTROLS, OURS, PLACES, ControlMaps, Explained, attention_maps
from experiments.acat.networks import BASELINE_NETWORK, Network, choose_networks, select_fitting
from experiments.acat.setup import Setup
from experiments.shared import (
    Arrays,
    InputError,
    Rows,
    choose_rows,
    fill_rows,
    fingerprint,
    row_bytes,
    row_slices,
    run_training,
)
from trainers import TrainerConfig, autoencoder, volume_classifier, with_run

C = TypeVar("C", bound=TrainerConfig)

_STEPS = ("num_steps", "steps_per_epoch", "evaluate_every", "checkpoint_every")


class Task(NamedTuple):
    """The scans of one run's trainings.

    Attributes:
        seed: the seed of the split and of all trainings.
        split: the positions of the scans.
        share: the share of the run's training scans that are trained on.
    """

    seed: int
    split: Parts
    share: float = 1.0


class Plan(NamedTuple):
    """The trainings of a study.

    Attributes:
        networks: the networks that can be trained on the scans.
        left_out: networks that cannot, and why.
        tasks: the task of each run.
        smaller: the tasks of Table 4, by the number of training scans.
    """

    networks: tuple[Network, ...]
    left_out: Mapping[str, str]
    tasks: tuple[Task, ...]
    smaller: Mapping[int, tuple[Task, ...]]


def plan_trainings(setup: Setup) -> Plan:
    """Finds out what can be trained on scans, before anything is.

    Raises:
        InputError: networks that do not fit the scans at all; shares of parts, or numbers of
            training scans, that there are not; no scan with a finding to be tested on.
    """
    config, scans, _ = setup
    networks, left_out = select_fitting(
        choose_networks(config.rows),
        _trunk(setup),
        scans.shape,
        has_places=scans.places is not None,
    )
    tasks = tuple(Task(seed, split_scans(config, scans, seed)) for seed in config.seeds)
    for task in tasks:
        if not scans.positive[task.split.test].any():
            raise InputError(
                f"--test: expected a scan of {scans.name} with a finding among the test scans, got"
                " none"
            )
    sizes = config.training_sizes if scans.sides else ()
    smaller = {size: tuple(_take_fewer(task, size) for task in tasks) for size in sizes}
    return Plan(networks, left_out, tasks, smaller)


def _trunk(setup: Setup) -> str:
    return setup.config.trunks[0 if setup.scans.sides else 1]


def _take_fewer(task: Task, size: int) -> Task:
    """The same run with some of its training scans, for as many epochs."""
    train = task.split.train
    if not 0 < size <= len(train):
        raise InputError(
            f"--training-sizes: expected 1 to {len(train)}, the training scans, got {size}"
        )
    fewer = np.random.default_rng(task.seed).permutation(train)[:size]
    return Task(task.seed, task.split._replace(train=fewer), size / len(train))


def by_share(settings: C, share: float) -> C:
    """A training on a share of the scans that sees a scan as often as the training on all does.

    Args:
        settings: the settings of the training on all scans. Lengths of 0 stay, since
            ``trainers.count_steps`` counts them out for the scans at hand.
        share: the share of the training scans, in (0, 1].
    """

    def shorten(steps: int) -> int:
        return max(1, round(share * steps)) if steps else 0

    return with_run(settings, **{name: shorten(getattr(settings.run, name)) for name in _STEPS})


@dataclass(frozen=True)
class Bench:
    """The scans, the autoencoder and the workspace, which the trainings of all runs share.

    Attributes:
        setup: the settings, the scans and the workspace.
        coder: the autoencoder.
        coder_identity: all that it depends on.
        psnr: the PSNR of its reconstructions of all scans (n,), in decibels.
        refused: whether it shows a scan too badly to be explained (n,).
    """

    setup: Setup
    coder: Any
    coder_identity: object
    psnr: Float[np.ndarray, " n"]
    refused: Bool[np.ndarray, " n"]

    @property
    def trunk(self) -> str:
        """The stages of all networks."""
        return _trunk(self.setup)

    @cached_property
    def explained_by(self) -> str:
        """A digest of what maps depend on beside the baseline."""
        return fingerprint([self.coder_identity, self.setup.config.search])

    def settings(self, network: Network, task: Task) -> volume_classifier.Config:
        """The settings of a network's training."""
        config, scans, _ = self.setup
        settings = config.from_baseline if network.starts else config.baseline
        training = dataclasses.replace(
            by_share(settings, task.share),
            saliency=bool(network.maps),
            sides=scans.sides,
            num_classes=2,
            num_slices=scans.shape[0],
            vertical_flip=settings.vertical_flip and not scans.sides,  # no head lies face down
        )
        return with_run(training, seed=task.seed)

    def baseline_identity(self, task: Task) -> object:
        """All that the baseline of a run depends on."""
        split = [positions.tolist() for positions in task.split]
        scans = self.setup.scans
        return [self.settings(BASELINE_NETWORK, task), self.trunk, scans.identity, split]

    def as_classifier(self, model: Any) -> Any:
        """A network as a classifier of a finding and none."""
        return LesionHead(model) if self.setup.scans.sides else model


def make_bench(setup: Setup) -> Bench:
    """Trains the autoencoder, and finds out which scans it shows well enough."""
    model, identity = _train_autoencoder(setup)
    coder = coder_of(model)
    arrays = setup.workspace.cached(
        f"reconstruction {setup.scans.name}",
        [identity, setup.config.search.minimum_psnr],
        lambda: _reconstruct(setup, coder),
    )
    return Bench(setup, coder, identity, arrays["psnr"], arrays["refused"])


def _train_autoencoder(setup: Setup) -> tuple[nnx.Module, object]:
    """Trains it on all scans, as in the paper: it takes no labels.

    Some of the slices choose its weights.
    """
    config, scans, workspace = setup
    slices = autoencoder.SliceSource(scans.source, scans.shape[0])
    settings = config.autoencoder
    validation = split_scans(config, scans, config.seeds[0]).validation
    identity = [settings, scans.identity, validation.tolist()]
    held_out = _store_part(setup, validation)
    model = run_training(
        f"autoencoder of {scans.name}",
        autoencoder.TRAINER,
        settings,
        slices,
        np.arange(len(slices)),
        {"image": held_out.reshape(-1, *held_out.shape[2:])},
        workspace.folder(f"autoencoder-{scans.name}", identity),
    )
    return model, identity


def _store_part(setup: Setup, positions: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m s h w 1"]:
    """Some of the images, in a file where they are many."""
    _, scans, workspace = setup
    folder = workspace.folder(f"part-{scans.name}", [scans.identity, positions.tolist()])
    return choose_rows(scans.images, positions, folder)


def _reconstruct(setup: Setup, coder: Any) -> Arrays:
    """How well the autoencoder shows all scans, and which it shows too badly to be explained."""
    config, scans, _ = setup
    options: dict[str, Any] = {"batch_size": config.batch_size}
    psnr, is_refused = [], []
    for part in row_slices(len(scans.images), row_bytes(scans.images.shape)):
        images = np.asarray(scans.images[part])
        psnr.append(map_examples(_psnr, coder, images, **options))
        minimum = config.search.minimum_psnr
        objections = find_unexplainable(coder, images, minimum_psnr=minimum, **options)
        is_refused.append(np.isin(np.arange(len(images)), list(objections)))
    return {"psnr": np.concatenate(psnr), "refused": np.concatenate(is_refused)}


def _psnr(coder: Any, volume: Float[Array, "s h w 1"]) -> Float[Array, ""]:
    return reconstruction_psnr(volume, coder.decode(coder.encode(volume)))


class Answers(NamedTuple):
    """The answers of one run's networks about its test scans.

    Attributes:
        seed: the seed of the split and of all trainings.
        labels: the labels of the test scans (n,).
        sizes: the sizes of their findings (n,).
        units: the patient of each scan (n,).
        decided: for each network, by name, the class that it decides on (n,).
    """

    seed: int
    labels: Int[np.ndarray, " n"]
    sizes: Int[np.ndarray, " n"]
    units: np.ndarray
    decided: Mapping[str, Int[np.ndarray, " n"]]

    def is_correct(self, name: str) -> Bool[np.ndarray, " n"]:
        """Whether a network names the class of a test scan."""
        return self.decided[name] == self.labels

    def select(self, rows: Bool[np.ndarray, " n"]) -> "Answers":
        """The answers about some of the scans."""
        decided = {name: classes[rows] for name, classes in self.decided.items()}
        kept = self.labels[rows], self.sizes[rows], self.units[rows]
        return Answers(self.seed, *kept, decided)


class Trained(NamedTuple):
    """The networks of a task.

    Attributes:
        models: the networks by name, in evaluation mode.
        maps: the maps that the networks were trained with, by method (n, s, h, w, 1).
        explained: the baseline, with what explains it.
        answers: the answers of all networks.
    """

    models: Mapping[str, nnx.Module]
    maps: Mapping[str, Rows]
    explained: Explained
    answers: Answers


def train_networks(bench: Bench, networks: tuple[Network, ...], task: Task) -> Trained:
    """Trains the baseline, makes the maps that it leads to, and trains the networks that use them.

    Args:
        bench: the scans and what all trainings on them share.
        networks: the baseline first.
        task: the scans.
    """
    scans, test = bench.setup.scans, task.split.test
    baseline, classes = _train(bench, BASELINE_NETWORK, task, None, None)
    classifier = bench.as_classifier(baseline)
    explained = Explained(per_image(classifier), *parts(classifier), bench.coder)
    maps: dict[str, Rows] = {}

    def make_maps(method: str) -> Rows:
        if method not in maps:
            maps[method] = (
                ControlMaps(method, make_maps(OURS), _with_maps(bench, task), seed=task.seed)
                if method in CONTROLS
                else _store_maps(bench, explained, method, task)
            )
        return maps[method]

    models, decided = {BASELINE_NETWORK.name: baseline}, {BASELINE_NETWORK.name: classes}
    for network in networks[1:]:
        saliency = make_maps(network.maps) if network.maps else None
        model, classes = _train(bench, network, task, baseline, saliency)
        models[network.name], decided[network.name] = model, classes
    labels, sizes, units = scans.labels[test], scans.sizes[test], scans.units(test)
    return Trained(models, maps, explained, Answers(task.seed, labels, sizes, units, decided))


def _train(
    bench: Bench, network: Network, task: Task, baseline: nnx.Module | None, maps: Rows | None
) -> tuple[nnx.Module, Int[np.ndarray, " n"]]:
    """Trains one network, and asks it about the test scans."""
    config, (_, scans, workspace) = bench.settings(network, task), bench.setup
    skip = network.fresh_arrays(bench.trunk, scans.shape) if network.starts else ()
    identity = [config, network, skip, bench.baseline_identity(task)]
    identity += [] if maps is None else [bench.explained_by]
    name = f"{scans.name}-{network.name.replace(' ', '_').replace(':', '').replace(',', '')}"
    held_out = task.split.validation
    validation = {"image": _store_part(bench.setup, held_out), "label": scans.labels[held_out]}
    if maps is not None:
        depends = [network.maps, task.seed, identity[3:], held_out.tolist()]
        part = workspace.folder(f"part-maps-{scans.name}", depends)
        validation["saliency"] = choose_rows(maps, held_out, part)
    model = run_training(
        f"{scans.name}, run {task.seed}, {network.name}",
        volume_classifier.TRAINER,
        config,
        scans.source if maps is None else SaliencySource(scans.source, maps),
        task.split.train,
        validation,
        workspace.folder(name, identity),
        model=network.factory(bench.trunk, scans.shape),
        start=baseline if network.starts else None,
        skip=skip,
    )
    predict = volume_classifier.make_predict(config)

    def decide() -> Arrays:
        classes = []
        for rows in row_slices(len(task.split.test), row_bytes(scans.images.shape)):
            part = task.split.test[rows]
            arrays = {"image": np.asarray(scans.images[part])}
            arrays |= {} if maps is None else {"saliency": np.asarray(maps[part])}
            logits = map_examples(predict, model, arrays, batch_size=bench.setup.config.batch_size)
            classes.append(np.asarray(volume_classifier.decide_classes(logits)))
        return {"decided": np.concatenate(classes)}

    return model, workspace.cached(f"decided {name}", identity, decide)["decided"]


def _store_maps(bench: Bench, explained: Explained, method: str, task: Task) -> Rows:
    """The maps of all scans that the task uses, in a file.

    Maps of scans that cannot be explained are 0.
    """
    if method == PLACES:
        assert bench.setup.scans.places is not None
        return bench.setup.scans.places
    config, scans, workspace = bench.setup
    identity = [method, bench.explained_by, bench.baseline_identity(task)]
    folder = workspace.folder(f"maps-{scans.name}", identity)
    wanted = _with_maps(bench, task)

    def make(rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m s h w 1"]:
        volumes, size = np.asarray(scans.images[rows]), config.batch_size
        maps = attention_maps(method, explained, volumes, config.search, batch_size=size)
        return maps[..., None]

    label = f"run {task.seed}: maps by {method}"
    return fill_rows(folder, scans.images.shape, make, wanted=wanted, label=label)


def _with_maps(bench: Bench, task: Task) -> Int[np.ndarray, " m"]:
    """The positions of the scans of a task that are explained."""
    used = np.sort(np.concatenate(task.split))
    return used[~bench.refused[used]]
