"""Table 1's maps of pairs of generated images: the difference E, and E_FI^v1, E_FI^v2 and its
smoothed version on a path between the two (Charachon et al. 2021, equations 4 to 6).

The straight path is the paper's. The path of the generator's own images, from x_s to x_a, is what
its footnote 3 leaves aside; it exists for SyCE (``counterfactuals.syce_latent_path``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.attributions import PathAttribution, path_attribution, path_attribution_along
from cfx_jax.maps import channel_sum
from cfx_jax.models import Generator
from cfx_jax.objectives import Classifier, class_score
from cfx_jax.parallel import map_examples
from experiments.path_attribution.grouping import by_decision
from experiments.path_attribution.pairs import Pairs
from experiments.path_attribution.published import VARIANTS

_SIGMA_AT_224 = 2.0  # standard deviation of the paper's smoothing in pixels, at its 224 x 224
OWN_PATH = "own path"


class PathMaps(NamedTuple):
    """The maps of one set of pairs.

    Attributes:
        maps: by variant, (n, h, w), at least 0; on the own path without E, which does not depend on
            the path.
        residual: how far the path integral of each image is from the change of the score, (n,), in
            probability.
        change: that change, the score of class 1 at the path's end less that at its start, (n,).
    """

    maps: Mapping[str, Float[np.ndarray, "n h w"]]
    residual: Float[np.ndarray, " n"]
    change: Float[np.ndarray, " n"]

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> "PathMaps":
        """From what ``straight`` and ``along_own_path`` compute."""
        return cls(
            {each: arrays[each] for each in VARIANTS if each in arrays},
            arrays["residual"],
            arrays["change"],
        )


def sigma_of(image_size: int) -> float:
    """The standard deviation of the smoothing in pixels: the paper's 2 at 224 pixels, scaled with
    the image.
    """
    return _SIGMA_AT_224 * image_size / 224


def straight(
    classifier: Classifier,
    pairs: Pairs,
    *,
    num_nodes: int,
    sigma: float,
    batch_size: int,
    progress: bool | str = False,
) -> dict[str, np.ndarray]:
    """Maps on the straight path of each pair.

    Args:
        classifier: one image -> two logits.
        pairs: (n, h, w, c) each, in [0, 1].
        num_nodes: nodes of the path (paper: 50).
        sigma: standard deviation of the smoothing in pixels.
        batch_size: images differentiated at once, those on the paths.
        progress: whether to show a bar; a text is its label.

    Returns:
        The arrays of ``PathMaps``, by variant, and ``residual`` and ``change``.
    """
    paths = _Straight(num_nodes, sigma)
    return map_examples(
        paths,
        classifier,
        (pairs.similar, pairs.adversarial),
        batch_size=_paths(batch_size, num_nodes),
        progress=progress,
    )


def along_own_path(
    classifier: Classifier,
    generators: tuple[Generator, Generator],
    images: Float[np.ndarray, "n h w c"],
    pairs: Pairs,
    decided: Int[np.ndarray, " n"],
    *,
    num_nodes: int,
    sigma: float,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """Maps on the path of images that SyCE's generator of the decided class makes between x_s and
    x_a.

    Args:
        classifier: one image -> two logits.
        generators: g_0 and g_1 of SyCE.
        images: (n, h, w, c) in [0, 1].
        pairs: x_s and x_a of each, by these generators.
        decided: the classifier's decision on each image.
        num_nodes, sigma, batch_size: as in ``straight``.

    Returns:
        As ``straight``.
    """
    paths = _OwnPath(num_nodes, sigma)

    def compute(decision: int, rows: np.ndarray) -> dict[str, np.ndarray]:
        shared, examples = (
            (classifier, generators[decision]),
            (images[rows], pairs.adversarial[rows]),
        )
        return map_examples(paths, shared, examples, batch_size=_paths(batch_size, num_nodes))

    return by_decision(decided, compute)


def _paths(batch_size: int, num_nodes: int) -> int:
    return max(1, batch_size // num_nodes)


@dataclass(frozen=True)
class _Straight:
    num_nodes: int
    sigma: float

    def __call__(self, classifier: Classifier, pair: tuple[Array, Array]) -> dict[str, Array]:
        # All nodes at once, so that XLA finds out that the maps share their gradients and computes
        # them once.
        score = class_score(classifier, 1, of="probability")
        found = {
            name: path_attribution(score, *pair, num_steps=self.num_nodes, **options)
            for name, options in _options(self.sigma).items()
        }
        return _arrays(found, score(pair[1]) - score(pair[0]))


@dataclass(frozen=True)
class _OwnPath:
    num_nodes: int
    sigma: float

    def __call__(
        self, shared: tuple[Classifier, Generator], example: tuple[Array, Array]
    ) -> dict[str, Array]:
        (classifier, generator), (image, adversarial) = shared, example
        score = class_score(classifier, 1, of="probability")
        # Dec(Enc(x_a)) is x_s, Dec(Enc(x)) is x_a.
        ends = generator.encode(adversarial), generator.encode(image)
        found = {
            name: path_attribution_along(
                score, generator.decode, *ends, num_steps=self.num_nodes, **options
            )
            for name, options in _options(self.sigma).items()
            if name != "E"
        }
        return _arrays(found, score(generator.decode(ends[1])) - score(generator.decode(ends[0])))


def _options(sigma: float) -> dict[str, dict[str, Any]]:
    plain: dict[str, dict[str, Any]] = {name: {"variant": name} for name in ("E", "v1", "v2")}
    return {**plain, "v2,k": {"variant": "v2", "sigma": sigma}}


def _arrays(found: Mapping[str, PathAttribution], change: Array) -> dict[str, Array]:
    maps = {name: channel_sum(each.map) for name, each in found.items()}
    return {**maps, "residual": found["v2"].residual, "change": change}
