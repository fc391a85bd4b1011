"""The independent adversary, whose images overwrite regions: no explanation is made from it."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from jax.tree_util import Partial
from jaxtyping import Float, Int

from cfx_jax.counterfactuals import fixed_point
from cfx_jax.models import translation_of
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import apply_to_examples
from experiments.charachon_shared import PairGenerator, Setup, check_pairs, train_generators
from experiments.path_attribution.config import FaithfulnessConfig
from experiments.shared import decisions, notify
from trainers import fixed_point as trainer

NAME = "adversary"


class Turned(NamedTuple):
    """The images that the adversary turns over.

    Attributes:
        share: of all of them.
        kept: the rows on which curves are measured.
        too_few: why nothing can be measured by overwriting, in a sentence; empty where it can.
    """

    share: float
    kept: Int[np.ndarray, " m"]
    too_few: str = ""


def train_adversary(setup: Setup[Any]) -> PairGenerator:
    """Trains the adversary, or reads it from the workspace, and checks it.

    Raises:
        InputError: as ``trainers.train``.
    """
    images = setup.data.validation.arrays["image"]
    settings = dataclasses.replace(
        setup.config.adversary, size=images.shape[1:3], in_channels=images.shape[-1]
    )
    translator, identity = train_generators(
        trainer.TRAINER, settings, setup, stage="fixed_point", name=NAME
    )
    explain = Partial(fixed_point, translation_of(translator), setup.network.classifier)
    return check_pairs(NAME, explain, identity, setup)


def find_turned(
    settings: FaithfulnessConfig,
    classifier: Classifier,
    others: Float[np.ndarray, "n h w c"],
    predicted: Int[np.ndarray, " n"],
    batch_size: int,
) -> Turned:
    """Finds the images whose adversary has the other decision, and says so where they are too few.

    Without such an adversary a curve cannot fall.

    Args:
        settings: how many there must be, and what becomes of the rest.
        classifier: one image -> two logits.
        others: the adversary of each image.
        predicted: the decision on each image.
        batch_size: images classified at once.
    """
    logits = apply_to_examples(classifier, others, batch_size=batch_size)
    turned = decisions(logits) != predicted
    share, drop = float(turned.mean()), settings.unturned == "drop"
    too_weak = share < settings.least_turned
    if too_weak or (drop and turned.sum() < 2):
        least = f"{settings.least_turned:.0%}" if too_weak else "two"
        too_few = (
            f"The independent adversary turns over the decision on {share:.0%} of the {len(turned)}"
            f" images that are overwritten, fewer than {least}: relevance scores and AOPC are left"
            " out. Train it longer (--adversary.run.num-steps), raise the price of its classifier"
            " term (--adversary.weights.decision), or accept fewer by --faithfulness.least-turned."
        )
        notify(f"{NAME}: {too_few}")
        return Turned(share, np.flatnonzero(turned), too_few)
    left = int((~turned).sum())
    if left:
        what = "are left out" if drop else "stay in, although their curves cannot fall"
        notify(
            f"{NAME}: the decision on {left} of {len(turned)} images is not turned over; they"
            f" {what}"
        )
    return Turned(share, np.flatnonzero(turned) if drop else np.arange(len(turned)))
