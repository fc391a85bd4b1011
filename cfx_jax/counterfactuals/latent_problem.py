"""The optimisation problem of ``latent_counterfactual``: what is minimised over the latent, and by
which steps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.checks import check_at_least, check_num_steps, check_positive
from cfx_jax.counterfactuals.xgem_problem import Explained
from cfx_jax.losses.subgradients import safe_abs
from cfx_jax.objectives import negative_log_probability
from cfx_jax.optimise import Algorithm, Problem, gradient_descent, proximal_gradient, soft_threshold
from cfx_jax.optimise.algorithm import Objective, State


class LatentExample(NamedTuple):
    """One image's part of the problem: ``image``, its ``latent``, where the search starts, and the
    ``target`` class.
    """

    image: Float[Array, "*s h w c"]
    latent: Float[Array, "*latent"]
    target: Int[Array, ""]


@dataclass(frozen=True)
class LatentProblem:
    """Makes the optimisation problem of one image or volume; equal settings compile once.

    The values of its algorithm are pairs: the whole objective, and its first part, the
    cross-entropy. Its solution is the last iterate, its trace ends before that.

    Attributes: see ``latent_counterfactual``.
    """

    penalty: float = 100.0
    num_steps: int = 20
    step_size: float = 0.1
    proximal: bool = False

    def __post_init__(self) -> None:
        check_num_steps(self.num_steps)
        check_positive(self.step_size, name="step_size")
        check_at_least(self.penalty, 0, name="penalty")

    def __call__(self, explained: Explained, example: LatentExample) -> Problem:
        improbable = negative_log_probability(explained.classifier, example.target)
        start = example.latent

        def cross_entropy(latent: Float[Array, "*latent"]) -> Float[Array, ""]:
            return improbable(explained.decode(latent))

        def penalty(latent: Float[Array, "*latent"]) -> Float[Array, ""]:
            return self.bound(latent, start)

        def whole(latent: Float[Array, "*latent"]) -> Float[Array, ""]:
            return cross_entropy(latent) + penalty(latent)

        def pull_back(
            latent: Float[Array, "*latent"], step_size: float | Float[Array, ""]
        ) -> Float[Array, "*latent"]:
            return soft_threshold(latent, start, step_size * self.penalty / start.size)

        def move(state: State) -> Float[Array, "*latent"]:
            moved = state.x - self.step_size * state.gradient
            return pull_back(moved, self.step_size) if self.proximal else moved

        if self.proximal:
            descent = proximal_gradient(
                pull_back, penalty, num_steps=self.num_steps, step_size=self.step_size
            )
        else:
            descent = gradient_descent(num_steps=self.num_steps, step_size=self.step_size)
        return Problem(
            _all_but_the_last(descent, penalty, move),
            cross_entropy if self.proximal else whole,
            start,
        )

    def bound(
        self, latent: Float[Array, "*latent"], start: Float[Array, "*latent"]
    ) -> Float[Array, ""]:
        """The second part of the objective: what a latent costs that differs from the image's own."""
        return self.penalty * safe_abs(latent - start).mean()


def _all_but_the_last(
    algorithm: Algorithm, penalty: Objective, move: Callable[[State], Array]
) -> Algorithm:
    """The same algorithm, whose values are the whole and what is left of it without the penalty,
    and whose solution has made the last move, not yet evaluated: nothing follows from the gradient
    there, and whoever draws it has its value."""

    def solution(state: State) -> tuple[Array, Array]:
        latent, whole = algorithm.solution(state)
        return move(state), jnp.stack([whole, jnp.maximum(whole - penalty(latent), 0)])

    def step(objective: Objective, state: State) -> tuple[State, Array]:
        state, _ = algorithm.step(objective, state)
        return state, solution(state)[1]

    return Algorithm(algorithm.init, step, solution, algorithm.num_steps - 1)
