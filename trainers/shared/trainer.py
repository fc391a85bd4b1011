"""One ``train`` and one ``load`` for whatever is trained.

A ``Trainer`` is a record of functions, one for each part of a training. ``train`` calls them in
this order, and hands the rest (counting, logging, checkpoints, going on after a stop) to
``cfx_jax.training.fit``::

    check(config, inputs)
    evaluate = make_evaluate(config, inputs)
    batches = make_batches(config, inputs)
    config = count_steps(config, num_images=batches.images_per_epoch)
    state = init(key, config, inputs)
    step = make_step(config, inputs)
    for batch in batches: state, metrics = step(state, key, batch)
    return finish(config, inputs, state)      # of the selected state

``load`` calls ``init``, reads the selected state into it, and calls ``finish``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Int, Num, PRNGKeyArray

from cfx_jax.checks import InputError, check_choice, check_configuration, check_count
from cfx_jax.compilation import as_pytree
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import first_decides, mesh_or_all_devices
from cfx_jax.training import Batches, CheckpointStore, Ties, fit, has_checkpoint, load_config

from .fingerprints import (
    describe_augmentation,
    describe_classifier,
    describe_encoder,
    describe_start,
    digest,
)
from .networks import (
    Evaluate,
    ModelFactory,
    Optimisers,
    State,
    Step,
    computed_as,
    first_state,
    trained_network,
)
from .run_settings import (
    RunConfig,
    RunSettings,
    as_stored,
    check_run,
    count_steps,
    restore_config,
)


class TrainerConfig(RunConfig, Protocol):
    """The fields that every configuration of a trainer has; it is a frozen dataclass."""

    @property
    def select(self) -> str:
        """The metric by which the kept weights are selected."""


C = TypeVar("C", bound=TrainerConfig)
Settings = TypeVar("Settings")


@dataclass(frozen=True, eq=False)
class Inputs:
    """All that a training is given besides its configuration; each is described at ``train``.

    Attributes:
        source, train_indices, validation, targets: the data.
        classifier, encoder: frozen networks.
        model: makes the network in the place of the configuration's.
        start, skip: weights to start from.
        augment, mesh: as ``train`` has them; here None is no augmentation, and no mesh.
        num_workers: processes that read the training images, as ``train`` has it.
        resumed: whether the weights come from a checkpoint, so that none need be read for a start.
    """

    source: Any = None
    train_indices: Int[np.ndarray, " n"] = field(default_factory=lambda: np.arange(0))
    validation: Mapping[str, np.ndarray] = field(default_factory=dict)
    targets: Num[np.ndarray, "n *target"] | None = None
    classifier: Any = None
    encoder: Any = None
    model: ModelFactory | None = None
    start: nnx.Module | None = None
    skip: Sequence[str] = ()
    augment: Callable[..., Any] | None = None
    mesh: Mesh | None = None
    num_workers: int = 0
    resumed: bool = False

    @property
    def frozen_classifier(self) -> Any:
        """The classifier as a pytree, which a step takes as an argument and never changes."""
        return as_pytree(self.classifier)

    def choose(self, build: Callable[[Any, nnx.Rngs], nnx.Module], config: Any) -> ModelFactory:
        """The given factory of networks, or the one that builds the configuration's.

        Their layers compute in the number type that the configuration's run names.
        """
        return partial(computed_as, config.run, self.model or partial(build, config))


class TrainingBatches(NamedTuple):
    """The training data as a trainer reads them.

    Attributes:
        batches: endless, at their beginning; this process's share of each.
        images_per_epoch: how many images an epoch shows.
        depends: short descriptions, by name, of the data that the training depends on.
        observe: takes the metrics of each validation and returns the metrics to note.
    """

    batches: Batches
    images_per_epoch: int
    depends: Mapping[str, str]
    observe: Callable[[dict[str, float]], dict[str, float]] = lambda metrics: metrics


def _check_nothing(config: Any, inputs: Inputs) -> None:
    del config, inputs


@dataclass(frozen=True)
class Trainer(Generic[C]):
    """Something that can be trained.

    Attributes:
        name: kept with each training, so that no other trainer goes on with it.
        config: class of its configuration; a frozen dataclass with ``run`` and ``select``.
        selections: for each value of ``config.select`` the metric of the validation by whose
            highest value the state is kept; None for the last state.
        make_batches: ``(config, inputs) -> TrainingBatches``.
        init: ``(key, config, inputs) -> State``, the state before the first step, such as
            ``random_start`` makes it.
        make_step: ``(config, inputs) -> step``, a pure ``(state, key, batch) -> (state, metrics)``
            with ``loss`` among the metrics. A step that reads something it never changes, such as a
            classifier, is a ``jax.tree_util.Partial`` that holds it as an argument.
        make_evaluate: ``(config, inputs) -> evaluate``, a function ``state -> metrics``.
        finish: ``(config, inputs, state) -> result``, the result of the training, such as
            ``give_network`` makes it.
        check: ``(config, inputs)``, raises where something cannot be trained.
        needs: inputs without which nothing can be trained, such as ``"classifier"``.
        takes: further inputs that it makes use of, such as ``"augment"``.
        ties: whether the earlier or the later of two states with the same metric is kept.
        accumulates: whether a batch can be computed in parts; not where a step has several updates.
    """

    name: str
    config: type[C]
    selections: Mapping[str, str | None]
    make_batches: Callable[[C, Inputs], TrainingBatches]
    init: Callable[[PRNGKeyArray, C, Inputs], State]
    make_step: Callable[[C, Inputs], Step]
    make_evaluate: Callable[[C, Inputs], Evaluate]
    finish: Callable[[C, Inputs, State], Any]
    check: Callable[[C, Inputs], None] = _check_nothing
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ("model",)
    ties: Ties = "earlier"
    accumulates: bool = True


def random_start(
    build: Callable[[C, nnx.Rngs], nnx.Module], make_optimiser: Callable[[C], Optimisers]
) -> Callable[[PRNGKeyArray, C, Inputs], State]:
    """The ``init`` of a trainer whose network starts from random weights.

    Args:
        build: makes the network of a configuration.
        make_optimiser: makes its optimiser, or one for each part of the network, by name.
    """

    def init(key: PRNGKeyArray, config: C, inputs: Inputs) -> State:
        return first_state(inputs.choose(build, config)(nnx.Rngs(key)), make_optimiser(config))

    return init


def give_network(
    build: Callable[[Settings, nnx.Rngs], nnx.Module],
) -> Callable[[Settings, Inputs, State], nnx.Module]:
    """The ``finish`` of a trainer that gives its network as a whole, in evaluation mode.

    Args:
        build: makes the network of a configuration.
    """

    def finish(config: Settings, inputs: Inputs, state: State) -> nnx.Module:
        network: nnx.Module = trained_network(inputs.choose(build, config), state)
        return network

    return finish


def train(
    trainer: Trainer[C],
    config: C,
    source: Any,
    train_indices: Int[np.ndarray, " n"],
    validation: Mapping[str, np.ndarray],
    workdir: str | Path,
    *,
    classifier: Classifier | None = None,
    encoder: nnx.Module | None = None,
    targets: Num[np.ndarray, "n *target"] | None = None,
    model: ModelFactory | None = None,
    start: nnx.Module | None = None,
    skip: Sequence[str] = (),
    augment: Callable[..., Any] | None = None,
    mesh: Mesh | None = None,
    num_workers: int = 0,
    progress: bool = True,
) -> Any:
    """Trains, or goes on with a training that was stopped; a finished one is only read.

    A trainer's file says which of the options it needs or takes, and what its validation holds.

    Args:
        trainer: says what is trained, such as ``trainers.cycle.TRAINER``.
        config: the configuration of the training; lengths of 0 steps follow from its epochs and the
            training images.
        source: random-access data set whose items hold ``image``, and ``label`` where labels play
            a part.
        train_indices: the items to train on.
        validation: arrays by name, ``image`` ``(m, h, w, c)`` in [0, 1] among them.
        workdir: folder of this training.
        classifier: the explained classifier: one image -> logits, such as
            ``models.per_image(model)``; it is not changed.
        encoder: a trained network whose layers are made use of; it is not changed.
        targets: the values to learn for each training image, in the order of ``train_indices``.
        model: makes the network from ``nnx.Rngs``; None for the configuration's.
        start: a network to start from instead of random weights; it is not changed.
        skip: names of parts that start at random all the same, such as ``"head"``.
        augment: ``(image, rng) -> image``, applied to training images.
        mesh: devices to train on; None for all.
        num_workers: processes that read the training images, see ``data.training_batches``; 0 reads
            by threads of this one. The training does not depend on it.
        progress: shows a progress bar.

    Returns:
        What was trained, of the selected state and in evaluation mode; see the trainer's file.

    Raises:
        InputError: as ``training.fit``; an input that the trainer needs and has not, or does not
            take; an unknown name, numbers out of range, data that cannot be used.
    """
    options = {"classifier": classifier, "encoder": encoder, "targets": targets, "model": model}
    options |= {"start": start, "augment": augment}
    _check_options(trainer, {**options, "skip": tuple(skip) or None})
    check_configuration(config)
    check_choice(config.select, tuple(trainer.selections), name="select")
    check_run(config.run)
    mesh = mesh_or_all_devices(mesh)
    _check_batch_size(trainer, config.run, mesh)
    resumed = first_decides("the training goes on", has_checkpoint(workdir))
    given: dict[str, Any] = {**options, "skip": skip, "mesh": mesh, "resumed": resumed}
    given["num_workers"] = num_workers
    inputs = Inputs(source, train_indices, validation, **given)
    trainer.check(config, inputs)
    evaluate = trainer.make_evaluate(config, inputs)
    batches = trainer.make_batches(config, inputs)
    config = count_steps(config, num_images=batches.images_per_epoch)
    init_key, step_key = jax.random.split(jax.random.key(config.run.seed))
    depends = {**_describe_inputs(inputs), **batches.depends}
    fitted = fit(
        trainer.make_step(config, inputs),
        trainer.init(init_key, config, inputs),
        batches.batches,
        key=step_key,
        num_steps=config.run.num_steps,
        workdir=workdir,
        config={"trainer": trainer.name, **as_stored(config), "data": depends},
        evaluate=lambda state: batches.observe(evaluate(state)),
        evaluate_every=config.run.evaluate_every,
        select=trainer.selections[config.select],
        ties=trainer.ties,
        checkpoint_every=config.run.checkpoint_every,
        log_every=config.run.log_every,
        mesh=mesh,
        progress=progress,
    )
    return trainer.finish(config, inputs, fitted.best)


def load(
    trainer: Trainer[Any],
    workdir: str | Path,
    *,
    model: ModelFactory | None = None,
    encoder: nnx.Module | None = None,
    unfinished: bool = False,
) -> Any:
    """Loads the result of a training from its folder.

    Args:
        trainer: the trainer by which it was trained.
        workdir: folder of the training.
        model: the factory that the training was given, if any.
        encoder: the network that the training was given, if any; the folder does not hold it.
        unfinished: accept the best state so far of a training that was stopped.

    Returns:
        As ``train``.

    Raises:
        InputError: no such training, no readable checkpoint, another model or encoder, or a
            training that is not finished.
    """
    _check_options(trainer, {"model": model, "encoder": encoder})
    fields = load_config(workdir)
    if fields.get("trainer") != trainer.name:
        raise InputError(
            f"workdir: expected a training of {trainer.name}, {workdir} is of"
            f" {fields.get('trainer')}"
        )
    config = restore_config(trainer.config, fields)
    inputs = Inputs(model=model, encoder=encoder, resumed=True)
    state = trainer.init(jax.random.key(0), config, inputs)
    checkpoint = CheckpointStore(workdir, fields).restore(state)
    if checkpoint is None:
        raise InputError(f"workdir: {workdir} has no checkpoint yet: train first")
    if checkpoint.step < config.run.num_steps and not unfinished:
        raise InputError(
            f"workdir: the training in {workdir} stands at step {checkpoint.step} of"
            f" {config.run.num_steps}: call train again to finish it, or pass unfinished=True"
        )
    data = fields.get("data")
    known = data.get("encoder") if isinstance(data, Mapping) else None
    if encoder is not None and known != describe_encoder(encoder):
        raise InputError(
            f"encoder: expected the network that {workdir} was trained with, got another one"
        )
    best = checkpoint.state if checkpoint.best is None else checkpoint.best
    return trainer.finish(config, inputs, best)


def _check_options(trainer: Trainer[Any], options: Mapping[str, Any]) -> None:
    """Checks that a trainer is given what it needs of the options, and nothing that it ignores."""
    for name, value in options.items():
        if value is None and name in trainer.needs:
            raise InputError(f"{name}: expected one for {trainer.name}, got none: pass {name}=")
        if value is not None and name not in (*trainer.needs, *trainer.takes):
            raise InputError(
                f"{name}: expected none, since {trainer.name} makes no use of it, got one: leave it"
                " out"
            )


def _check_batch_size(trainer: Trainer[Any], run: RunSettings, mesh: Mesh) -> None:
    batch_size, parts = run.batch_size, run.accumulate
    check_count(parts, name="accumulate")
    if parts > 1 and not trainer.accumulates:
        raise InputError(
            f"accumulate: expected 1 for {trainer.name}, whose step updates several networks in"
            f" turn, got {parts}: set remat, or a smaller batch_size"
        )
    if batch_size < 1 or batch_size % (mesh.size * parts):
        of_parts = f" times the {parts} parts of accumulate" if parts > 1 else ""
        raise InputError(
            f"batch_size: expected a multiple of the {mesh.size} devices{of_parts}, got"
            f" {batch_size}"
        )


def _describe_inputs(inputs: Inputs) -> dict[str, str]:
    """Describes all that a training depends on besides its configuration, in few words."""
    depends = {
        "source": f"{type(inputs.source).__name__} of {len(inputs.source)}",
        "train_indices": digest(inputs.train_indices),
        "augment": describe_augmentation(inputs.augment),
        "start": describe_start(inputs.start),
        "skip": ", ".join(inputs.skip),
    }
    if inputs.classifier is not None:
        images = inputs.validation["image"]
        depends["classifier"] = describe_classifier(inputs.classifier, images)
    if inputs.encoder is not None:
        depends["encoder"] = describe_encoder(inputs.encoder)
    return depends
