"""Training of a classifier of volumes with or without saliency maps: ACAT, its baseline and its
competitors (Fontanella et al. 2023, "ACAT: Adversarial Counterfactual Attention for Classification
and Detection in Medical Imaging", appendix C, and the released code).

The baseline is ``Config()``; what has a saliency branch starts from the baseline's weights with
``FROM_BASELINE``, and the variables that the baseline lacks start at random.
``saliency_source.SaliencySource`` puts maps beside volumes.

Deviations: classes are weighted by their frequencies in the training set, not in the whole data
set; all networks are selected alike.
"""

from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.checks import check_choice
from cfx_jax.data.pipeline import AugmentItem
from cfx_jax.data.source import check_indices, labels_of
from cfx_jax.data.volume_flips import random_volume_flip
from cfx_jax.errors import InputError
from cfx_jax.losses.cross_entropy import inverse_frequency
from cfx_jax.models.volumes.build import build_volume_model
from cfx_jax.models.weights.warm_start import warm_start
from cfx_jax.parallel import data_mesh
from trainers.annealed_adam import annealed_adam
from trainers.descent import descent_step
from trainers.epochs import by_steps
from trainers.identity import describe_data
from trainers.nnx_views import ModelFactory, trained, variables_of
from trainers.result import load_model
from trainers.running import Batch, Evaluate, State, Step, batches_of, check_batch_size, run
from trainers.volume_answers import decided, logits_of, loss_terms, number_of_classes
from trainers.volume_config import FROM_BASELINE as FROM_BASELINE
from trainers.volume_config import Config as Config
from trainers.volume_config import seedless
from trainers.volume_validation import validation_of

_TRAINER = "volume_classifier"
_MIRRORED_SIDES = (0, 2, 1, 3)


def init(
    key: PRNGKeyArray,
    config: Config,
    *,
    model: ModelFactory | None = None,
    start: nnx.Module | None = None,
    skip: Sequence[str] = (),
) -> State:
    """The state before the first step.

    Args:
        key: draws the initial weights.
        config: names the network and the optimiser.
        model: makes another network from ``nnx.Rngs``; None for the configuration's.
        start: a network whose parameters and batch statistics are taken where they have the same
            names, as by ``models.warm_start``; it is not changed.
        skip: names of parts that start at random all the same, such as ``"head"``.

    Returns:
        Parameters, other variables and a fresh state of the optimiser.

    Raises:
        InputError: an unknown network; numbers out of range; a start of other sizes, or with
            nothing in common.
    """
    network = _choose(config, model)(nnx.Rngs(key))
    if start is not None:
        network = warm_start(network, start, skip=skip).model
    params, rest = variables_of(network)
    return State(params, rest, annealed_adam(config.optimiser, config.num_steps).init(params))


def make_step(
    config: Config,
    *,
    model: ModelFactory | None = None,
    class_weights: Float[np.ndarray, " k"] | None = None,
) -> Step:
    """One step of training.

    Args:
        config: names the network and the optimiser.
        model: as in ``init``.
        class_weights: of each class in the loss, with sides of none and lesion; None for 1.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image``
        ``(b, s, h, w, c)``, ``label`` ``(b,)``, and ``saliency`` ``(b, s, h, w, 1)`` where the
        network takes it. Metrics: ``loss``, its terms, which are ``cross_entropy`` or ``lesion``
        and ``side``, and ``accuracy``.

    Raises:
        InputError: numbers out of range.
    """
    weights = (
        np.ones(2 if config.sides else config.num_classes)
        if class_weights is None
        else class_weights
    )
    make = _shared_step if isinstance(model, Hashable) else _step
    return make(seedless(config), model, tuple(float(each) for each in weights))


def make_evaluate(
    config: Config,
    validation: Mapping[str, np.ndarray],
    *,
    model: ModelFactory | None = None,
    mesh: Mesh | None = None,
) -> Evaluate:
    """The validation of a state.

    Args:
        config: of the training.
        validation: ``image`` ``(n, s, h, w, c)`` in [0, 1], ``label`` ``(n,)``, and ``saliency``
            ``(n, s, h, w, 1)`` where the network takes it.
        model: as in ``init``.
        mesh: devices to spread the volumes over.

    Returns:
        ``state -> metrics`` of the network in evaluation mode: ``validation_accuracy``,
        ``validation_balanced_accuracy`` and ``validation_cross_entropy``, in nats and without
        weights of classes. With sides, accuracies are those of the four classes,
        ``validation_lesion_accuracy`` is that of lesion or none, and the cross-entropy is the sum
        of both terms.

    Raises:
        InputError: volumes outside [0, 1], labels that are no class, or maps that do not fit the
            volumes.
    """
    return validation_of(config, validation, model=_choose(config, model), mesh=mesh)


def train(
    config: Config,
    source: Any,
    train_indices: Int[np.ndarray, " n"],
    validation: Mapping[str, np.ndarray],
    workdir: str | Path,
    *,
    model: ModelFactory | None = None,
    start: nnx.Module | None = None,
    skip: Sequence[str] = (),
    mesh: Mesh | None = None,
    progress: bool = True,
) -> nnx.Module:
    """Trains a classifier of volumes, or goes on with a training that was stopped; a finished one
    is only read.

    Args:
        config: the training; lengths of 0 steps follow from its epochs and the number of items.
        source: random-access data set whose items hold ``image`` (s, h, w, c), ``label``, and
            ``saliency`` (s, h, w, 1) where the network takes it.
        train_indices: the items to train on.
        validation: as in ``make_evaluate``.
        workdir: folder of this training.
        model: makes the network from ``nnx.Rngs``: volumes, or volumes and their maps, -> logits
            ``(b, k)`` or ``models.HalfBrainLogits``; None for the configuration's.
        start, skip: as in ``init``.
        mesh: devices to train on; None for all.
        progress: shows a progress bar.

    Returns:
        The selected network in evaluation mode.

    Raises:
        InputError: as ``training.fit`` and ``init``; an unknown ``select``; another number of
            classes in the data; classes to be weighted that no training volume has; volumes, maps
            or labels that cannot be used.
    """
    check_choice(config.select, ("accuracy", "balanced_accuracy", "none"), name="select")
    mesh = data_mesh() if mesh is None else mesh
    check_batch_size(config.batch_size, mesh)
    config = by_steps(config, num_images=len(train_indices))
    _check_classes(config, source)
    selected = run(
        _TRAINER,
        config,
        make_step(config, model=model, class_weights=_class_weights(config, source, train_indices)),
        lambda key: init(key, config, model=model, start=start, skip=skip),
        batches_of(
            source,
            train_indices,
            batch_size=config.batch_size,
            seed=config.seed,
            balanced=False,
            augment=None,
            fields=_fields(config),
            augment_item=_flip(config),
        ),
        workdir,
        evaluate=make_evaluate(config, validation, model=model, mesh=mesh),
        select=None if config.select == "none" else f"validation_{config.select}",
        ties="later",
        data={
            **describe_data(
                source,
                train_indices,
                {name: validation[name] for name in ("label", *_fields(config))},
                None,
                start,
            ),
            "skip": ", ".join(skip),
        },
        mesh=mesh,
        progress=progress,
    )
    return trained(_choose(config, model), selected.params, selected.rest)


def load(
    workdir: str | Path, *, model: ModelFactory | None = None, unfinished: bool = False
) -> nnx.Module:
    """The selected network of a training; arguments, result and errors as
    ``trainers.classifier.load``.
    """
    return load_model(_TRAINER, Config, workdir, init, _choose, model=model, unfinished=unfinished)


def _step(config: Config, model: ModelFactory | None, class_weights: tuple[float, ...]) -> Step:
    def judge(network: Any, key: PRNGKeyArray, batch: Batch) -> dict[str, Array]:
        del key
        logits, labels = logits_of(config, network, batch), batch["label"]
        terms = loss_terms(logits, labels, jnp.asarray(class_weights, jnp.float32))
        correct = decided(logits) == labels
        return {"loss": sum(terms.values(), jnp.zeros(())), **terms, "accuracy": correct.mean()}

    return descent_step(
        _choose(config, model), annealed_adam(config.optimiser, config.num_steps), judge
    )


# Trainings of the same network that differ by their seeds share a step, so that it is traced and
# compiled once.
_shared_step = lru_cache(maxsize=32)(_step)


def _choose(config: Config, model: ModelFactory | None) -> ModelFactory:
    return model or (
        lambda rngs: build_volume_model(
            config.model,
            num_classes=config.num_classes,
            in_channels=config.in_channels,
            num_slices=config.num_slices,
            rngs=rngs,
        )
    )


def _fields(config: Config) -> tuple[str, ...]:
    return ("saliency",) if config.saliency else ()


def _flip(config: Config) -> AugmentItem:
    return random_volume_flip(
        horizontal=config.horizontal_flip,
        vertical=config.vertical_flip,
        mirrored=_MIRRORED_SIDES if config.sides else None,
    )


def _class_weights(
    config: Config, source: Any, indices: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " k"] | None:
    """Of two classes, the published ones, each the share of the other, but for a factor that the
    weighted mean cancels.
    """
    if not config.weighted:
        return None
    labels = labels_of(source)[check_indices(source, indices)]
    return (
        inverse_frequency((labels > 0).astype(int), 2)
        if config.sides
        else inverse_frequency(labels, config.num_classes)
    )


def _check_classes(config: Config, source: Any) -> None:
    expected, names = number_of_classes(config), ", ".join(source.class_names)
    if len(source.class_names) != expected:
        which = "none, left, right, both" if config.sides else "num_classes"
        raise InputError(
            f"source: expected {expected} classes ({which}), got {names}: change num_classes or"
            f" sides, or relabel them"
        )
