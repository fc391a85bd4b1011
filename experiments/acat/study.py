"""The study of Fontanella et al. 2023: every run of every kind of scans."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.data import resize_labels
from experiments.acat.config import Config
from experiments.acat.data import Scans
from experiments.acat.maps import OURS, Detection, detect, fullest_slice, lesion_mask
from experiments.acat.networks import ACAT, ACAT_NETWORK, IN_TABLE_4, MASKS, Network
from experiments.acat.published import CHESTS, HEADS
from experiments.acat.setup import Setup, prepare
from experiments.acat.training import (
    Answers,
    Bench,
    Plan,
    Task,
    make_bench,
    plan_trainings,
    train_networks,
)
from experiments.acat.variances import MEASURED, Variances, measure_variances
from experiments.shared import Arrays, Rows, Workspace, notify


class Attention(NamedTuple):
    """The masks of ACAT for the first positive test scans (Figure 2), in one slice.

    Attributes:
        slices: the number of the slice (k,).
        image, lesion, saliency: the slice, its lesion and its map (k, h, w); the lesion is empty
            where it is not known.
        masks: the attention after early, middle and late layers, at the size of the slice (k, 3, h,
            w).
    """

    slices: Int[np.ndarray, " k"]
    image: Float[np.ndarray, "k h w"]
    lesion: Float[np.ndarray, "k h w"]
    saliency: Float[np.ndarray, "k h w"]
    masks: Float[np.ndarray, "k m h w"]


class Run(NamedTuple):
    """The results of one run.

    Attributes:
        answers: the answers of all networks.
        variances: Table 3, by network.
        detection: the scores of the maps of positive test scans.
        attention: ACAT's attention masks.
    """

    answers: Answers
    variances: Mapping[str, Variances]
    detection: Detection
    attention: Attention


class KindStudy(NamedTuple):
    """The results of all runs of one kind of scans.

    Attributes:
        scans: all of them.
        networks: the networks that were trained.
        left_out: networks that the configuration names and that cannot be trained on these scans,
            and why.
        runs: the runs, in the order of the seeds.
        smaller: Table 4, the answers of all runs by the number of training scans.
        psnr: the mean PSNR of the autoencoder's reconstructions of all scans, in decibels.
        refused: how many scans the autoencoder does not show well enough to be explained.
        identity: all that the results depend on.
    """

    scans: Scans
    networks: tuple[Network, ...]
    left_out: Mapping[str, str]
    runs: tuple[Run, ...]
    smaller: Mapping[int, tuple[Answers, ...]]
    psnr: float
    refused: int
    identity: object

    @property
    def place(self) -> str:
        """The set of the paper that the scans stand for."""
        return HEADS if self.scans.sides else CHESTS

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the networks that were trained."""
        return tuple(network.name for network in self.networks)

    def has(self, *names: str) -> bool:
        """Whether networks were trained."""
        return set(names) <= set(self.names)

    @property
    def answers(self) -> list[Answers]:
        """The answers of all runs."""
        return [run.answers for run in self.runs]

    def is_correct(self, name: str) -> list[Bool[np.ndarray, " n"]]:
        """Whether a network names the class of a test scan, for all runs."""
        return [answers.is_correct(name) for answers in self.answers]

    def is_known(self, field: str) -> bool:
        """Whether the truth that a field of maps is measured by is known in all runs."""
        return all(run.detection.is_known(field) for run in self.runs)

    def scores(self, method: str, field: str) -> list[Float[np.ndarray, " n"]]:
        """The scores of explained scans whose truth is known, for all runs."""
        return [
            run.detection.scores[method][field][_is_finite(run, method, field)] for run in self.runs
        ]

    def has_scores(self, method: str, field: str) -> bool:
        """Whether there are scores of a method in all runs."""
        return all(len(values) for values in self.scores(method, field))

    def units(self, method: str, field: str) -> list[np.ndarray]:
        """The patients of the explained scans whose truth is known, for all runs."""
        return [run.detection.units[_is_finite(run, method, field)] for run in self.runs]

    def join_searches(self, field: str) -> Float[np.ndarray, "n ..."]:
        """A field of ``Traces`` of all runs."""
        return np.concatenate([getattr(run.detection.traces, field) for run in self.runs])

    @property
    def search_units(self) -> np.ndarray:
        """The patients of the searched scans of all runs."""
        return np.concatenate([run.detection.search_units for run in self.runs])


def _is_finite(run: Run, method: str, field: str) -> Bool[np.ndarray, " n"]:
    return np.isfinite(run.detection.scores[method][field])


class Study(NamedTuple):
    """The results of the study.

    Attributes:
        config: the configuration of the run.
        kinds: the results of each kind of scans.
    """

    config: Config
    kinds: tuple[KindStudy, ...]

    @property
    def identity(self) -> object:
        """Everything that the results depend on, beside the configuration."""
        return [kind.identity for kind in self.kinds]

    @property
    def note(self) -> str:
        """The note that stands beside every table and figure."""
        return " ".join(kind.scans.note for kind in self.kinds)


def stages(config: Config) -> tuple[str, ...]:
    """The stages of ``run_study``, in their order: reading, then each kind of scans by its name."""
    return "scans", *(kind.partition(":")[0] for kind in config.data)


def run_study(config: Config, workspace: Workspace) -> Study:
    """Trains the networks, makes the maps, and measures both, or reads what earlier runs computed.

    Raises:
        InputError: as ``plan_trainings``, the trainers and the searches.
    """
    workspace.begin("scans")
    setups = [prepare(config, kind, workspace) for kind in config.data]
    # All kinds are planned before the first is trained on.
    plans = [plan_trainings(setup) for setup in setups]
    return Study(config, tuple(map(study_kind, setups, plans)))


def study_kind(setup: Setup, plan: Plan) -> KindStudy:
    """Trains and measures on scans of one kind.

    Args:
        setup: the settings, the scans of the kind, and the workspace.
        plan: the plan of the trainings.
    """
    networks, (_, scans, workspace) = plan.networks, setup
    workspace.begin(scans.name)
    for name, reason in plan.left_out.items():
        notify(f"{scans.name}: {name} is left out: {reason}")
    bench = make_bench(setup)
    runs = tuple(_run(bench, networks, task) for task in plan.tasks)
    few = tuple(network for network in networks if network.name in IN_TABLE_4)
    smaller = {
        size: tuple(train_networks(bench, few, task).answers for task in tasks)
        for size, tasks in plan.smaller.items()
    }
    tasks = [_task_identity(bench, networks, task) for task in plan.tasks]
    return KindStudy(
        scans,
        networks,
        plan.left_out,
        runs,
        smaller,
        psnr=float(bench.psnr.mean()),
        refused=int(bench.refused.sum()),
        identity=[bench.coder_identity, tasks, list(smaller)],
    )


def _task_identity(bench: Bench, networks: tuple[Network, ...], task: Task) -> object:
    """All that the results of a run depend on, beside the autoencoder."""
    config = bench.setup.config
    settings = [config.search, config.num_shown, config.unbounded_steps, config.acat_detects]
    trainings = [[network, bench.settings(network, task)] for network in networks]
    return [bench.baseline_identity(task), trainings, settings]


def _run(bench: Bench, networks: tuple[Network, ...], task: Task) -> Run:
    (config, scans, workspace), test = bench.setup, task.split.test
    trained = train_networks(bench, networks, task)
    depends = [bench.baseline_identity(task), bench.coder_identity]
    depends_acat = [depends, bench.settings(ACAT_NETWORK, task), config.search]
    variances = {
        network.name: measure_variances(
            trained.models[network.name],
            (scans.images, trained.maps[network.maps]) if network.maps else (scans.images,),
            test,
            workspace,
            name=f"{scans.name}-{network.name}",
            depends=[depends, network, bench.settings(network, task), config.search],
        )
        for network in networks
        if network.name in MEASURED
    }
    acat = trained.models[ACAT]
    detection = detect(
        bench.setup,
        trained.explained,
        bench.as_classifier(acat) if config.acat_detects else None,
        test,
        depends=depends,
        depends_acat=depends_acat,
    )
    examples = test[scans.positive[test]][: config.num_shown]
    attention = workspace.cached(
        f"attention {scans.name}",
        [depends_acat, examples.tolist()],
        lambda: _attend(scans, acat, trained.maps[OURS], examples),
    )
    return Run(trained.answers, variances, detection, Attention(**attention))


def _attend(scans: Scans, acat: Any, maps: Rows, examples: Int[np.ndarray, " k"]) -> Arrays:
    """The fields of ``Attention``."""
    saliency = np.asarray(maps[examples], np.float32)
    masks, rows = acat.masks(saliency), []
    for place, example in enumerate(examples):
        facts = scans.facts[int(example)]
        lesion = lesion_mask(facts)
        number = fullest_slice(lesion)
        of_slice = slice(number, number + 1)
        resized = [
            resize_labels(np.asarray(masks[name][place, of_slice, ..., 0]), lesion.shape[1:])[0]
            for name in MASKS
        ]
        row = {
            "slices": np.array(number),
            "image": np.asarray(facts["image"][number, ..., 0]),
            "lesion": lesion[number],
            "saliency": saliency[place, number, ..., 0],
            "masks": np.stack(resized),
        }
        rows.append(row)
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
