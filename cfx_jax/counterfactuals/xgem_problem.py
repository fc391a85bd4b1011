"""The optimisation problem of ``xgem``: which latent, from where, by which steps, and what is kept
of the way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.checks import check_positive, check_real
from cfx_jax.counterfactuals.progressive import bin_centres, check_num_bins, class_1_probability
from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier, negative_log_probability
from cfx_jax.optimise import Algorithm, Problem


class XGEMExample(NamedTuple):
    """One image's part of the problem: ``image`` and ``target``, the class that it is to be
    decided.
    """

    image: Float[Array, "h w c"]
    target: Int[Array, ""]


class Explained(NamedTuple):
    """What all images share: ``encode`` and ``decode`` of the autoencoder, and the ``classifier``;
    a pytree.
    """

    encode: Callable[[Array], Array]
    decode: Callable[[Array], Array]
    classifier: Classifier


class Record(NamedTuple):
    """Where the search stands: ``inner``, the algorithm's own state; ``latent``, its iterate;
    ``probability`` of class 1 there; ``num_steps`` done; for each bin the ``nearest`` latent so far
    and its ``distance`` in probability."""

    inner: Any
    latent: Float[Array, "*latent"]
    probability: Float[Array, ""]
    num_steps: Int[Array, ""]
    nearest: Float[Array, "k *latent"]
    distance: Float[Array, " k"]


@dataclass(frozen=True)
class XGEMProblem:
    """Makes the optimisation problem of one image; equal settings compile once.

    Attributes: see ``xgem``.
    """

    algorithm: Algorithm
    weight: float = 1.0
    until: float = 0.5
    num_bins: int = 10

    def __post_init__(self) -> None:
        if not isinstance(self.algorithm, Algorithm):
            raise InputError(
                f"algorithm: expected one of cfx_jax.optimise, got {type(self.algorithm).__name__}"
            )
        check_positive(self.weight, name="weight")
        check_num_bins(self.num_bins)
        check_real(self.until, name="until")
        if not 0 < self.until < 1:
            raise InputError(
                f"until: expected a probability strictly between 0 and 1, got {self.until}"
            )

    def __call__(self, explained: Explained, example: XGEMExample) -> Problem:
        flip = negative_log_probability(explained.classifier, example.target)

        def objective(latent: Float[Array, "*latent"]) -> Float[Array, ""]:
            drawn = explained.decode(latent)
            return jnp.square(drawn - example.image).mean() + self.weight * flip(drawn)

        return Problem(
            self._recorded(explained, example.target), objective, explained.encode(example.image)
        )

    def _recorded(self, explained: Explained, target: Int[Array, ""]) -> Algorithm:
        """The algorithm with a record of its way; its value is what the target's probability lacks."""

        def recorded(inner: Any, num_steps: Array, nearest: Array, distance: Array) -> Record:
            latent = self.algorithm.solution(inner)[0]
            # The compiler shares this drawing with the algorithm's own evaluation of the objective.
            probability = class_1_probability(explained.classifier, explained.decode(latent))
            away = jnp.abs(bin_centres(self.num_bins).astype(probability.dtype) - probability)
            nearer = away < distance
            nearest = jnp.where(nearer.reshape(-1, *(1,) * latent.ndim), latent, nearest)
            return Record(
                inner, latent, probability, num_steps, nearest, jnp.where(nearer, away, distance)
            )

        def init(objective: Callable[[Array], Array], x0: Float[Array, "*latent"]) -> Record:
            nearest = jnp.broadcast_to(x0, (self.num_bins, *x0.shape))
            far = jnp.full(self.num_bins, jnp.inf, x0.dtype)
            return recorded(
                self.algorithm.init(objective, x0), jnp.zeros((), jnp.int32), nearest, far
            )

        def step(objective: Callable[[Array], Array], record: Record) -> tuple[Record, Array]:
            inner, _ = self.algorithm.step(objective, record.inner)
            record = recorded(inner, record.num_steps + 1, record.nearest, record.distance)
            return record, self._lack(record, target)

        def solution(record: Record) -> tuple[Any, Array]:
            return record, self._lack(record, target)

        return Algorithm(init, step, solution, self.algorithm.num_steps)

    def _lack(self, record: Record, target: Int[Array, ""]) -> Float[Array, ""]:
        """How far the target's probability is below ``until``; below 0 the search rests."""
        return self.until - jnp.where(target == 1, record.probability, 1 - record.probability)
