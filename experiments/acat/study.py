"""Every run of one kind of scans: the baseline, the maps that it leads to, and the networks that
use them.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Bool, Float, Int

from cfx_jax.counterfactuals import find_unexplainable, reconstruction_psnr
from cfx_jax.data import SaliencySource, resize_labels
from cfx_jax.errors import InputError
from cfx_jax.models import LesionHead, coder_of, parts, per_image
from cfx_jax.parallel import map_examples
from experiments.acat.config import Config
from experiments.acat.detection import Detection, detect, fullest
from experiments.acat.lengths import by_share
from experiments.acat.maps import ControlMaps, Explained, attention_maps
from experiments.acat.rows import ACAT, FIRST, IN_TABLE_4, WHOLE, Row, fitting, rows_of
from experiments.acat.scans import Parts, Scans, split_scans
from experiments.acat.sources import CONTROLS, OURS, PLACES
from experiments.acat.variances import MEASURED, Variances, variances_of
from experiments.shared import notify
from experiments.shared.array_store import Rows, chosen, filled, row_bytes, row_slices
from experiments.shared.stages import Arrays, Workspace, fingerprint
from trainers import autoencoder, describe_length, train, volume_classifier, with_run
from trainers.autoencoder import SliceSource
from trainers.volume_classifier import PredictVolume, decide_classes

_MASKS = ("early", "middle", "late")


class Answers(NamedTuple):
    """What the networks of one run say of its test scans.

    Attributes:
        seed: of the split and of all trainings.
        labels: of the test scans (n,).
        sizes: of their findings (n,).
        units: whom they show (n,).
        decided: by the name of the row, the class that the network names (n,).
    """

    seed: int
    labels: Int[np.ndarray, " n"]
    sizes: Int[np.ndarray, " n"]
    units: np.ndarray
    decided: Mapping[str, Int[np.ndarray, " n"]]

    def right(self, name: str) -> Bool[np.ndarray, " n"]:
        """Whether a network is right about each test scan."""
        return self.decided[name] == self.labels


class Attention(NamedTuple):
    """Where ACAT looks in the first positive test scans (Figure 2), one slice of each.

    Attributes:
        slices: its number (k,).
        image, lesion, saliency: there (k, h, w); the lesion is empty where it is not known.
        masks: those after early, middle and late layers, at the size of the slice (k, 3, h, w).
    """

    slices: Int[np.ndarray, " k"]
    image: Float[np.ndarray, "k h w"]
    lesion: Float[np.ndarray, "k h w"]
    saliency: Float[np.ndarray, "k h w"]
    masks: Float[np.ndarray, "k m h w"]


class Run(NamedTuple):
    """One run.

    Attributes:
        answers: of all networks.
        variances: Table 3, by network.
        detection: of the maps of positive test scans.
        attention: of ACAT.
    """

    answers: Answers
    variances: Mapping[str, Variances]
    detection: Detection
    attention: Attention


class Study(NamedTuple):
    """All runs of one kind of scans.

    Attributes:
        scans: all of them.
        rows: the networks.
        left_out: networks that the configuration names and that cannot be trained on these scans,
            and why.
        runs: in the order of the seeds.
        smaller: Table 4, the answers of all runs by the number of training scans.
        psnr: of the autoencoder's reconstructions of all scans, in decibels, the mean.
        refused: how many scans the autoencoder does not show well enough to be explained.
        identity: what all of it depends on.
    """

    scans: Scans
    rows: tuple[Row, ...]
    left_out: Mapping[str, str]
    runs: tuple[Run, ...]
    smaller: Mapping[int, tuple[Answers, ...]]
    psnr: float
    refused: int
    identity: object


class _Task(NamedTuple):
    """One run's training scans: ``share`` is that of its parts' training scans."""

    seed: int
    split: Parts
    share: float = 1.0


@dataclass(frozen=True)
class _Bench:
    """What a run's stages share."""

    config: Config
    scans: Scans
    workspace: Workspace
    coder: Any
    coder_identity: object
    refused: Bool[np.ndarray, " n"]

    @property
    def trunk(self) -> str:
        return _trunk(self.config, self.scans)

    @cached_property
    def explained_by(self) -> str:
        """What maps depend on beside the baseline."""
        return fingerprint([self.coder_identity, self.config.search])


class Plan(NamedTuple):
    """What a study will train.

    Attributes:
        rows, left_out: as ``Study`` has them.
        tasks: of the runs.
        smaller: those of Table 4, by the number of training scans.
    """

    rows: tuple[Row, ...]
    left_out: Mapping[str, str]
    tasks: tuple[_Task, ...]
    smaller: Mapping[int, tuple[_Task, ...]]


def planned(config: Config, scans: Scans) -> Plan:
    """Finds out what can be trained on scans, before anything is.

    Raises:
        InputError: networks that do not fit the scans at all; shares of parts, or numbers of
            training scans, that there are not; no scan with a finding to be tested on.
    """
    rows, left_out = fitting(
        rows_of(config), _trunk(config, scans), scans.shape, has_places=scans.places is not None
    )
    tasks = tuple(_Task(seed, split_scans(config, scans, seed)) for seed in config.seeds)
    for task in tasks:
        if not scans.positive[task.split.test].any():
            raise InputError(
                f"--test: expected a scan of {scans.name} with a finding among the test scans, got"
                f" none"
            )
    sizes = config.training_sizes if scans.sides else ()
    return Plan(
        rows,
        left_out,
        tasks,
        {size: tuple(_with_fewer(task, size) for task in tasks) for size in sizes},
    )


def study(config: Config, scans: Scans, workspace: Workspace, *, plan: Plan | None = None) -> Study:
    """Trains what is to be trained, makes the maps, and measures both.

    Args:
        config: of the run.
        scans: of one kind.
        workspace: keeps the results.
        plan: from ``planned`` for these scans; None makes it.

    Raises:
        InputError: as ``planned``, the trainers and the searches.
    """
    rows, left_out, tasks, smaller_tasks = planned(config, scans) if plan is None else plan
    for name, reason in left_out.items():
        notify(f"{scans.name}: {name} is left out: {reason}")
    model, identity = _train_autoencoder(config, scans, workspace)
    coder = coder_of(model)
    shown = workspace.cached(
        f"reconstruction {scans.name}",
        [identity, config.search.minimum_psnr],
        lambda: _shown(config, scans, coder),
    )
    bench = _Bench(config, scans, workspace, coder, identity, shown["refused"])
    runs = tuple(_run(bench, rows, task) for task in tasks)
    few = tuple(row for row in rows if row.name in IN_TABLE_4)
    smaller = {
        size: tuple(_fit_all(bench, few, task).answers for task in of_size)
        for size, of_size in smaller_tasks.items()
    }
    depends = [identity, [_depends(bench, rows, task) for task in tasks], list(smaller)]
    psnr, number = float(shown["psnr"].mean()), int(shown["refused"].sum())
    return Study(scans, rows, left_out, runs, smaller, psnr, number, depends)


def _trunk(config: Config, scans: Scans) -> str:
    return config.trunks[0 if scans.sides else 1]


def _with_fewer(task: _Task, size: int) -> _Task:
    """The same run with some of its training scans, for as many epochs."""
    train = task.split.train
    if not 0 < size <= len(train):
        raise InputError(
            f"--training-sizes: expected 1 to {len(train)}, the training scans, got {size}"
        )
    fewer = np.random.default_rng(task.seed).permutation(train)[:size]
    return _Task(task.seed, task.split._replace(train=fewer), size / len(train))


def _train_autoencoder(
    config: Config, scans: Scans, workspace: Workspace
) -> tuple[nnx.Module, object]:
    """Of all scans, as in the paper: it takes no labels. Some of the slices choose its weights."""
    slices = SliceSource(scans.source, scans.shape[0])
    settings = config.autoencoder
    validation = split_scans(config, scans, config.seeds[0]).validation
    identity = [settings, scans.identity, validation.tolist()]
    folder = workspace.folder(f"autoencoder-{scans.name}", identity)
    print(f"autoencoder of {scans.name}: {describe_length(settings.run)} in {folder}", flush=True)
    held_out = _part(workspace, scans, validation)
    images = held_out.reshape(-1, *held_out.shape[2:])
    data = slices, np.arange(len(slices)), {"image": images}
    return train(autoencoder.TRAINER, settings, *data, folder), identity


def _part(
    workspace: Workspace, scans: Scans, positions: Int[np.ndarray, " m"]
) -> Float[np.ndarray, "m s h w 1"]:
    """Some of the images."""
    folder = workspace.folder(f"part-{scans.name}", [scans.identity, positions.tolist()])
    return chosen(scans.images, positions, folder)


def _shown(config: Config, scans: Scans, coder: Any) -> Arrays:
    """How well the autoencoder shows each scan, and which of them cannot be explained by way of it."""
    options: dict[str, Any] = {"batch_size": config.batch_size}
    psnr, objections = [], []
    for part in row_slices(len(scans.images), row_bytes(scans.images.shape)):
        images = np.asarray(scans.images[part])
        psnr.append(map_examples(_psnr, coder, images, **options))
        found = find_unexplainable(
            coder, images, minimum_psnr=config.search.minimum_psnr, **options
        )
        objections.append(np.isin(np.arange(len(images)), list(found)))
    return {"psnr": np.concatenate(psnr), "refused": np.concatenate(objections)}


class _Fitted(NamedTuple):
    """All networks of a task.

    Attributes:
        models: by the name of the row, in evaluation mode.
        maps: those that they were trained with, by source (n, s, h, w, 1).
        explained: the baseline.
        answers: of all networks.
    """

    models: Mapping[str, nnx.Module]
    maps: Mapping[str, Rows]
    explained: Explained
    answers: Answers


def _run(bench: _Bench, rows: tuple[Row, ...], task: _Task) -> Run:
    config, scans, test = bench.config, bench.scans, task.split.test
    fitted = _fit_all(bench, rows, task)
    depends = [_baseline_identity(bench, task), bench.coder_identity]
    depends_acat = [depends, _training(bench, WHOLE, task), config.search]
    variances = {
        row.name: variances_of(
            fitted.models[row.name],
            (scans.images, fitted.maps[row.maps]) if row.maps else (scans.images,),
            test,
            bench.workspace,
            name=f"{scans.name}-{row.name}",
            depends=[depends, row, _training(bench, row, task), config.search],
        )
        for row in rows
        if row.name in MEASURED
    }
    acat = fitted.models[ACAT]
    detection = detect(
        config,
        scans,
        fitted.explained,
        _of_finding(bench, acat) if config.acat_detects else None,
        test,
        bench.workspace,
        depends=depends,
        depends_acat=depends_acat,
    )
    examples = test[scans.positive[test]][: config.num_shown]
    shown = bench.workspace.cached(
        f"attention {scans.name}",
        [depends_acat, examples.tolist()],
        lambda: _attended(scans, acat, fitted.maps[OURS], examples),
    )
    return Run(fitted.answers, variances, detection, Attention(**shown))


def _attended(scans: Scans, acat: Any, maps: Rows, examples: Int[np.ndarray, " k"]) -> Arrays:
    """The fields of ``Attention``."""
    saliency = np.asarray(maps[examples], np.float32)
    masks, found = acat.masks(saliency), []
    for place, example in enumerate(examples):
        facts = scans.facts[int(example)]
        lesion = np.asarray(facts.get("lesion_mask", np.zeros(scans.shape)), np.float32)
        number = fullest(lesion)
        size = lesion.shape[1:]
        found.append(
            {
                "slices": np.array(number),
                "image": np.asarray(facts["image"][number, ..., 0]),
                "lesion": lesion[number],
                "saliency": saliency[place, number, ..., 0],
                "masks": np.stack(
                    [
                        resize_labels(
                            np.asarray(masks[name][place, number : number + 1, ..., 0]), size
                        )[0]
                        for name in _MASKS
                    ]
                ),
            }
        )
    return {name: np.stack([each[name] for each in found]) for name in found[0]}


def _fit_all(bench: _Bench, rows: tuple[Row, ...], task: _Task) -> _Fitted:
    """Every network, the maps that they were trained with, and the baseline as what is explained."""
    scans, test = bench.scans, task.split.test
    first, answer = _fit(bench, FIRST, task, None, None)
    explained = _explained(first, bench)
    maps: dict[str, Rows] = {}

    def maps_of(source: str) -> Rows:
        if source not in maps:
            maps[source] = _maps(bench, explained, source, task, maps_of)
        return maps[source]

    models, answers = {FIRST.name: first}, {FIRST.name: answer}
    for row in rows[1:]:
        given = maps_of(row.maps) if row.maps else None
        models[row.name], answers[row.name] = _fit(bench, row, task, first, given)
    return _Fitted(
        models,
        maps,
        explained,
        Answers(task.seed, scans.labels[test], scans.sizes[test], scans.units(test), answers),
    )


def _maps(bench: _Bench, explained: Explained, source: str, task: _Task, maps_of: Any) -> Rows:
    if source == PLACES:
        assert bench.scans.places is not None
        return bench.scans.places
    return (
        ControlMaps(source, maps_of(OURS), seed=task.seed)
        if source in CONTROLS
        else _attention(bench, explained, source, task)
    )


def _fit(
    bench: _Bench, row: Row, task: _Task, start: nnx.Module | None, maps: Rows | None
) -> tuple[nnx.Module, Int[np.ndarray, " n"]]:
    """Trains one network and asks it about the test scans."""
    config, scans, workspace = _training(bench, row, task), bench.scans, bench.workspace
    start = start if row.starts else None
    skip = row.skipped(bench.trunk, scans.shape) if row.starts else ()
    identity = [config, row, skip, _baseline_identity(bench, task)]
    identity += [] if maps is None else [bench.explained_by]
    name = f"{scans.name}-{row.name.replace(' ', '_').replace(':', '').replace(',', '')}"
    folder = workspace.folder(name, identity)
    print(
        f"{scans.name}, run {task.seed}, {row.name}: {describe_length(config.run)} in {folder}",
        flush=True,
    )
    held_out = task.split.validation
    validation = {"image": _part(workspace, scans, held_out), "label": scans.labels[held_out]}
    if maps is not None:
        of_maps = workspace.folder(
            f"part-maps-{scans.name}", [row.maps, task.seed, identity[3:], held_out.tolist()]
        )
        validation["saliency"] = chosen(maps, held_out, of_maps)
    model = train(
        volume_classifier.TRAINER,
        config,
        scans.source if maps is None else SaliencySource(scans.source, maps),
        task.split.train,
        validation,
        folder,
        model=row.factory(bench.trunk, scans.shape),
        start=start,
        skip=skip,
    )
    predict = PredictVolume.of(config)

    def decide() -> Arrays:
        found = []
        for rows in row_slices(len(task.split.test), row_bytes(scans.images.shape)):
            part = task.split.test[rows]
            arrays = {"image": np.asarray(scans.images[part])}
            arrays |= {} if maps is None else {"saliency": np.asarray(maps[part])}
            logits = map_examples(predict, model, arrays, batch_size=bench.config.batch_size)
            found.append(np.asarray(decide_classes(logits)))
        return {"decided": np.concatenate(found)}

    return model, workspace.cached(f"decided {name}", identity, decide)["decided"]


def _training(bench: _Bench, row: Row, task: _Task) -> volume_classifier.Config:
    settings = bench.config.from_baseline if row.starts else bench.config.baseline
    config = dataclasses.replace(
        by_share(settings, task.share),
        saliency=bool(row.maps),
        sides=bench.scans.sides,
        num_classes=2,
        num_slices=bench.scans.shape[0],
        vertical_flip=settings.vertical_flip and not bench.scans.sides,  # no head lies face down
    )
    return with_run(config, seed=task.seed)


def _attention(bench: _Bench, explained: Explained, source: str, task: _Task) -> Rows:
    """The maps of all scans that the task uses, in a file; of those that cannot be explained they
    are 0.
    """
    images, settings = bench.scans.images, bench.config.search
    folder = bench.workspace.folder(f"maps-{bench.scans.name}", _maps_identity(bench, source, task))
    used = np.sort(np.concatenate(task.split))

    def make(rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m s h w 1"]:
        volumes = np.asarray(images[rows])
        return attention_maps(
            source, explained, volumes, settings, batch_size=bench.config.batch_size
        )[..., None]

    label = f"run {task.seed}: maps by {source}"
    return filled(folder, images.shape, make, wanted=used[~bench.refused[used]], label=label)


def _of_finding(bench: _Bench, model: Any) -> Any:
    """A network as a classifier of a finding and none."""
    return LesionHead(model) if bench.scans.sides else model


def _explained(model: Any, bench: _Bench) -> Explained:
    network = _of_finding(bench, model)
    return Explained(per_image(network), *parts(network), bench.coder)


def _baseline_identity(bench: _Bench, task: _Task) -> object:
    split = [each.tolist() for each in task.split]
    return [_training(bench, FIRST, task), bench.trunk, bench.scans.identity, split]


def _maps_identity(bench: _Bench, source: str, task: _Task) -> object:
    return [source, bench.explained_by, _baseline_identity(bench, task)]


def _depends(bench: _Bench, rows: tuple[Row, ...], task: _Task) -> object:
    settings = [
        bench.config.search,
        bench.config.num_shown,
        bench.config.unbounded_steps,
        bench.config.acat_detects,
    ]
    return [
        _baseline_identity(bench, task),
        [[row, _training(bench, row, task)] for row in rows],
        settings,
    ]


def _psnr(coder: Any, volume: Float[Array, "s h w 1"]) -> Float[Array, ""]:
    return reconstruction_psnr(volume, coder.decode(coder.encode(volume)))
