"""The generators of SyCE and CyCE, trained and checked."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jax.tree_util import Partial

from cfx_jax.counterfactuals import SimilarAdversarial, cyce, syce
from cfx_jax.models import generator_of
from cfx_jax.models.generator_views import Generator
from experiments.generation.augmentation import training_augmentation
from experiments.generation.classifier import Network
from experiments.generation.epochs import by_steps, counted_in_epochs
from experiments.generation.generators import PairGenerator, check_pairs
from experiments.generation.images import Data
from experiments.path_attribution.config import Config
from experiments.stages import Arrays, Workspace
from trainers import cycle
from trainers.decisions import decide_source

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
    """Trains the generators of SyCE or CyCE, or reads them from the workspace, and prints what is wrong with them.

    Args:
        settings: of the training; its method is what tables call it, size and channels are set by the images, and lengths
            of 0 steps by the number of those of the rarer decision.
        config: names the augmentation and the epochs.
        data: the images.
        network: the classifier, frozen; its decisions group the images.
        workspace: keeps the weights.

    Raises:
        InputError: as ``trainers.cycle.train``.
    """
    images, name = data.validation.arrays["image"], NAMES[settings.method]
    settings = dataclasses.replace(settings, size=images.shape[1:3], in_channels=images.shape[-1])
    if counted_in_epochs(settings):
        # As released: an epoch ends with the images of the rarer decision.
        epoch = _rarer_decision(settings, data, network, workspace) // settings.batch_size
        settings = by_steps(settings, epochs=config.cycle_epochs, steps_per_epoch=epoch)
    identity = [settings, network.identity, config.augmentation]
    folder = workspace.folder(settings.method, identity)
    print(f"{name}: {settings.num_steps} steps in {folder}", flush=True)
    trained = cycle.train(
        settings,
        network.classifier,
        data.train.source,
        data.train.indices,
        {"image": images},
        folder,
        augment=training_augmentation(config),
    )
    parts = generator_of(trained[0]), generator_of(trained[1])
    explain = Partial(_METHODS[settings.method], parts, network.classifier)
    return CycleGenerators(check_pairs(name, explain, identity, config, data, network, workspace), parts)


def _rarer_decision(settings: cycle.Config, data: Data, network: Network, workspace: Workspace) -> int:
    """How many training images have the decision that fewer have."""

    def decide() -> Arrays:
        decisions = decide_source(
            network.classifier, data.train.source, data.train.indices, batch_size=settings.eval_batch_size
        )
        return {"counts": np.bincount(decisions, minlength=2)}

    found = workspace.cached("decisions", [network.identity, data.train.identity], decide)
    return int(found["counts"].min())
