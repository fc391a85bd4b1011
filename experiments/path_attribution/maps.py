"""Table 1's maps of pairs of generated images (Charachon et al. 2021, equations 4 to 6).

They are the difference E, and E_FI^v1, E_FI^v2 and its smoothed version on a path between the two
images. The straight path is the paper's. The path of the generator's own images, from x_s to x_a,
is what its footnote 3 leaves aside; it exists for SyCE (``counterfactuals.syce_latent_path``).
"""

from collections.abc import Callable, Mapping
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
from experiments.path_attribution.generators import Pairs
from experiments.path_attribution.published import VARIANTS
from experiments.shared import Arrays

_SIGMA_AT_224 = 2.0  # standard deviation of the paper's smoothing in pixels, at its 224 x 224


class PathMaps(NamedTuple):
    """The maps of one set of pairs.

    Attributes:
        maps: the maps of each variant, (n, h, w), at least 0; on the own path without E, which does
            not depend on the path.
        residual: how far the path integral of each image is from the change of the score, (n,), in
            probability.
        change: the score of class 1 at the path's end less the score at its start, (n,).
    """

    maps: Mapping[str, Float[np.ndarray, "n h w"]]
    residual: Float[np.ndarray, " n"]
    change: Float[np.ndarray, " n"]

    @classmethod
    def of(cls, arrays: Arrays) -> "PathMaps":
        """The maps that ``integrate_straight`` and ``integrate_own_path`` compute."""
        maps = {variant: arrays[variant] for variant in VARIANTS if variant in arrays}
        return cls(maps, arrays["residual"], arrays["change"])


def smoothing_sigma(image_size: int) -> float:
    """The smoothing's standard deviation in pixels: 2 at 224 (paper), scaled with the image."""
    return _SIGMA_AT_224 * image_size / 224


class Integration(NamedTuple):
    """The settings of the integrals along paths.

    Attributes:
        num_nodes: nodes of the path (paper: 50).
        sigma: standard deviation of the smoothing in pixels.
        batch_size: images differentiated at once, those on the paths.
    """

    num_nodes: int
    sigma: float
    batch_size: int

    @property
    def paths(self) -> int:
        """The number of paths computed at once."""
        return max(1, self.batch_size // self.num_nodes)


def integrate_straight(
    integration: Integration, classifier: Classifier, pairs: Pairs, *, progress: bool | str = False
) -> Arrays:
    """Computes the maps on the straight path of each pair.

    Args:
        integration: nodes and smoothing.
        classifier: one image -> two logits.
        pairs: (n, h, w, c) each, in [0, 1].
        progress: whether to show a bar; a text is its label.

    Returns:
        The arrays of ``PathMaps``, by variant, and ``residual`` and ``change``.
    """
    return map_examples(
        _Straight(integration),
        classifier,
        (pairs.similar, pairs.adversarial),
        batch_size=integration.paths,
        progress=progress,
    )


def integrate_own_path(
    integration: Integration,
    classifier: Classifier,
    generators: tuple[Generator, Generator],
    images: Float[np.ndarray, "n h w c"],
    pairs: Pairs,
    decided: Int[np.ndarray, " n"],
) -> Arrays:
    """Computes the maps on the path of SyCE's own images between x_s and x_a.

    The generator of the decided class makes these images.

    Args:
        integration: nodes and smoothing.
        classifier: one image -> two logits.
        generators: g_0 and g_1 of SyCE.
        images: (n, h, w, c) in [0, 1].
        pairs: x_s and x_a of each, by these generators.
        decided: the classifier's decision on each image.

    Returns:
        As ``integrate_straight``.
    """

    def compute(decision: int, rows: np.ndarray) -> Arrays:
        return map_examples(
            _OwnPath(integration),
            (classifier, generators[decision]),
            (images[rows], pairs.adversarial[rows]),
            batch_size=integration.paths,
        )

    return group_by_decision(decided, compute)


def group_by_decision(
    decided: Int[np.ndarray, " n"], compute: Callable[[int, Int[np.ndarray, " m"]], Arrays]
) -> Arrays:
    """Computes arrays for the images of each decision apart, and returns them in the images' order.

    Under ``vmap`` both branches of a choice are computed; a group has one generator and costs half.

    Args:
        decided: the decision on each image, 0 or 1; at least one image.
        compute: decision and the positions of its images -> arrays with leading axis m; the same
            names and shapes for both. A decision without images is not asked for.

    Returns:
        Arrays with leading axis n.
    """
    rows = {decision: np.flatnonzero(decided == decision) for decision in (0, 1)}
    parts = {decision: compute(decision, at) for decision, at in rows.items() if len(at)}
    order = np.argsort(np.concatenate([rows[decision] for decision in parts]))
    names = next(iter(parts.values())).keys()
    return {name: np.concatenate([part[name] for part in parts.values()])[order] for name in names}


@dataclass(frozen=True)
class _Straight:
    integration: Integration

    def __call__(self, classifier: Classifier, pair: tuple[Array, Array]) -> dict[str, Array]:
        # All nodes at once, so that XLA finds out that the maps share their gradients and computes
        # them once.
        score = class_score(classifier, 1, of="probability")
        attributions = {
            name: path_attribution(score, *pair, num_steps=self.integration.num_nodes, **options)
            for name, options in _options(self.integration.sigma).items()
        }
        return _arrays(attributions, score(pair[1]) - score(pair[0]))


@dataclass(frozen=True)
class _OwnPath:
    integration: Integration

    def __call__(
        self, shared: tuple[Classifier, Generator], example: tuple[Array, Array]
    ) -> dict[str, Array]:
        (classifier, generator), (image, adversarial) = shared, example
        score = class_score(classifier, 1, of="probability")
        # Dec(Enc(x_a)) is x_s, Dec(Enc(x)) is x_a.
        ends = generator.encode(adversarial), generator.encode(image)
        attributions = {
            name: path_attribution_along(
                score, generator.decode, *ends, num_steps=self.integration.num_nodes, **options
            )
            for name, options in _options(self.integration.sigma).items()
            if name != "E"
        }
        end, start = (score(generator.decode(latent)) for latent in reversed(ends))
        return _arrays(attributions, end - start)


def _options(sigma: float) -> dict[str, dict[str, Any]]:
    plain: dict[str, dict[str, Any]] = {name: {"variant": name} for name in ("E", "v1", "v2")}
    return {**plain, "v2,k": {"variant": "v2", "sigma": sigma}}


def _arrays(attributions: Mapping[str, PathAttribution], change: Array) -> dict[str, Array]:
    maps = {name: channel_sum(made.map) for name, made in attributions.items()}
    return {**maps, "residual": attributions["v2"].residual, "change": change}
