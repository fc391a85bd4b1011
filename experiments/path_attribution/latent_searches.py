"""Searches in the latent of an autoencoder for one image, and the map by which ACAT attends.

Latent counterfactuals and the attention of ACAT (Fontanella et al. 2023, equations 3 and 4 and
section 3.2), and latent shift (Cohen et al. 2021). The reconstruction of the image is x_s, the
counterfactual x_a.

Deviation: both images are clipped to [0, 1], as images are here; all measures are taken of the
clipped images.
"""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array
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
from cfx_jax.objectives import Classifier, decision
from experiments.path_attribution.config import SearchConfig

Image = Float[Array, "h w c"]


@dataclass(frozen=True)
class CounterfactualPair:
    """The latent counterfactual that turns a decision over; hashable by value.

    Attributes:
        search: the settings of the search.
    """

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
class ShiftPair:
    """The latent shift that turns a decision over; hashable by value.

    Attributes:
        search: the settings of the other search; a shift has none.
    """

    search: SearchConfig

    def __call__(self, coder: Coder, classifier: Classifier, image: Image) -> SimilarAdversarial:
        return _as_pair(latent_shift(coder, classifier, image, 1 - decision(classifier(image))))


@dataclass(frozen=True)
class Attention:
    """ACAT's map of an image whose class is not known; hashable by value.

    Attributes:
        search: the settings of the search.
    """

    search: SearchConfig

    def __call__(self, shared: tuple[Coder, Classifier], image: Image) -> Float[Array, "h w"]:
        towards = CounterfactualPair(self.search).towards
        without, with_finding = (towards(*shared, image, target) for target in (0, 1))
        images = without.reconstruction, with_finding.image, without.image
        return channel_sum(latent_saliency(*map(jnp.asarray, images)).map)


def _as_pair(result: LatentCounterfactual | LatentShift) -> SimilarAdversarial:
    reconstruction, image = (
        jnp.clip(drawn, 0, 1) for drawn in (result.reconstruction, result.image)
    )
    return SimilarAdversarial(reconstruction, image)
