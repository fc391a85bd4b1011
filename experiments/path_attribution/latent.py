"""Explanations by searches in the latent of an autoencoder, beside the paper's generators.

The autoencoder depends on no classifier; a search for each image turns the decision over. Its two
images stand for x_s and x_a, so that the same figures are computed of them as of generators.
"""

from typing import Any, NamedTuple

import numpy as np
from jax.tree_util import Partial
from jaxtyping import Float

from cfx_jax.models import generator_of
from experiments.charachon_shared import Method, PairGenerator, Setup, check_pairs, make_maps
from experiments.path_attribution.config import LatentConfig
from experiments.path_attribution.latent_searches import Attention, CounterfactualPair, ShiftPair
from experiments.shared import ImageSet, run_training
from trainers import autoencoder

ATTENTION = "latent attention"
NAMES = {"counterfactual": "latent counterfactual", "shift": "latent shift"}
"""The names of the searches in tables."""

_SEARCHES = {"counterfactual": CounterfactualPair, "shift": ShiftPair}


class LatentSearches(NamedTuple):
    """The searches of a run.

    Attributes:
        pairs: one for each method that is asked for.
        attention: the map by which ACAT attends; None where no counterfactual is asked for.
    """

    pairs: tuple[PairGenerator, ...] = ()
    attention: Method | None = None

    def maps(self, images: ImageSet, setup: Setup[Any]) -> dict[str, Float[np.ndarray, "n h w"]]:
        """The maps that no pair of images gives, by name."""
        if self.attention is None:
            return {}
        return {self.attention.name: make_maps(self.attention, images, setup).values}


def prepare_searches(settings: LatentConfig, setup: Setup[Any]) -> LatentSearches:
    """Trains the autoencoder, or reads it from the workspace, and checks what the searches reach.

    Raises:
        InputError: images with colours, or as ``trainers.train``.
    """
    if not settings.methods:
        return LatentSearches()
    model, trained = _train_autoencoder(settings, setup)
    coder, classifier = generator_of(model), setup.network.classifier
    identity = [trained, setup.network.identity, settings.search]
    pairs = tuple(
        check_pairs(
            NAMES[method],
            Partial(_SEARCHES[method](settings.search), coder, classifier),
            identity,
            setup,
        )
        for method in dict.fromkeys(settings.methods)
    )
    if "counterfactual" not in settings.methods:
        return LatentSearches(pairs)
    attention = Method(ATTENTION, Attention(settings.search), (coder, classifier), identity)
    return LatentSearches(pairs, attention)


def _train_autoencoder(settings: LatentConfig, setup: Setup[Any]) -> tuple[Any, object]:
    """The autoencoder, trained or read from the workspace, and what its weights depend on."""
    data, config = setup.data, settings.autoencoder
    identity = [config, data.train.identity, data.validation.identity]
    model = run_training(
        "autoencoder",
        autoencoder.TRAINER,
        config,
        data.train.source,
        data.train.indices,
        {"image": data.validation.arrays["image"]},
        setup.workspace.folder("autoencoder", identity),
    )
    return model, identity
