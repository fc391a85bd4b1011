"""The classifiers: a plain and a robust network, each calibrated, and their ensemble."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
from flax import nnx

from cfx_jax.metrics import balanced_accuracy, fit_temperature, temperature_at_edge
from cfx_jax.models import calibrated, ensemble, guided, per_image
from experiments.fundus_vce.setup import Setup
from experiments.shared import (
    Classifier,
    ImageSet,
    decisions,
    fit_to_images,
    notify,
    predict,
    train_network,
)
from trainers import SupervisedConfig, trades, weights_digest
from trainers import classifier as plain_trainer

NAMES = ("plain", "robust", "ensemble")


class Classifiers(NamedTuple):
    """Classifiers by name (plain, robust, ensemble).

    Attributes:
        ordinary: the calibrated classifiers.
        guided: the classifiers with every ReLU guided.
        stem_guided: the classifiers with the stem's ReLU alone guided, as in the released script.
        temperatures: the temperatures of the two networks.
        validation: for each training of the plain network, by name, the balanced accuracy on the
            validation images; the training with the highest one was taken. It is empty where there
            was nothing to choose.
        settings: the trainings as they were run, by the names of the configuration's fields.
        identity: what the weights depend on.
    """

    ordinary: dict[str, Classifier]
    guided: dict[str, Classifier]
    stem_guided: dict[str, Classifier]
    temperatures: dict[str, float]
    validation: dict[str, float]
    settings: dict[str, Any]
    identity: object


def train(setup: Setup) -> Classifiers:
    """Trains, or reads from the workspace, both networks, and calibrates each on its own split."""
    config, training = setup.config, _Training(setup)
    plain, validation = _train_plain(training)
    models = {"plain": plain, "robust": training.run("robust", trades.TRAINER, config.robust)}
    temperatures = {name: _temperature(setup, name, model) for name, model in models.items()}
    guided_models = {name: guided(model) for name, model in models.items()}
    stem_guided = {name: guided(model, part="stem") for name, model in models.items()}
    plain_settings = [config.plain, config.fine_tune and config.fine_tuning, config.plain_weights]
    return Classifiers(
        ordinary=_join(models, temperatures),
        guided=_join(guided_models, temperatures),
        stem_guided=_join(stem_guided, temperatures),
        temperatures=temperatures,
        validation=validation,
        settings={
            field: training.fitted(getattr(config, field))
            for field in ("plain", "fine_tuning", "robust")
        },
        identity=[plain_settings, config.robust, *training.depends],
    )


class _Training(NamedTuple):
    """The trainings of both networks on the same images."""

    setup: Setup

    @property
    def depends(self) -> list[object]:
        """Everything that weights depend on, beside the settings of a training."""
        config, data, _ = self.setup
        trainings = (config.plain, config.robust)
        return [
            data.train.identity,
            data.validation.identity,
            config.augmentation,
            [weights_digest(training.weights) for training in trainings],
        ]

    def fitted(self, settings: SupervisedConfig) -> SupervisedConfig:
        """A training's settings with what the training images decide."""
        return fit_to_images(settings, self.setup.data.train, self.setup.workspace)

    def run(
        self, name: str, trainer: Any, chosen: SupervisedConfig, *, start: nnx.Module | None = None
    ) -> nnx.Module:
        """Trains one of the networks.

        Args:
            name: the name of the stage.
            trainer: the trainer, such as ``trades.TRAINER``.
            chosen: the settings of the training, before the images decide the rest.
            start: the trained network to start from; its settings become part of the name of the
                stage's folder. None starts from new weights.
        """
        config, data, workspace = self.setup
        settings = self.fitted(chosen)
        before = None if start is None else config.plain
        folder = workspace.folder(name, [settings, before, *self.depends])
        return train_network(
            f"{name} classifier",
            trainer,
            settings,
            data.train,
            data.validation,
            folder,
            start=start,
            augment=self.setup.augment,
        )


def _train_plain(training: _Training) -> tuple[nnx.Module, dict[str, float]]:
    """The plain network, and the validation scores by which it was chosen."""
    config = training.setup.config
    first = training.run("plain", plain_trainer.TRAINER, config.plain)
    if not config.fine_tune:
        return first, {}
    if config.plain_weights == "last":
        released = dataclasses.replace(config.fine_tuning, select="none")
        return training.run("fine-tuned", plain_trainer.TRAINER, released, start=first), {}
    second = training.run("fine-tuned", plain_trainer.TRAINER, config.fine_tuning, start=first)
    models, images = {"first": first, "fine-tuned": second}, training.setup.data.validation
    scores = {name: _balanced_accuracy(model, images) for name, model in models.items()}
    return models[best_training(scores)], scores


def best_training(scores: Mapping[str, float]) -> str:
    """The training of highest score; the earlier one of several alike, as within a training."""
    return max(scores, key=lambda name: scores[name])


def _balanced_accuracy(model: nnx.Module, images: ImageSet) -> float:
    decided = decisions(predict(per_image(model), images))
    return balanced_accuracy(decided == images.labels, images.labels)


def _join(models: dict[str, nnx.Module], temperatures: dict[str, float]) -> dict[str, Classifier]:
    """The calibrated networks and their ensemble."""
    members = {
        name: calibrated(per_image(model), temperatures[name]) for name, model in models.items()
    }
    return {**members, "ensemble": ensemble([members["plain"], members["robust"]])}


def _temperature(setup: Setup, name: str, model: nnx.Module) -> float:
    """The temperature that calibrates a network."""
    images, method = setup.data.temperature, setup.config.calibration
    logits = jnp.asarray(predict(per_image(model), images))
    with warnings.catch_warnings():  # it is warned of below, with the network's name
        warnings.filterwarnings("ignore", message="fit_temperature")
        value = fit_temperature(logits, jnp.asarray(images.labels), method=method)
    warn_at_edge(name, value, len(images), method=method)
    return value


def warn_at_edge(
    name: str, temperature: float, num_images: int, *, method: Literal["ece", "likelihood"]
) -> None:
    """Warns of a temperature at an end of what ``fit_temperature`` searches."""
    if temperature_at_edge(temperature, method=method):
        notify(
            f"warning: the temperature of the {name} network, {temperature:.3g}, is at the edge of"
            f" its grid: {num_images} calibration images do not determine it; its probabilities,"
            " robust accuracy and counterfactuals may mislead"
        )
