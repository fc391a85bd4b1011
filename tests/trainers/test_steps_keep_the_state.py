"""A step gives a state of the very kind that it takes, so that it is compiled once; what is frozen
is its argument.
"""

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from toy_training import Net

import trainers
from cfx_jax.callables import as_pytree
from cfx_jax.models import ResNet, per_image
from trainers import (
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
from trainers.annealed_adam import AnnealedAdamConfig
from trainers.running import State
from trainers.similar_adversarial_config import PlateauConfig

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
    "num_steps": 3,
    "evaluate_every": 3,
    "checkpoint_every": 3,
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


TRAINERS: dict[
    str, tuple[Any, dict[str, Any], Mapping[str, Any], tuple[Callable[[], nnx.Module], ...]]
] = {
    "autoencoder": (autoencoder, {"optimiser": AnnealedAdamConfig(epoch=3)}, {"image": IMAGES}, ()),
    "classifier": (classifier, {}, {"image": IMAGES, "label": LABELS}, ()),
    "cycle": (
        cycle,
        {"filters": (3, 4)},
        {"image": IMAGES, "learning_rate": jax.ShapeDtypeStruct((8,), np.float32)},
        (network,),
    ),
    "fixed_point": (fixed_point, {"filters": 4}, {"image": IMAGES}, (network,)),
    "mask_generator": (mask_generator, {}, {"image": IMAGES}, (encoder, encoder)),
    "multi_label": (
        multi_label,
        {},
        {"image": IMAGES, "target": jax.ShapeDtypeStruct((8, 2), np.int64)},
        (),
    ),
    "progressive": (
        progressive,
        {"filters": (4, 6)},
        {"image": IMAGES, "label": LABELS},
        (network,),
    ),
    "segmentation": (
        segmentation,
        {"filters": (4, 8)},
        {"image": IMAGES, "target": jax.ShapeDtypeStruct((8, 8, 8), np.uint8)},
        (),
    ),
    "similar_adversarial": (
        similar_adversarial,
        {"filters": (3, 4), "optimiser": PlateauConfig(steps_per_epoch=3)},
        {"image": IMAGES},
        (network,),
    ),
    "trades": (trades, {}, {"image": IMAGES, "label": LABELS}, ()),
    "vae": (vae, {}, {"image": IMAGES}, ()),
    "volume_classifier": (
        volume_classifier,
        {"model": "slice_small", "optimiser": AnnealedAdamConfig(epoch=3)},
        {"image": jax.ShapeDtypeStruct((8, 2, 32, 32, 1), np.float32), "label": LABELS},
        (),
    ),
}


def _parts(name: str) -> tuple[State, Any, Mapping[str, Any], int]:
    """First state and batch of a trainer, both without values, its step, and how many arrays are
    frozen.
    """
    trainer, own, batch, networks = TRAINERS[name]
    known = {each.name for each in fields(trainer.Config)}
    config = trainer.Config(
        **{field: value for field, value in {**SMALL, **own}.items() if field in known}
    )
    frozen = [make() for make in networks]
    given = [per_image(each) if index == 0 else each for index, each in enumerate(frozen)]
    state = jax.eval_shape(lambda key: trainer.init(key, config, *given[1:]), jax.random.key(0))
    arrays = sum(len(jax.tree.leaves(nnx.state(each))) for each in frozen)
    return state, trainer.make_step(config, *given), batch, arrays


def _kinds(tree: Any) -> list[tuple[str, Any, tuple[int, ...], bool]]:
    return [
        (jax.tree_util.keystr(path), leaf.dtype, leaf.shape, bool(leaf.weak_type))
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    ]


@pytest.mark.parametrize("name", TRAINERS)
def test_a_step_gives_the_kind_of_state_that_it_takes_and_its_frozen_networks_are_arguments(
    name: str,
) -> None:
    state, step, batch, num_frozen = _parts(name)
    moved, metrics = jax.eval_shape(step, state, jax.random.key(1), batch)
    assert jax.tree.structure(moved) == jax.tree.structure(state)
    assert _kinds(moved) == _kinds(state)
    assert "loss" in metrics
    assert len(jax.tree.leaves(as_pytree(step))) == num_frozen


def test_every_trainer_is_listed() -> None:
    names = [each.name for each in pkgutil.iter_modules(trainers.__path__)]
    assert {
        name for name in names if hasattr(import_module(f"trainers.{name}"), "make_step")
    } == set(TRAINERS)


def test_other_weights_of_a_frozen_classifier_need_no_other_program() -> None:
    state, step, batch, _ = _parts("fixed_point")
    others = jax.tree.map(
        lambda leaf: leaf + 1 if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, step.args
    )
    programs = [
        jax.jit(step.func).lower(*frozen, state, jax.random.key(1), batch).as_text()
        for frozen in (step.args, others)
    ]
    assert programs[0] == programs[1]
