"""The generators of SyCE and CyCE, trained and checked; and the pairs of images that they make."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jax.tree_util import Partial
from jaxtyping import Float

from cfx_jax.counterfactuals import SimilarAdversarial, cyce, syce
from cfx_jax.models import Generator, generator_of
from cfx_jax.parallel import apply_to_examples
from experiments.charachon_shared import PairGenerator, Setup, check_pairs, train_generators
from experiments.path_attribution.explained_images import Explained
from experiments.shared import Arrays
from trainers import cycle

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


def train_cycle(settings: cycle.Config, setup: Setup[Any]) -> CycleGenerators:
    """Trains the generators of SyCE or CyCE, or reads them from the workspace, and checks them.

    Args:
        settings: of the training; size and channels are set by the images.
        setup: the images and the classifier, whose decisions group the images.

    Raises:
        InputError: as ``trainers.train``.
    """
    images, method = setup.data.validation.arrays["image"], settings.method
    settings = dataclasses.replace(settings, size=images.shape[1:3], in_channels=images.shape[-1])
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
