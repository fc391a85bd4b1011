"""A step gives a state of the very kind that it takes, so that it is compiled once; what is frozen
is its argument.
"""

import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from toy_training import Net, with_options

import trainers
from cfx_jax.compilation import as_pytree
from cfx_jax.models import ResNet, per_image
from trainers import (
    Inputs,
    Trainer,
    autoencoder,
    classifier,
    cycle,
    fixed_point,
    mask_generator,
    multi_label,
    progressive,
    segmentation,
    similar_adversarial,
    trades,
    vae,
    volume_classifier,
)
from trainers.shared import State

PATH = trainers.__path__
IMAGES = jax.ShapeDtypeStruct((8, 8, 8, 1), np.float32)
LABELS = jax.ShapeDtypeStruct((8,), np.int32)
SMALL: dict[str, Any] = {
    "size": (8, 8),
    "in_channels": 1,
    "num_classes": 2,
    "filters": (4,),
    "discriminator_filters": (4,),
    "decoder_filters": (4,),
    "head_filters": (3,),
    "latent": 2,
    "width": 4,
    "critic_steps": 2,
    "critic_filters": 4,
    "critic_depth": 2,
    "num_halvings": 1,
    "num_blocks": 1,
    "num_slices": 2,
    "model": "resnet_small",
    "mean": (0.5,),
    "std": (0.5,),
}


def network() -> Net:
    return Net(rngs=nnx.Rngs(0))


def encoder() -> ResNet:
    return ResNet(
        block="basic",
        stage_sizes=(1, 1),
        widths=(4, 6),
        num_classes=2,
        in_channels=1,
        mean=0.5,
        std=0.3,
        stem="imagenet",
        rngs=nnx.Rngs(0),
    )


class Case(NamedTuple):
    """A trainer, settings of its own, a batch, and the networks that are frozen in its step."""

    trainer: Trainer[Any]
    options: Mapping[str, Any]
    batch: Mapping[str, Any]
    frozen: Mapping[str, Callable[[], nnx.Module]] = {}


LABELLED = {"image": IMAGES, "label": LABELS}
RATES = jax.ShapeDtypeStruct((8,), np.float32)
VOLUMES = jax.ShapeDtypeStruct((8, 2, 32, 32, 1), np.float32)
CASES = [
    Case(autoencoder.TRAINER, {}, {"image": IMAGES}),
    Case(classifier.TRAINER, {}, LABELLED),
    Case(
        cycle.TRAINER,
        {"filters": (3, 4)},
        {"image": IMAGES, "learning_rate": RATES},
        {"classifier": network},
    ),
    Case(fixed_point.TRAINER, {"filters": 4}, {"image": IMAGES}, {"classifier": network}),
    Case(
        mask_generator.TRAINER,
        {},
        {"image": IMAGES},
        {"classifier": encoder, "encoder": encoder},
    ),
    Case(
        progressive.TRAINER,
        {"filters": (4, 6)},
        LABELLED,
        {"classifier": network},
    ),
    Case(
        similar_adversarial.TRAINER,
        {"filters": (3, 4)},
        {"image": IMAGES},
        {"classifier": network},
    ),
    Case(
        multi_label.TRAINER, {}, {"image": IMAGES, "target": jax.ShapeDtypeStruct((8, 2), np.int64)}
    ),
    Case(
        segmentation.TRAINER,
        {"filters": (4, 8)},
        {"image": IMAGES, "target": jax.ShapeDtypeStruct((8, 8, 8), np.uint8)},
    ),
    Case(trades.TRAINER, {}, LABELLED),
    Case(vae.TRAINER, {}, {"image": IMAGES}),
    Case(
        volume_classifier.TRAINER,
        {"model": "slice_small", "weighted": False},
        {"image": VOLUMES, "label": LABELS},
    ),
]


def _parts(case: Case, **of_run: Any) -> tuple[State, Any, int]:
    """The first state without values, the step, and how many arrays are frozen in it."""
    config = with_options(case.trainer.config(), **of_run)
    options = {**SMALL, **case.options}
    known = {field.name for field in fields(config)} & options.keys()
    config = with_options(config, num_steps=3, steps_per_epoch=3, **{k: options[k] for k in known})
    frozen = {name: make() for name, make in case.frozen.items()}
    given = {
        name: per_image(network) if name == "classifier" else network
        for name, network in frozen.items()
    }
    inputs = Inputs(**given)
    key = jax.random.key(0)
    state = jax.eval_shape(lambda key: case.trainer.init(key, config, inputs), key)
    arrays = sum(len(jax.tree.leaves(nnx.state(network))) for network in frozen.values())
    return state, case.trainer.make_step(config, inputs), arrays


@cache
def _float32_parts(name: str) -> tuple[State, Any, int]:
    """Those of the trainer of that name in float32, traced once for all tests."""
    return _parts(next(case for case in CASES if case.trainer.name == name))


def _kinds(tree: Any) -> list[tuple[str, Any, tuple[int, ...], bool]]:
    return [
        (jax.tree_util.keystr(path), leaf.dtype, leaf.shape, bool(leaf.weak_type))
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.trainer.name)
def test_a_step_gives_the_kind_of_state_that_it_takes_and_its_frozen_networks_are_arguments(
    case: Case,
) -> None:
    state, step, num_frozen = _float32_parts(case.trainer.name)
    moved, metrics = jax.eval_shape(step, state, jax.random.key(1), case.batch)
    assert jax.tree.structure(moved) == jax.tree.structure(state)
    assert _kinds(moved) == _kinds(state)
    assert "loss" in metrics
    assert len(jax.tree.leaves(as_pytree(step))) == num_frozen


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.trainer.name)
def test_a_step_in_bfloat16_keeps_weights_statistics_and_metrics_in_float32(case: Case) -> None:
    """In parts too, and with blocks that are computed once more."""
    parts = 2 if case.trainer.accumulates else 1
    state, step, _ = _parts(case, compute_dtype="bfloat16", remat=True, accumulate=parts)
    assert _kinds(state) == _kinds(_float32_parts(case.trainer.name)[0])
    traced, (moved, metrics) = jax.make_jaxpr(step, return_shape=True)(
        state, jax.random.key(1), case.batch
    )
    assert _kinds(moved) == _kinds(state)
    assert {metric.dtype for metric in metrics.values()} == {np.dtype(np.float32)}
    text = str(traced)
    assert "remat" in text or "checkpoint" in text
    assert re.search(r":bf16\[[\d,]+\] = (conv_general_dilated|dot_general)", text)


def test_every_trainer_is_listed_and_bears_the_name_of_its_file() -> None:
    names = [module.name for module in pkgutil.iter_modules(PATH) if not module.ispkg]
    modules = [import_module(f"trainers.{name}") for name in names if name != "__main__"]
    found = {
        module.__name__: module.TRAINER.name for module in modules if hasattr(module, "TRAINER")
    }
    assert list(found) == [f"trainers.{name}" for name in found.values()]
    assert set(found.values()) == {case.trainer.name for case in CASES}


def test_other_weights_of_a_frozen_classifier_need_no_other_program() -> None:
    (case,) = (case for case in CASES if case.trainer is fixed_point.TRAINER)
    state, step, _ = _float32_parts(case.trainer.name)
    others = jax.tree.map(
        lambda leaf: leaf + 1 if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, step.args
    )
    programs = [
        jax.jit(step.func).lower(*frozen, state, jax.random.key(1), case.batch).as_text()
        for frozen in (step.args, others)
    ]
    assert programs[0] == programs[1]
