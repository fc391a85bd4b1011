"""The classifiers: a plain and a robust network, each calibrated, and their ensemble."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx

from cfx_jax.data import color_jitter, compose, random_affine, random_crop, random_flip, sometimes
from cfx_jax.diagnosis import check_diagnosis
from cfx_jax.metrics import fit_temperature
from cfx_jax.models import calibrated, ensemble, guided, per_image
from cfx_jax.objectives import Classifier
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.image_set import predict
from experiments.normalisation import fit_to_images
from experiments.stages import Workspace
from trainers import classifier as plain_trainer
from trainers import trades
from trainers.supervised import SupervisedConfig

NAMES = ("plain", "robust", "ensemble")


class Classifiers(NamedTuple):
    """Classifiers by name (plain, robust, ensemble).

    Attributes:
        ordinary: calibrated.
        guided: the same with every ReLU guided.
        stem_guided: the same with only the stem's ReLU guided, as the released script has it.
        temperatures: of the two networks.
        identity: what the weights depend on.
    """

    ordinary: dict[str, Classifier]
    guided: dict[str, Classifier]
    stem_guided: dict[str, Classifier]
    temperatures: dict[str, float]
    identity: object


def train(config: Config, data: Data, workspace: Workspace) -> Classifiers:
    """Trains, or reads from the workspace, both networks, and calibrates each on its own split."""
    training = _Training(config, data, workspace)
    models = {"plain": training.run("plain", plain_trainer, config.plain)}
    if config.fine_tune:
        models["plain"] = training.run("fine-tuned", plain_trainer, config.fine_tuning, start=models["plain"])
    models["robust"] = training.run("robust", trades, config.robust)
    temperatures = {name: _temperature(model, data) for name, model in models.items()}
    identity = [config.plain, config.fine_tune and config.fine_tuning, config.robust, *training.depends]
    return Classifiers(
        ordinary=_join(models, temperatures),
        guided=_join({name: guided(model) for name, model in models.items()}, temperatures),
        stem_guided=_join({name: guided(model, part="stem") for name, model in models.items()}, temperatures),
        temperatures=temperatures,
        identity=identity,
    )


class _Training(NamedTuple):
    """What all trainings share."""

    config: Config
    data: Data
    workspace: Workspace

    @property
    def depends(self) -> list[object]:
        return [self.data.train.identity, self.data.validation.identity, self.config.augmentation]

    def run(self, name: str, trainer: Any, chosen: SupervisedConfig, *, start: nnx.Module | None = None) -> nnx.Module:
        """One training; ``start`` is the model of the one before, whose settings belong to this one's name too."""
        images = self.data.train
        settings = fit_to_images(chosen, images, self.workspace)
        before = None if start is None else self.config.plain
        folder = self.workspace.folder(name, [settings, before, *self.depends])
        print(f"{name} classifier: {settings.num_steps} steps in {folder}", flush=True)
        validation, augment = self.data.validation.arrays, augmentation(self.config)
        model = trainer.train(settings, images.source, images.indices, validation, folder, start=start, augment=augment)
        check_diagnosis(per_image(model), validation["image"][:4])
        return model


def _join(models: dict[str, nnx.Module], temperatures: dict[str, float]) -> dict[str, Classifier]:
    members = {name: calibrated(per_image(model), temperatures[name]) for name, model in models.items()}
    return {**members, "ensemble": ensemble([members["plain"], members["robust"]])}


def _temperature(model: nnx.Module, data: Data) -> float:
    return fit_temperature(
        jnp.asarray(predict(per_image(model), data.temperature)), jnp.asarray(data.temperature.labels)
    )


def augmentation(config: Config) -> Callable[..., np.ndarray] | None:
    """The augmentation that the configuration names, for its image size."""
    if config.augmentation == "none":
        return None
    if config.augmentation == "light":
        return compose(random_flip("horizontal"), random_crop(padding=config.image_size // 16))
    everything = compose(
        random_crop(padding=round(config.image_size * 33 / 224)),
        color_jitter(brightness=(0.5, 0.9), contrast=(0.5, 2.5), saturation=(0.5, 1.5), hue=0.15),
        random_flip("horizontal"),
        random_flip("vertical"),
        random_affine(degrees=15, translate=0.048),
    )
    return sometimes(everything, probability=0.9)
