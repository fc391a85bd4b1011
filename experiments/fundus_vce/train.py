"""The classifiers: a plain and a robust network, each calibrated, and their ensemble."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from cfx_jax.checks import check_classifier
from cfx_jax.data import compose, random_crop, random_flip
from cfx_jax.metrics import fit_temperature
from cfx_jax.models import calibrated, ensemble, guided, per_image
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import map_examples
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.stages import Arrays, Workspace
from trainers import classifier as plain_trainer
from trainers import trades
from trainers.supervised import SupervisedConfig

NAMES = ("plain", "robust", "ensemble")


class Classifiers(NamedTuple):
    """``ordinary`` and ``guided`` classifiers by name (plain, robust, ensemble), their ``temperatures``, and the
    ``identity`` of all of them: what their weights depend on."""

    ordinary: dict[str, Classifier]
    guided: dict[str, Classifier]
    temperatures: dict[str, float]
    identity: object


def train(config: Config, data: Data, workspace: Workspace) -> Classifiers:
    """Trains, or reads from the workspace, both networks, and calibrates each on its own split."""
    validation = {name: data.part("validation")[name] for name in ("image", "label")}
    augment = _augmentation(config)
    normalisation = workspace.cached("normalisation", data.identity, lambda: _normalisation(data))
    models: dict[str, nnx.Module] = {}
    settings: dict[str, SupervisedConfig] = {}
    for name, trainer, chosen in (("plain", plain_trainer, config.plain), ("robust", trades, config.robust)):
        settings[name] = _fit_to_data(chosen, data, normalisation)
        folder = workspace.folder(name, [settings[name], data.identity, config.augmentation])
        print(f"{name} classifier: {settings[name].num_steps} steps in {folder}", flush=True)
        models[name] = trainer.train(
            settings[name], data.source, data.parts["train"], validation, folder, augment=augment
        )
        check_classifier(per_image(models[name]), validation["image"][:4])
    temperatures = {name: _temperature(per_image(model), data) for name, model in models.items()}
    views: list[Callable[[nnx.Module], nnx.Module]] = [lambda model: model, guided]
    ordinary, guided_ones = (
        _join({name: view(model) for name, model in models.items()}, temperatures) for view in views
    )
    identity = [settings, data.identity, config.augmentation]
    return Classifiers(ordinary, guided_ones, temperatures, identity)


def _join(models: dict[str, nnx.Module], temperatures: dict[str, float]) -> dict[str, Classifier]:
    members = {name: calibrated(per_image(model), temperatures[name]) for name, model in models.items()}
    return {**members, "ensemble": ensemble([members["plain"], members["robust"]])}


def _fit_to_data(settings: SupervisedConfig, data: Data, normalisation: Arrays) -> SupervisedConfig:
    return dataclasses.replace(
        settings,
        num_classes=len(data.class_names),
        in_channels=len(normalisation["mean"]),
        mean=tuple(normalisation["mean"].tolist()),
        std=tuple(normalisation["std"].tolist()),
    )


def _normalisation(data: Data) -> Arrays:
    """Mean and standard deviation of each channel over the training images, rounded so that they name themselves."""
    images = data.part("train")["image"]
    axes = (0, 1, 2)
    return {"mean": images.mean(axes, np.float64).round(4), "std": images.std(axes, np.float64).round(4)}


def _temperature(classifier: Classifier, data: Data) -> float:
    part = data.part("temperature")
    logits = map_examples(classify, classifier, part["image"], batch_size=256)
    return fit_temperature(jnp.asarray(logits), jnp.asarray(part["label"]))


def classify(classifier: Classifier, image: Array) -> Array:
    """The logits of one image; a named function, so that it compiles once."""
    return classifier(image)


def _augmentation(config: Config) -> Callable[..., np.ndarray] | None:
    if config.augmentation == "none":
        return None
    return compose(random_flip("horizontal"), random_crop(padding=config.image_size // 16))
