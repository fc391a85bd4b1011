"""The programs that the published settings run: the trainings' steps, and the explanations.

Everything is abstract: shapes in place of arrays, so that networks of any size cost nothing.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from cfx_jax.attributions import integrated_gradients
from cfx_jax.counterfactuals import latent_counterfactual, progressive, vce
from cfx_jax.models import build, coder_of, exaggerator_of, per_image
from cfx_jax.objectives import class_score
from experiments.acat import presets as acat
from experiments.acat.networks import ACAT_NETWORK, BASELINE_NETWORK, Network
from experiments.fundus_vce import presets as fundus_vce
from experiments.path_attribution import presets as path_attribution
from experiments.progressive_exaggeration import presets as progressive_exaggeration
from experiments.similar_adversarial import presets as similar_adversarial
from trainers import (
    Inputs,
    ModelFactory,
    Trainer,
    autoencoder,
    classifier,
    count_steps,
    cycle,
    fixed_point,
    segmentation,
    trades,
    vae,
    volume_classifier,
)
from trainers import progressive as exaggeration
from trainers import similar_adversarial as pairs

_IMAGES_PER_EPOCH = 10_000
"""Turns epochs into steps; the programs do not depend on it."""
_FUNDUS = (224, 224, 3)
_CHEST = (224, 224, 1)
_FACE = (128, 128, 3)
_HEART = (128, 128, 1)
_EXPLAINED = 32
"""Images that are explained at once, over all chips."""


class Program(NamedTuple):
    """A program and what it is called with, shapes in place of arrays.

    Attributes:
        function: ``(shared, examples) -> results``, to be jitted.
        shared: what is the same for all examples, such as weights; a copy lies on every chip.
        examples: arrays whose first axis is divided among the chips.
        per_call: examples of one call, over all chips.
    """

    function: Callable[..., Any]
    shared: Any
    examples: Any
    per_call: int


Maker = Callable[[], Program]
"""Makes a program: its shapes are computed when it is asked for."""


def shape_of(*shape: int, dtype: Any = jnp.float32) -> jax.ShapeDtypeStruct:
    """An array of a shape, without its numbers."""
    return jax.ShapeDtypeStruct(shape, dtype)


def _classifier_of(model: str, *, num_classes: int = 2, in_channels: int = 3) -> Any:
    """A classifier of one image, with shapes in place of weights."""
    return per_image(
        nnx.eval_shape(
            lambda: build(model, num_classes=num_classes, in_channels=in_channels, rngs=nnx.Rngs(0))
        )
    )


# ---- Trainings


def _training(
    trainer: Trainer[Any],
    config: Any,
    shape: tuple[int, ...],
    *,
    batch_size: int | None = None,
    label: jax.ShapeDtypeStruct | None = None,
    label_name: str = "label",
    others: Mapping[str, jax.ShapeDtypeStruct] | None = None,
    classifier: Any = None,
    model: ModelFactory | None = None,
) -> Program:
    """One step of a training on images of a shape, which are ``batch_size`` in a batch."""
    config = count_steps(config, num_images=_IMAGES_PER_EPOCH)
    size = batch_size or config.run.batch_size
    batch: dict[str, Any] = {"image": shape_of(size, *shape), **(others or {})}
    if label is not None:
        batch[label_name] = label
    given = Inputs(model=model)
    state = jax.eval_shape(lambda: trainer.init(jax.random.key(0), config, given))

    def run(shared: Any, batch: Any) -> Any:
        frozen, state, key = shared
        step = trainer.make_step(config, dataclasses.replace(given, classifier=frozen))
        return step(state, jax.random.wrap_key_data(key), batch)

    return Program(run, (classifier, state, shape_of(2, dtype=jnp.uint32)), batch, size)


def _ints(*shape: int) -> jax.ShapeDtypeStruct:
    return shape_of(*shape, dtype=jnp.int32)


def _plain() -> Program:
    config = fundus_vce.PAPER.plain
    return _training(classifier.TRAINER, config, _FUNDUS, label=_ints(config.run.batch_size))


def _trades() -> Program:
    config = fundus_vce.PAPER.robust
    return _training(trades.TRAINER, config, _FUNDUS, label=_ints(config.run.batch_size))


def _pairs() -> Program:
    config = similar_adversarial.PAPER.similar_adversarial
    return _training(pairs.TRAINER, config, _CHEST, classifier=_chest_classifier())


def _cycle(config: cycle.Config) -> Program:
    config = dataclasses.replace(config, size=_CHEST[:2])
    size = 2 * config.run.batch_size
    others = {"learning_rate": shape_of(size)}
    return _training(
        cycle.TRAINER,
        config,
        _CHEST,
        batch_size=size,
        others=others,
        classifier=_chest_classifier(),
    )


def _adversary() -> Program:
    config = dataclasses.replace(path_attribution.PAPER.adversary, size=_CHEST[:2])
    size = 2 * config.run.batch_size * config.critic_steps
    frozen = _chest_classifier()
    return _training(fixed_point.TRAINER, config, _CHEST, batch_size=size, classifier=frozen)


def _explainer() -> Program:
    config = progressive_exaggeration.PAPER.explainer
    size = config.run.batch_size * config.critic_steps
    return _training(
        exaggeration.TRAINER,
        config,
        _FACE,
        batch_size=size,
        label=_ints(size),
        classifier=_classifier_of(progressive_exaggeration.PAPER.classifier.model),
    )


def _vae() -> Program:
    config = dataclasses.replace(progressive_exaggeration.PAPER.vae, size=_FACE[:2])
    return _training(vae.TRAINER, config, _FACE)


def _hearts() -> Program:
    config = progressive_exaggeration.PAPER.heart.segmentation
    masks = _ints(config.run.batch_size, *_HEART[:2])
    return _training(segmentation.TRAINER, config, _HEART, label=masks, label_name="target")


def _scans(network: Network) -> Program:
    paper, has_maps = acat.PAPER, bool(network.maps)
    config = paper.from_baseline if has_maps else paper.baseline
    config = dataclasses.replace(config, weighted=False)  # weights are numbers in the program
    size, shape = config.run.batch_size, paper.shape
    maps = {"saliency": shape_of(size, *shape, 1)} if has_maps else {}
    return _training(
        volume_classifier.TRAINER,
        config,
        (*shape, 1),
        label=_ints(size),
        others=maps,
        model=network.factory("slice_resnet50", shape),
    )


def _autoencoder() -> Program:
    return _training(autoencoder.TRAINER, acat.PAPER.autoencoder, (*acat.PAPER.shape[1:], 1))


def _chest_classifier() -> Any:
    return _classifier_of("resnet50", in_channels=1)


# ---- Explanations


def _vce(p: float) -> Program:
    paper = fundus_vce.PAPER
    radius, num_steps = paper.explanations.radius_by_norm[p], paper.explanations.num_steps

    def explain(classifier: Any, examples: tuple[Array, Array]) -> Any:
        def one(image: Array, target: Array) -> Any:
            return vce(classifier, image, target, p=p, radius=radius, num_steps=num_steps)

        return jax.vmap(one)(*examples)

    return Program(explain, _classifier_of("resnet50"), _labelled(_FUNDUS), _EXPLAINED)


def _integrated_gradients() -> Program:
    def explain(classifier: Any, examples: tuple[Array, Array]) -> Any:
        def one(image: Array, target: Array) -> Any:
            score = class_score(classifier, target)
            return integrated_gradients(score, image, num_steps=50, nodes_per_batch=1)

        return jax.vmap(one)(*examples)

    return Program(explain, _classifier_of("resnet50"), _labelled(_FUNDUS), _EXPLAINED)


def _sweep() -> Program:
    paper = progressive_exaggeration.PAPER
    config = paper.explainer
    networks = nnx.eval_shape(lambda: exaggeration.build(config, nnx.Rngs(0)))
    shared = exaggerator_of(networks.generator), _classifier_of(paper.classifier.model)

    def explain(shared: Any, images: Array) -> Any:
        explainer, classifier = shared
        return jax.vmap(lambda image: progressive(explainer, classifier, image))(images)

    return Program(explain, shared, shape_of(_EXPLAINED, *_FACE), _EXPLAINED)


def _latent() -> Program:
    paper = acat.PAPER
    search, shape = paper.search, paper.shape
    coder = coder_of(nnx.eval_shape(lambda: autoencoder.build(paper.autoencoder, nnx.Rngs(0))))
    make = BASELINE_NETWORK.factory("slice_resnet50", shape)
    shared = coder, per_image(nnx.eval_shape(lambda: make(nnx.Rngs(0))))
    count = 4

    def explain(shared: Any, examples: tuple[Array, Array]) -> Any:
        coder, classifier = shared

        def one(volume: Array, target: Array) -> Any:
            return latent_counterfactual(
                coder,
                classifier,
                volume,
                target,
                penalty=search.penalty,
                num_steps=search.num_steps,
                step_size=search.step_size,
            )

        return jax.vmap(one)(*examples)

    examples = shape_of(count, *shape, 1), _ints(count)
    return Program(explain, shared, examples, count)


def _labelled(shape: tuple[int, ...]) -> tuple[Any, Any]:
    return shape_of(_EXPLAINED, *shape), _ints(_EXPLAINED)


PROGRAMS: dict[str, Maker] = {
    "train plain": _plain,
    "train trades": _trades,
    "train similar and adversarial": _pairs,
    "train syce": partial(_cycle, path_attribution.PAPER.syce),
    "train cyce": partial(_cycle, path_attribution.PAPER.cyce),
    "train fixed point": _adversary,
    "train progressive": _explainer,
    "train vae": _vae,
    "train segmentation": _hearts,
    "train scans": partial(_scans, BASELINE_NETWORK),
    "train acat": partial(_scans, ACAT_NETWORK),
    "train autoencoder": _autoencoder,
    "vce l2 (apgd)": partial(_vce, 2.0),
    "vce l4 (afw)": partial(_vce, 4.0),
    "vce l1.5 (afw)": partial(_vce, 1.5),
    "integrated gradients": _integrated_gradients,
    "progressive sweep": _sweep,
    "latent counterfactual": _latent,
}
"""By name; see ``benchmarks.compile_for_tpu``."""
