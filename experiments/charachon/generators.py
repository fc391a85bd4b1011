"""The generators that both experiments train, each kept by what it depends on, and what is wrong
with them.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float

from cfx_jax.counterfactuals import SimilarAdversarial, naive_adversarial, similar_adversarial
from cfx_jax.diagnosis import Finding, GeneratorAnswers, diagnose_generators, generator_answers
from cfx_jax.models import generator_of, per_image
from experiments.charachon.augmentation import training_augmentation
from experiments.charachon.classifier import Network
from experiments.charachon.config import GenerationConfig
from experiments.charachon.images import Data
from experiments.shared import notify
from experiments.shared.stages import Workspace
from trainers import describe_length, train
from trainers import mask_generator as mask_trainer
from trainers import similar_adversarial as pair_trainer

_CHECKED = 512  # validation images on which generators are checked


class PairGenerator(NamedTuple):
    """Trained generators of a similar and an adversarial image.

    Attributes:
        name: what tables call it.
        explain: one image -> ``SimilarAdversarial``, a pytree.
        answers: what the pairs reach on validation images.
        findings: what is wrong with that; empty where all is well.
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
    name: str,
    settings: pair_trainer.Config,
    config: GenerationConfig,
    data: Data,
    network: Network,
    workspace: Workspace,
) -> PairGenerator:
    """Trains a pair of generators, or reads it from the workspace, and prints what is wrong with
    it.

    Args:
        name: what tables call it.
        settings: of the training; channels are set by the images.
        config: names the augmentation.
        data: the images.
        network: the classifier, frozen.
        workspace: keeps the weights.
    """
    settings = dataclasses.replace(settings, in_channels=data.validation.arrays["image"].shape[-1])
    identity = [settings, network.identity, config.augmentation]
    folder = workspace.folder("similar_adversarial", identity)
    print(f"{name}: {describe_length(settings.run)} in {folder}", flush=True)
    validation = {"image": data.validation.arrays["image"]}
    model = train(
        pair_trainer.TRAINER,
        settings,
        data.train.source,
        data.train.indices,
        validation,
        folder,
        classifier=network.classifier,
        augment=training_augmentation(config),
    )
    method = naive_adversarial if settings.generator == "naive" else similar_adversarial
    return check_pairs(
        name, Partial(method, generator_of(model)), identity, config, data, network, workspace
    )


def check_pairs(
    name: str,
    explain: Callable[[Float[Array, "h w c"]], SimilarAdversarial],
    identity: object,
    config: GenerationConfig,
    data: Data,
    network: Network,
    workspace: Workspace,
) -> PairGenerator:
    """Measures any pair generator on validation images and prints what is wrong with it; nothing is
    stopped.

    Args:
        name: what tables call it.
        explain: one image -> ``SimilarAdversarial``, a pytree.
        identity: what its weights depend on.
        config: how many images are computed at once.
        data: the images.
        network: the classifier.
        workspace: keeps the answers.
    """

    def measure() -> dict[str, np.ndarray]:
        images = data.validation.arrays["image"][:_CHECKED]
        return generator_answers(
            explain, network.classifier, images, batch_size=config.batch_size
        )._asdict()

    answers = GeneratorAnswers(
        **workspace.cached(f"answers {name}", [identity, data.validation.identity], measure)
    )
    findings = diagnose_generators(answers)
    for finding in findings:
        notify(f"{name}: {finding.severity}: {finding.message}")
    return PairGenerator(name, explain, answers, findings, identity)


def train_mask_generator(
    config: GenerationConfig, data: Data, network: Network, workspace: Workspace
) -> MaskMaker:
    """Trains the Mask Generator on the classifier's own encoder, or reads it from the workspace.

    Raises:
        InputError: the classifier is no residual network.
    """
    settings = config.mask_generator
    identity = [settings, network.identity, config.augmentation]
    folder = workspace.folder("mask_generator", identity)
    print(f"Mask Generator: {settings.run.num_steps} steps in {folder}", flush=True)
    model = train(
        mask_trainer.TRAINER,
        settings,
        data.train.source,
        data.train.indices,
        {"image": data.validation.arrays["image"]},
        folder,
        classifier=network.classifier,
        encoder=network.model,
        augment=training_augmentation(config),
    )
    return MaskMaker(per_image(model), identity)
