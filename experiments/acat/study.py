"""Every run of one kind of scans: the baseline, the maps that it leads to, and the networks that use them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Bool, Float, Int

from cfx_jax.counterfactuals import reconstruction_psnr, refused
from cfx_jax.data import read_saliency, write_saliency
from cfx_jax.errors import InputError
from cfx_jax.models import LesionHead, coder_of, parts, per_image
from cfx_jax.parallel import map_examples, progress_bar
from experiments.acat.config import Config
from experiments.acat.detection import Detection, detect
from experiments.acat.maps import Explained, attention_maps, control_maps
from experiments.acat.rows import FIRST, Row, rows_of
from experiments.acat.scans import Parts, Scans, split_scans
from experiments.acat.sources import CONTROLS, OURS
from experiments.acat.variances import MEASURED, Variances, variances_of
from experiments.stages import Arrays, Workspace, fingerprint
from trainers import autoencoder, volume_classifier
from trainers.saliency_source import SaliencySource
from trainers.slice_source import SliceSource
from trainers.volume_answers import Answer, decided
from trainers.volume_config import seedless

_CHUNK = 32  # scans whose maps are computed before they are written


class Fitted(NamedTuple):
    """A trained network.

    Attributes:
        model: in evaluation mode.
        decided: its class for every test scan (n,).
    """

    model: nnx.Module
    decided: Int[np.ndarray, " n"]


class Run(NamedTuple):
    """One run.

    Attributes:
        seed: of the split and of all trainings.
        labels: of the test scans (n,).
        sizes: of their findings (n,).
        fitted: by the name of the row.
        variances: Table 3, by network and then by layer, on plain scans and on scans with noise.
        detection: of the maps of positive test scans.
    """

    seed: int
    labels: Int[np.ndarray, " n"]
    sizes: Int[np.ndarray, " n"]
    fitted: Mapping[str, Fitted]
    variances: Mapping[str, Variances]
    detection: Detection

    def right(self, name: str) -> Bool[np.ndarray, " n"]:
        """Whether a network is right about each test scan."""
        return self.fitted[name].decided == self.labels


class Study(NamedTuple):
    """All runs of one kind of scans.

    Attributes:
        scans: all of them.
        rows: the networks.
        runs: in the order of the seeds.
        smaller: Table 4, whether each test scan of all runs is told right by each network, by the number of training scans.
        psnr: of the autoencoder's reconstructions of all scans, in decibels, the mean.
        refused: how many scans the autoencoder does not show well enough to be explained.
        identity: what all of it depends on.
    """

    scans: Scans
    rows: tuple[Row, ...]
    runs: tuple[Run, ...]
    smaller: Mapping[int, Mapping[str, Bool[np.ndarray, " n"]]]
    psnr: float
    refused: int
    identity: object


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
        return self.config.trunks[0 if self.scans.sides else 1]

    @property
    def shape(self) -> tuple[int, int, int]:
        slices, rows, columns = self.scans.images.shape[1:4]
        return slices, rows, columns


def study(config: Config, scans: Scans, workspace: Workspace) -> Study:
    """Trains what is to be trained, makes the maps, and measures both.

    Raises:
        InputError: as the trainers and the searches.
    """
    model, identity = _train_autoencoder(config, scans, workspace)
    coder, rows = coder_of(model), rows_of(config)
    shown = workspace.cached(
        f"reconstruction {scans.name}", [identity, config.search.minimum_psnr], lambda: _shown(config, scans, coder)
    )
    bench = _Bench(config, scans, workspace, coder, identity, shown["refused"])
    runs = tuple(_run(bench, rows, seed) for seed in config.seeds)
    smaller = {size: _smaller(bench, rows, size) for size in config.training_sizes}
    depends = [identity, [_depends(bench, rows, seed) for seed in config.seeds], list(smaller)]
    return Study(scans, rows, runs, smaller, float(shown["psnr"].mean()), int(shown["refused"].sum()), depends)


def _train_autoencoder(config: Config, scans: Scans, workspace: Workspace) -> tuple[nnx.Module, object]:
    """Of all scans, as in the paper: it takes no labels. Some of the slices choose its weights."""
    slices = SliceSource(scans.source, scans.images.shape[1])
    settings, validation = config.autoencoder, split_scans(config, scans, config.seeds[0]).validation
    identity = [settings, scans.identity, validation.tolist()]
    folder = workspace.folder(f"autoencoder-{scans.name}", identity)
    print(f"autoencoder of {scans.name}: {settings.num_steps} steps in {folder}", flush=True)
    held_out = slices.slices_of(validation)
    images = scans.images.reshape(-1, *scans.images.shape[2:])
    everything = np.arange(len(slices))
    return autoencoder.train(settings, slices, everything, {"image": images[held_out]}, folder), identity


def _shown(config: Config, scans: Scans, coder: Any) -> Arrays:
    """How well the autoencoder shows each scan, and which of them cannot be explained by way of it."""
    psnr = map_examples(_psnr, coder, scans.images, batch_size=config.batch_size)
    objections = refused(coder, scans.images, minimum_psnr=config.search.minimum_psnr, batch_size=config.batch_size)
    return {"psnr": psnr, "refused": np.isin(np.arange(len(psnr)), list(objections))}


def _run(bench: _Bench, rows: tuple[Row, ...], seed: int) -> Run:
    scans, split = bench.scans, split_scans(bench.config, bench.scans, seed)
    fitted, maps, explained = _fit_all(bench, rows, split, seed)
    depends = [_baseline_identity(bench, split, seed), bench.coder_identity]

    def inputs_of(row: Row) -> tuple[np.ndarray, ...]:
        given = (scans.images,) if not row.maps else (scans.images, maps[row.maps][..., None])
        return tuple(each[split.test] for each in given)

    measured = [row for row in rows if row.name in MEASURED]
    variances = {
        row.name: variances_of(
            fitted[row.name].model,
            inputs_of(row),
            bench.workspace,
            name=f"{scans.name}-{row.name}",
            depends=[depends, row, _training(bench, row, seed), bench.config.search],
        )
        for row in measured
    }
    detection = detect(bench.config, scans, explained, split.test, bench.workspace, depends=depends)
    sizes = scans.arrays["size"][split.test]
    return Run(seed, scans.labels[split.test], sizes, fitted, variances, detection)


def _smaller(bench: _Bench, rows: tuple[Row, ...], size: int) -> dict[str, Bool[np.ndarray, " n"]]:
    """Everything anew from fewer scans, the baseline that the maps come from too."""
    right: dict[str, list[np.ndarray]] = {row.name: [] for row in rows}
    for seed in bench.config.seeds:
        split = split_scans(bench.config, bench.scans, seed)
        if size > len(split.train):
            raise InputError(f"--training-sizes: expected at most the {len(split.train)} training scans, got {size}")
        fewer = split._replace(train=np.random.default_rng(seed).permutation(split.train)[:size])
        fitted, _, _ = _fit_all(bench, rows, fewer, seed)
        for name, each in fitted.items():
            right[name].append(each.decided == bench.scans.labels[split.test])
    return {name: np.concatenate(values) for name, values in right.items()}


def _fit_all(
    bench: _Bench, rows: tuple[Row, ...], split: Parts, seed: int
) -> tuple[dict[str, Fitted], dict[str, Float[np.ndarray, "n s h w"]], Explained]:
    """Every network, the maps that they were trained with, and the baseline as what is explained."""
    first = _fit(bench, FIRST, split, seed, None, None)
    explained = _explained(first.model, bench)
    maps: dict[str, Float[np.ndarray, "n s h w"]] = {}

    def maps_of(source: str) -> Float[np.ndarray, "n s h w"]:
        if source not in maps:
            maps[source] = (
                control_maps(source, maps_of(OURS), seed=seed)
                if source in CONTROLS
                else _attention(bench, explained, source, split, seed)
            )
        return maps[source]

    fitted = {FIRST.name: first}
    for row in rows[1:]:
        fitted[row.name] = _fit(bench, row, split, seed, first.model, maps_of(row.maps) if row.maps else None)
    return fitted, maps, explained


def _fit(
    bench: _Bench,
    row: Row,
    split: Parts,
    seed: int,
    start: nnx.Module | None,
    maps: Float[np.ndarray, "n s h w"] | None,
) -> Fitted:
    """Trains one network and asks it about the test scans."""
    config = _training(bench, row, seed)
    start = start if row.starts else None
    identity = [config, row, _baseline_identity(bench, split, seed)]
    identity += [] if maps is None else [bench.coder_identity, bench.config.search]
    workspace, name = bench.workspace, f"{bench.scans.name}-{row.name.replace(' ', '_').replace(':', '')}"
    folder = workspace.folder(name, identity)
    print(f"{bench.scans.name}, run {seed}, {row.name}: {config.num_steps} steps in {folder}", flush=True)
    arrays = {"image": bench.scans.images} | ({} if maps is None else {"saliency": maps[..., None]})
    source = bench.scans.source if maps is None else SaliencySource(bench.scans.source, maps[..., None])
    validation = {name: values[split.validation] for name, values in arrays.items()}
    model = volume_classifier.train(
        config,
        source,
        split.train,
        {**validation, "label": bench.scans.labels[split.validation]},
        folder,
        model=row.factory(bench.trunk, bench.shape),
        start=start,
        skip=row.skip if start is not None else (),
    )
    test = {name: values[split.test] for name, values in arrays.items()}

    def decide() -> Arrays:
        logits = map_examples(Answer(seedless(config)), model, test, batch_size=bench.config.batch_size)
        return {"decided": np.asarray(decided(logits))}

    return Fitted(model, workspace.cached(f"decided {name}", identity, decide)["decided"])


def _training(bench: _Bench, row: Row, seed: int) -> volume_classifier.Config:
    settings = bench.config.from_baseline if row.starts else bench.config.baseline
    return dataclasses.replace(
        settings,
        saliency=bool(row.maps),
        sides=bench.scans.sides,
        num_classes=2,
        num_slices=bench.shape[0],
        vertical_flip=settings.vertical_flip and not bench.scans.sides,  # no head lies face down
        seed=seed,
    )


def _attention(
    bench: _Bench, explained: Explained, source: str, split: Parts, seed: int
) -> Float[np.ndarray, "n s h w"]:
    """The maps of all scans, each in a file of its own; a run that was stopped makes only those that lack."""
    images, origin = bench.scans.images, fingerprint(_maps_identity(bench, source, split, seed))
    folder = bench.workspace.folder(f"maps-{bench.scans.name}", origin)
    wanted = np.flatnonzero(~bench.refused).tolist()
    missing = [each for each in wanted if not (folder / f"{each:06d}.npz").is_file()]
    with progress_bar(len(missing), f"run {seed}: maps by {source}") as bar:
        for first in range(0, len(missing), _CHUNK):
            chosen = missing[first : first + _CHUNK]
            made = attention_maps(
                source, explained, images[chosen], bench.config.search, batch_size=bench.config.batch_size
            )
            for index, each in zip(chosen, made, strict=True):
                write_saliency(folder, index, images[index], each, origin=origin)
            bar.update(len(chosen))
    maps = np.zeros(images.shape[:-1], np.float32)
    for index in wanted:
        maps[index] = read_saliency(folder, index, images[index], origin=origin)
    return maps


def _explained(model: Any, bench: _Bench) -> Explained:
    """The baseline as a classifier of a finding and none."""
    network = LesionHead(model) if bench.scans.sides else model
    return Explained(per_image(network), *parts(network), bench.coder)


def _baseline_identity(bench: _Bench, split: Parts, seed: int) -> object:
    return [_training(bench, FIRST, seed), bench.trunk, bench.scans.identity, [each.tolist() for each in split]]


def _maps_identity(bench: _Bench, source: str, split: Parts, seed: int) -> object:
    return [source, bench.coder_identity, bench.config.search, _baseline_identity(bench, split, seed)]


def _depends(bench: _Bench, rows: tuple[Row, ...], seed: int) -> object:
    split = split_scans(bench.config, bench.scans, seed)
    return [_baseline_identity(bench, split, seed), [[row, _training(bench, row, seed)] for row in rows]]


def _psnr(coder: Any, volume: Float[Array, "s h w 1"]) -> Float[Array, ""]:
    return reconstruction_psnr(volume, coder.decode(coder.encode(volume)))
