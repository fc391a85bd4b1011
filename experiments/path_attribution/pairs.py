"""The pairs of images that generators make of the explained images."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.callables import call
from cfx_jax.parallel import map_examples
from experiments.charachon.generators import PairGenerator
from experiments.path_attribution.explained import Explained
from experiments.shared.stages import Arrays, Workspace


class Pairs(NamedTuple):
    """The ends of the paths of many images, each (n, h, w, c) in [0, 1].

    Attributes:
        similar: x_s, or the image itself where a method has no other.
        adversarial: x_a.
    """

    similar: Float[np.ndarray, "n h w c"]
    adversarial: Float[np.ndarray, "n h w c"]


def pairs_of(
    generator: PairGenerator, explained: Explained, *, batch_size: int, workspace: Workspace
) -> Pairs:
    """The pairs of the explained images: (x_s, x_a), or (x, x_a) where a method has no x_s of its
    own.
    """

    def make() -> Arrays:
        return map_examples(
            call, generator.explain, explained.images.arrays["image"], batch_size=batch_size
        )._asdict()

    return Pairs(
        **workspace.cached(
            f"pairs {generator.name}", [generator.identity, explained.images.identity], make
        )
    )
