"""The pairs of images that generators make of the explained images."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.callables import call
from cfx_jax.counterfactuals import SimilarAdversarial
from cfx_jax.models.generator_views import Generator
from cfx_jax.parallel import map_examples
from experiments.generation.generators import PairGenerator
from experiments.path_attribution.explained import Explained
from experiments.path_attribution.generators import NAMES, CycleGenerators
from experiments.path_attribution.grouping import by_decision
from experiments.stages import Arrays, Workspace


class Pairs(NamedTuple):
    """The ends of the paths of many images, each (n, h, w, c) in [0, 1].

    Attributes:
        similar: x_s, or the image itself where a method has no other.
        adversarial: x_a.
    """

    similar: Float[np.ndarray, "n h w c"]
    adversarial: Float[np.ndarray, "n h w c"]


def cycle_pairs(generators: CycleGenerators, explained: Explained, *, batch_size: int, workspace: Workspace) -> Pairs:
    """The pairs of the explained images, each by the generator of its decision alone: (x_s, x_a) or (x, x_a)."""
    images, name = explained.images.arrays["image"], generators.pair.name

    def of_group(decided: int, rows: Int[np.ndarray, " m"]) -> Arrays:
        make = _twice if name == NAMES["syce"] else _once
        return _arrays(map_examples(make, generators.parts[decided], images[rows], batch_size=batch_size))

    return _cached(
        name, generators.pair.identity, explained, workspace, lambda: by_decision(explained.predicted, of_group)
    )


def pairs_of(generator: PairGenerator, explained: Explained, *, batch_size: int, workspace: Workspace) -> Pairs:
    """The pairs of the explained images by a generator that makes both."""
    images = explained.images.arrays["image"]
    return _cached(
        generator.name,
        generator.identity,
        explained,
        workspace,
        lambda: _arrays(map_examples(call, generator.explain, images, batch_size=batch_size)),
    )


def _cached(
    name: str, identity: object, explained: Explained, workspace: Workspace, compute: Callable[[], Arrays]
) -> Pairs:
    return Pairs(**workspace.cached(f"pairs {name}", [identity, explained.images.identity], compute))


def _arrays(pairs: SimilarAdversarial) -> dict[str, Any]:
    return pairs._asdict()


def _once(generate: Generator, image: Float[Array, "h w c"]) -> SimilarAdversarial:
    return SimilarAdversarial(image, generate(image))


def _twice(generate: Generator, image: Float[Array, "h w c"]) -> SimilarAdversarial:
    adversarial = generate(image)
    return SimilarAdversarial(generate(adversarial), adversarial)
