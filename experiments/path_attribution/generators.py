"""The generators of SyCE and CyCE, trained and checked."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from jax.tree_util import Partial

from cfx_jax.counterfactuals import SimilarAdversarial, cyce, syce
from cfx_jax.models import Generator, generator_of
from experiments.charachon.augmentation import training_augmentation
from experiments.charachon.classifier import Network
from experiments.charachon.generators import PairGenerator, check_pairs
from experiments.charachon.images import Data
from experiments.path_attribution.config import Config
from experiments.shared.stages import Workspace
from trainers import cycle, describe_length, train

NAMES = {"syce": "SyCE", "cyce": "CyCE"}
"""What tables call the methods of ``trainers.cycle``."""
_METHODS: dict[str, Callable[..., SimilarAdversarial]] = {"syce": syce, "cyce": cyce}


class CycleGenerators(NamedTuple):
    """A generator for each class that the classifier decides on.

    Attributes:
        pair: the explanation that they make, and what is wrong with it.
        parts: g_0 and g_1; g_c turns over what is decided c.
    """

    pair: PairGenerator
    parts: tuple[Generator, Generator]


def train_cycle(
    settings: cycle.Config, config: Config, data: Data, network: Network, workspace: Workspace
) -> CycleGenerators:
    """Trains the generators of SyCE or CyCE, or reads them from the workspace, and prints what is
    wrong with them.

    Args:
        settings: of the training; its method is what tables call it, size and channels are set by
            the images.
        config: names the augmentation.
        data: the images.
        network: the classifier, frozen; its decisions group the images.
        workspace: keeps the weights.

    Raises:
        InputError: as ``trainers.train``.
    """
    images, name = data.validation.arrays["image"], NAMES[settings.method]
    settings = dataclasses.replace(settings, size=images.shape[1:3], in_channels=images.shape[-1])
    identity = [settings, network.identity, config.augmentation]
    folder = workspace.folder(settings.method, identity)
    print(f"{name}: {describe_length(settings.run)} in {folder}", flush=True)
    trained = train(
        cycle.TRAINER,
        settings,
        data.train.source,
        data.train.indices,
        {"image": images},
        folder,
        classifier=network.classifier,
        augment=training_augmentation(config),
    )
    parts = generator_of(trained[0]), generator_of(trained[1])
    explain = Partial(_METHODS[settings.method], parts, network.classifier)
    return CycleGenerators(
        check_pairs(name, explain, identity, config, data, network, workspace), parts
    )
