"""The independent adversary, whose images overwrite regions: no explanation is made from it."""

import dataclasses
from typing import NamedTuple

import numpy as np
from jax.tree_util import Partial
from jaxtyping import Bool, Float, Int

from cfx_jax.callables import call
from cfx_jax.counterfactuals import fixed_point
from cfx_jax.models import translation_of
from cfx_jax.objectives import decision
from cfx_jax.parallel import map_examples
from experiments.charachon.augmentation import training_augmentation
from experiments.charachon.classifier import Network
from experiments.charachon.generators import PairGenerator, check_pairs
from experiments.charachon.images import Data
from experiments.path_attribution.config import Config, FaithfulnessConfig
from experiments.shared import notify
from experiments.shared.stages import Workspace
from trainers import fixed_point as trainer
from trainers import train

NAME = "adversary"


class Turned(NamedTuple):
    """Which of some images the adversary turns over.

    Attributes:
        share: of all of them.
        kept: the rows on which curves are measured.
        too_few: why nothing can be measured by overwriting, in a sentence; empty where it can.
    """

    share: float
    kept: Int[np.ndarray, " m"]
    too_few: str = ""


def train_adversary(
    config: Config, data: Data, network: Network, workspace: Workspace
) -> PairGenerator:
    """Trains the adversary, or reads it from the workspace, and prints what is wrong with it.

    Raises:
        InputError: as ``trainers.train``.
    """
    images = data.validation.arrays["image"]
    settings = dataclasses.replace(
        config.adversary, size=images.shape[1:3], in_channels=images.shape[-1]
    )
    identity = [settings, network.identity, config.augmentation]
    folder = workspace.folder("fixed_point", identity)
    print(f"{NAME}: {settings.run.num_steps} steps in {folder}", flush=True)
    translator = train(
        trainer.TRAINER,
        settings,
        data.train.source,
        data.train.indices,
        {"image": images},
        folder,
        classifier=network.classifier,
        augment=training_augmentation(config),
    )
    explain = Partial(fixed_point, translation_of(translator), network.classifier)
    return check_pairs(NAME, explain, identity, config, data, network, workspace)


def turned_over(
    settings: FaithfulnessConfig,
    network: Network,
    others: Float[np.ndarray, "n h w c"],
    predicted: Int[np.ndarray, " n"],
    *,
    batch_size: int,
) -> Turned:
    """Which images have an adversary of the other decision; without one a curve cannot fall. Says
    so where they are too few.

    Args:
        settings: how many there must be, and what becomes of the rest.
        network: the classifier.
        others: the adversary of each image.
        predicted: the decision on each image.
        batch_size: images classified at once.
    """
    logits = map_examples(call, network.classifier, others, batch_size=batch_size)
    turned = np.asarray(decision(logits)) != predicted
    share = float(turned.mean())
    too_weak = share < settings.least_turned
    least = f"{settings.least_turned:.0%}" if too_weak else "two"
    if too_weak or (settings.unturned == "drop" and turned.sum() < 2):
        too_few = (
            f"The independent adversary turns over the decision on {share:.0%} of the {len(turned)}"
            f" images that are"
            f" overwritten, fewer than {least}: relevance scores and AOPC are left out. Train it"
            f" longer"
            " (--adversary.run.num-steps), raise the price of its classifier term"
            " (--adversary.weights.decision), or accept"
            " fewer by --faithfulness.least-turned."
        )
        notify(f"{NAME}: {too_few}")
        return Turned(share, np.flatnonzero(turned), too_few)
    return Turned(share, _kept(settings, turned))


def _kept(settings: FaithfulnessConfig, turned: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    left = int((~turned).sum())
    if left:
        what = (
            "are left out"
            if settings.unturned == "drop"
            else "stay in, although their curves cannot fall"
        )
        notify(
            f"{NAME}: the decision on {left} of {len(turned)} images is not turned over; they"
            f" {what}"
        )
    return np.flatnonzero(turned) if settings.unturned == "drop" else np.arange(len(turned))
