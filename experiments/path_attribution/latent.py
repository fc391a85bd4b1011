"""Explanations by searches in the latent of an autoencoder, beside the paper's generators.

Latent counterfactuals and the attention of ACAT (Fontanella et al. 2023, equations 3 and 4 and
section 3.2), and latent shift (Cohen et al. 2021), of single images. The autoencoder depends on no
classifier; a search for each image turns the decision over. The reconstruction of the image is x_s,
the counterfactual x_a, so that the same figures are computed of them as of generators.

Deviation: both images are clipped to [0, 1], as images are here; all measures are taken of the
clipped images.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float

from cfx_jax.attributions import latent_saliency
from cfx_jax.compilation import shape_of
from cfx_jax.counterfactuals import (
    LatentCounterfactual,
    LatentShift,
    SimilarAdversarial,
    latent_counterfactual,
    latent_shift,
)
from cfx_jax.generator_interfaces import Coder
from cfx_jax.maps import channel_sum
from cfx_jax.models import generator_of
from cfx_jax.objectives import Classifier, decision
from experiments.charachon_shared import (
    Method,
    PairGenerator,
    Setup,
    check_pairs,
    make_maps,
)
from experiments.path_attribution.config import LatentConfig, SearchConfig
from experiments.shared import ImageSet
from trainers import autoencoder, describe_length, train

ATTENTION = "latent attention"
NAMES = {"counterfactual": "latent counterfactual", "shift": "latent shift"}
"""The names of the searches in tables."""

Image = Float[Array, "h w c"]


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
    attention = Method(ATTENTION, _Attention(settings.search), (coder, classifier), identity)
    return LatentSearches(pairs, attention)


def _train_autoencoder(settings: LatentConfig, setup: Setup[Any]) -> tuple[Any, object]:
    """The autoencoder, trained or read from the workspace, and what its weights depend on."""
    data, config = setup.data, settings.autoencoder
    identity = [config, data.train.identity, data.validation.identity]
    folder = setup.workspace.folder("autoencoder", identity)
    print(f"autoencoder: {describe_length(config.run)} in {folder}", flush=True)
    images = {"image": data.validation.arrays["image"]}
    model = train(
        autoencoder.TRAINER, config, data.train.source, data.train.indices, images, folder
    )
    return model, identity


@dataclass(frozen=True)
class _Counterfactual:
    """The latent counterfactual that turns a decision over; hashable by value."""

    search: SearchConfig

    def __call__(self, coder: Coder, classifier: Classifier, image: Image) -> SimilarAdversarial:
        return _as_pair(self.towards(coder, classifier, image, 1 - decision(classifier(image))))

    def towards(
        self, coder: Coder, classifier: Classifier, image: Image, target: int | Array
    ) -> LatentCounterfactual:
        """The counterfactual towards a class; the penalty is in proportion to the latent's size."""
        return latent_counterfactual(
            coder,
            classifier,
            image,
            target,
            penalty=self.search.quotient * shape_of(coder.encode, image).size,
            num_steps=self.search.num_steps,
            step_size=self.search.step_size,
        )


@dataclass(frozen=True)
class _Shift:
    """The latent shift that turns a decision over; hashable by value."""

    search: SearchConfig

    def __call__(self, coder: Coder, classifier: Classifier, image: Image) -> SimilarAdversarial:
        return _as_pair(latent_shift(coder, classifier, image, 1 - decision(classifier(image))))


@dataclass(frozen=True)
class _Attention:
    """ACAT's map of an image whose class is not known; hashable by value."""

    search: SearchConfig

    def __call__(self, shared: tuple[Coder, Classifier], image: Image) -> Float[Array, "h w"]:
        towards = _Counterfactual(self.search).towards
        without, with_finding = (towards(*shared, image, target) for target in (0, 1))
        images = without.reconstruction, with_finding.image, without.image
        return channel_sum(latent_saliency(*map(jnp.asarray, images)).map)


_SEARCHES = {"counterfactual": _Counterfactual, "shift": _Shift}


def _as_pair(result: LatentCounterfactual | LatentShift) -> SimilarAdversarial:
    reconstruction, image = (
        jnp.clip(drawn, 0, 1) for drawn in (result.reconstruction, result.image)
    )
    return SimilarAdversarial(reconstruction, image)
