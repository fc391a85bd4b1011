"""Maps of many images: what a method is, and how its maps are computed, timed and kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from jaxtyping import Float

from cfx_jax.attributions import AugmentationRanges, augment_average
from cfx_jax.maps import channel_sum
from cfx_jax.optimise import MakeProblem, solve
from cfx_jax.parallel import map_examples, progress_bar
from experiments.charachon_shared.generators import PairGenerator
from experiments.charachon_shared.setup import Setup
from experiments.shared import Arrays, ImageSet

AVERAGED = " + A"
"""End of the name of a method that is averaged over augmentations."""

Image = Float[Array, "h w c"]
Map = Float[Array, "h w"]


class Method(NamedTuple):
    """One way to explain.

    Attributes:
        name: what tables call it.
        explain: ``(shared, image) -> map (h, w)``, of one image, hashable by value (a module-level
            function, a frozen dataclass); ``(shared, (key, image)) -> map`` where ``keyed``; and
            where there is a ``make_problem`` ``(shared, image, result) -> map``.
        shared: the networks that it needs, a pytree.
        identity: what its maps depend on besides the images.
        keyed: whether it draws random numbers; image i gets a key of its own.
        make_problem: the search, for methods that search; see ``optimise.solve``.
    """

    name: str
    explain: Callable[..., Map]
    shared: Any
    identity: object
    keyed: bool = False
    make_problem: MakeProblem | None = None


class Maps(NamedTuple):
    """The maps of one method.

    Attributes:
        values: (n, h, w), at least 0.
        timings: seconds for one image, (r,): of each batch, once it was compiled.
    """

    values: Float[np.ndarray, "n h w"]
    timings: Float[np.ndarray, " r"]

    @property
    def seconds(self) -> float:
        """The median of the timings."""
        return float(np.median(self.timings))


def make_maps(method: Method, images: ImageSet, setup: Setup[Any]) -> Maps:
    """The maps of all images, kept in the workspace with the time that they took.

    Args:
        method: how to explain.
        images: the explained images.
        setup: how many images are computed at once, the seed of random methods, and the workspace.
    """
    config = setup.config

    def compute() -> Arrays:
        examples: Any = images.arrays["image"]
        if method.keyed:
            examples = jax.random.split(jax.random.key(config.seed), len(images)), examples
        return _compute_timed(method, examples, len(images), config.batch_size)._asdict()

    depends = [method.name, method.identity, images.identity, config.seed if method.keyed else None]
    return Maps(**setup.workspace.cached(f"timed maps {method.name}", depends, compute))


def pair_method(generator: PairGenerator) -> Method:
    """The difference of a generator's two images."""
    return Method(generator.name, _pair, generator.explain, generator.identity)


def averaged_method(method: Method, ranges: AugmentationRanges, *, num: int) -> Method:
    """A method of one shot averaged over augmentations.

    Args:
        method: neither random nor a search.
        ranges: the ranges of the moves.
        num: how many moved images.
    """
    explain, identity = _Averaged(method.explain, ranges, num), [method.identity, ranges, num]
    return Method(method.name + AVERAGED, explain, method.shared, identity, keyed=True)


def _compute_timed(method: Method, examples: Any, count: int, batch_size: int) -> Maps:
    """Computes and times the maps batch by batch; the first batch, which compiles, comes twice."""
    size = min(batch_size, count)
    # The last batch begins earlier instead of being smaller, so that all take one program.
    starts = [min(start, count - size) for start in range(0, count, size)]
    values, timings = [], []
    with progress_bar(len(starts) + 1, method.name) as bar:
        for start in [*starts, starts[0]]:
            batch = jax.tree.map(lambda leaf, start=start: leaf[start : start + size], examples)
            begun = time.perf_counter()
            values.append(_compute(method, batch))
            timings.append((time.perf_counter() - begun) / size)
            bar.update(1)
    # What the last batch shares with the one before is cut off, and the repeated batch is dropped.
    last = count - size * (len(starts) - 1)
    values = [*values[: len(starts) - 1], values[len(starts) - 1][size - last :]]
    return Maps(np.concatenate(values), np.array(timings[1:]))


def _compute(method: Method, examples: Any) -> Float[np.ndarray, "m h w"]:
    if method.make_problem is None:
        return map_examples(method.explain, method.shared, examples)
    return solve(method.make_problem, method.shared, examples, finish=method.explain)


def _pair(explain: Callable[[Image], Any], image: Image) -> Map:
    return channel_sum(explain(image).explanation)


@dataclass(frozen=True)
class _Averaged:
    explain: Callable[[Any, Image], Map]
    ranges: AugmentationRanges
    num: int

    def __call__(self, shared: Any, example: tuple[Array, Image]) -> Map:
        key, image = example
        return augment_average(
            key, lambda x: self.explain(shared, x), image, num=self.num, ranges=self.ranges
        )
