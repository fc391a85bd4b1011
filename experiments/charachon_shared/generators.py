"""The generators that both experiments train, each kept by what it depends on and checked."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float

from cfx_jax.counterfactuals import SimilarAdversarial, naive_adversarial, similar_adversarial
from cfx_jax.diagnosis import Finding, GeneratorAnswers, diagnose_generators, generator_answers
from cfx_jax.models import generator_of, per_image
from experiments.charachon_shared.augmentation import training_augmentation
from experiments.charachon_shared.setup import Setup
from experiments.shared import notify, run_training, with_image_shape
from trainers import Trainer, mask_generator
from trainers import similar_adversarial as pair_trainer

_CHECKED = 512  # validation images on which generators are checked


class PairGenerator(NamedTuple):
    """Trained generators of a similar and an adversarial image.

    Attributes:
        name: what tables call it.
        explain: one image -> ``SimilarAdversarial``, a pytree.
        answers: the measures of the pairs on validation images.
        findings: the faults of these answers; empty where there are none.
        identity: what the weights depend on.
    """

    name: str
    explain: Callable[[Float[Array, "h w c"]], SimilarAdversarial]
    answers: GeneratorAnswers
    findings: tuple[Finding, ...]
    identity: object

    @property
    def remarks(self) -> str:
        """The findings in a word each, for a table."""
        return ", ".join(dict.fromkeys(finding.name for finding in self.findings)) or "none"


class MaskMaker(NamedTuple):
    """A trained Mask Generator.

    Attributes:
        explain: one image -> mask (h, w, 1), 1 where the classifier needs the image; a pytree.
        identity: what the weights depend on.
    """

    explain: Callable[[Float[Array, "h w c"]], Float[Array, "h w 1"]]
    identity: object


def train_similar_adversarial(
    name: str, settings: pair_trainer.Config, setup: Setup[Any]
) -> PairGenerator:
    """Trains a generator of pairs, or reads it from the workspace, and checks it.

    Args:
        name: what tables call it.
        settings: the settings of the training; channels are set by the images.
        setup: the images and the classifier.
    """
    model, identity = train_generators(
        pair_trainer.TRAINER, settings, setup, stage="similar_adversarial", name=name
    )
    method = naive_adversarial if settings.generator == "naive" else similar_adversarial
    return check_pairs(name, Partial(method, generator_of(model)), identity, setup)


def train_mask_generator(setup: Setup[Any]) -> MaskMaker:
    """Trains the Mask Generator on the classifier's own encoder, or reads it from the workspace.

    Raises:
        InputError: the classifier is no residual network.
    """
    settings = setup.config.mask_generator
    model, identity = train_generators(
        mask_generator.TRAINER,
        settings,
        setup,
        stage="mask_generator",
        name="Mask Generator",
        encoder=setup.network.model,
    )
    return MaskMaker(per_image(model), identity)


def train_generators(
    trainer: Trainer[Any],
    settings: Any,
    setup: Setup[Any],
    *,
    stage: str,
    name: str,
    **networks: Any,
) -> tuple[Any, object]:
    """Trains generators for the frozen classifier, or reads them from the workspace.

    Args:
        trainer: one of ``trainers``.
        settings: the trainer's configuration; size and channels are set by the images.
        setup: the images, the classifier and the augmentation.
        stage: the name of the stage in the workspace.
        name: what tables call the generators.
        networks: further networks that the trainer is given.

    Returns:
        What the trainer returns, and what its weights depend on.

    Raises:
        InputError: as the trainer.
    """
    config, data, network, workspace = setup
    settings = with_image_shape(settings, data.validation.shape)
    identity = [settings, network.identity, config.augmentation]
    trained = run_training(
        name,
        trainer,
        settings,
        data.train.source,
        data.train.indices,
        {"image": data.validation.arrays["image"]},
        workspace.folder(stage, identity),
        classifier=network.classifier,
        augment=training_augmentation(config),
        **networks,
    )
    return trained, identity


def check_pairs(
    name: str,
    explain: Callable[[Float[Array, "h w c"]], SimilarAdversarial],
    identity: object,
    setup: Setup[Any],
) -> PairGenerator:
    """Measures a generator of pairs on validation images, and prints its faults.

    A fault stops nothing.

    Args:
        name: what tables call it.
        explain: one image -> ``SimilarAdversarial``, a pytree.
        identity: what its weights depend on.
        setup: the images and the classifier.
    """
    config, data, network, workspace = setup

    def measure() -> dict[str, np.ndarray]:
        images = data.validation.arrays["image"][:_CHECKED]
        return generator_answers(
            explain, network.classifier, images, batch_size=config.batch_size
        )._asdict()

    depends = [identity, data.validation.identity]
    answers = GeneratorAnswers(**workspace.cached(f"answers {name}", depends, measure))
    findings = diagnose_generators(answers)
    for finding in findings:
        notify(f"{name}: {finding.severity}: {finding.message}")
    return PairGenerator(name, explain, answers, findings, identity)
