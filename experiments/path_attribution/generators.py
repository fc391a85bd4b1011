"""The generators of SyCE and CyCE and the pairs of images that they make; and the adversary.

The adversary is independent: its images overwrite regions, and no explanation is made from it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jax.tree_util import Partial
from jaxtyping import Float, Int

from cfx_jax.counterfactuals import SimilarAdversarial, cyce, syce
from cfx_jax.counterfactuals import fixed_point as fixed_point_counterfactual
from cfx_jax.models import Generator, generator_of, translation_of
from cfx_jax.parallel import apply_to_examples
from experiments.charachon_shared import PairGenerator, Setup, check_pairs, train_generators
from experiments.path_attribution.config import FaithfulnessConfig
from experiments.path_attribution.explained_images import Explained
from experiments.shared import Arrays, Classifier, decisions, notify
from trainers import cycle, fixed_point

ADVERSARY = "adversary"  # what tables call it
_NAMES = {"syce": "SyCE", "cyce": "CyCE"}  # what tables call the methods of the trainer
_METHODS: dict[str, Callable[..., SimilarAdversarial]] = {"syce": syce, "cyce": cyce}


class CycleGenerators(NamedTuple):
    """A generator for each class that the classifier decides on.

    Attributes:
        pair: the explanation that they make, and what is wrong with it.
        parts: g_0 and g_1; g_c turns over what is decided c.
    """

    pair: PairGenerator
    parts: tuple[Generator, Generator]


class Pairs(NamedTuple):
    """The ends of the paths of many images, each (n, h, w, c) in [0, 1].

    Attributes:
        similar: x_s, or the image itself where a method has no other.
        adversarial: x_a.
    """

    similar: Float[np.ndarray, "n h w c"]
    adversarial: Float[np.ndarray, "n h w c"]


class Turned(NamedTuple):
    """The images that the adversary turns over.

    Attributes:
        share: the share of turned images among all.
        kept: the rows on which curves are measured.
        too_few: why nothing can be measured by overwriting, in a sentence; empty where it can.
    """

    share: float
    kept: Int[np.ndarray, " m"]
    too_few: str = ""


def train_cycle(settings: cycle.Config, setup: Setup[Any]) -> CycleGenerators:
    """Trains the generators of SyCE or CyCE, or reads them from the workspace, and checks them.

    Args:
        settings: the settings of the training; size and channels are set by the images.
        setup: the images and the classifier, whose decisions group the images.

    Raises:
        InputError: as ``trainers.train``.
    """
    method = settings.method
    trained, identity = train_generators(
        cycle.TRAINER, settings, setup, stage=method, name=_NAMES[method]
    )
    parts = generator_of(trained[0]), generator_of(trained[1])
    explain = Partial(_METHODS[method], parts, setup.network.classifier)
    return CycleGenerators(check_pairs(_NAMES[method], explain, identity, setup), parts)


def make_pairs(generator: PairGenerator, explained: Explained, setup: Setup[Any]) -> Pairs:
    """Makes the pairs of the explained images: (x_s, x_a), or (x, x_a) where there is no x_s."""

    def make() -> Arrays:
        images, batch_size = explained.images.arrays["image"], setup.config.batch_size
        return apply_to_examples(generator.explain, images, batch_size=batch_size)._asdict()

    depends = [generator.identity, explained.images.identity]
    return Pairs(**setup.workspace.cached(f"pairs {generator.name}", depends, make))


def train_adversary(setup: Setup[Any]) -> PairGenerator:
    """Trains the adversary, or reads it from the workspace, and checks it.

    Raises:
        InputError: as ``trainers.train``.
    """
    translator, identity = train_generators(
        fixed_point.TRAINER, setup.config.adversary, setup, stage="fixed_point", name=ADVERSARY
    )
    explain = Partial(
        fixed_point_counterfactual, translation_of(translator), setup.network.classifier
    )
    return check_pairs(ADVERSARY, explain, identity, setup)


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
        notify(f"{ADVERSARY}: {too_few}")
        return Turned(share, np.flatnonzero(turned), too_few)
    left = int((~turned).sum())
    if left:
        what = "are left out" if drop else "stay in, although their curves cannot fall"
        notify(
            f"{ADVERSARY}: the decision on {left} of {len(turned)} images is not turned over; they"
            f" {what}"
        )
    return Turned(share, np.flatnonzero(turned) if drop else np.arange(len(turned)))
