"""Auto-PGD in l1: sparse sign steps whose sparsity follows the best point so far.

Croce and Hein 2021, "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers".
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from cfx_jax.checks import check_num_steps
from cfx_jax.geometry import ConstraintSet
from cfx_jax.geometry.exact import accurate_sum, order_statistic, rescale
from cfx_jax.optimise.adaptive_step import Search, begin, observe, return_to_best
from cfx_jax.optimise.algorithm import Algorithm, Objective

_FIRST_TOP_FRACTION = 0.2
_SPARSITY_RATIO = 0.95
_DIVISOR = 1.5
_SMALLEST_STEP = 0.1


class APGDL1State(NamedTuple):
    """The state of a search in l1.

    Attributes:
        search: the search.
        top_fraction: the share of pixels that a step moves.
        sparsity: the number of pixels that the best point had changed at the last checkpoint.
    """

    search: Search
    top_fraction: Float[Array, ""]
    sparsity: Float[Array, ""]


def apgd_l1(constraint: ConstraintSet, *, num_steps: int) -> Algorithm:
    """Auto-PGD over an l1 ball; ``apgd`` calls it for p = 1.

    A step moves the pixels of largest gradient, by equal amounts that sum to the step size, without
    momentum. Every ``max(floor(.04 N), 1)`` steps is a checkpoint:

    - Where the best point became sparser (ratio below 0.95), the step size returns to the radius,
      and the search returns to its best point.
    - Else the step size is divided by 1.5, down to a tenth of the radius.
    - The share of moved pixels becomes the best point's sparsity / 1.5.

    By these published rules a step never moves fewer than two pixels once two have changed: 2 / 1.5
    is rounded up. Where the optimum changes one pixel or two by different amounts, the search stops
    short of it: a linear objective whose optimum is one pixel ends at the mean of the two largest
    gradients instead of the largest. ``auto_frank_wolfe`` reaches such an optimum.

    Args:
        constraint: the set, from ``lp_ball_in_box`` with p = 1.
        num_steps: the number of steps, at least 1.

    Returns:
        The algorithm; its solution is the best iterate, the start included.

    Raises:
        InputError: ``num_steps`` below 1.
    """
    check_num_steps(num_steps)
    size = constraint.center.size
    period = max(int(0.04 * num_steps), 1)

    def init(objective: Objective, x0: Float[Array, "*shape"]) -> APGDL1State:
        fraction = jnp.asarray(_FIRST_TOP_FRACTION, x0.dtype)
        return APGDL1State(
            begin(objective, x0, constraint.radius), fraction, jnp.asarray(size, x0.dtype)
        )

    def step(objective: Objective, state: APGDL1State) -> tuple[APGDL1State, Array]:
        search = state.search
        direction = _sparse_sign(search.gradient, state.top_fraction)
        x = constraint.project(search.x - search.step_size * direction)
        observed, value = observe(search, objective, x)
        return adapt_sparsity(state._replace(search=observed)), value

    def adapt_sparsity(state: APGDL1State) -> APGDL1State:
        search = state.search
        is_checkpoint = search.iteration % period == 0
        sparsity = (search.best_x != constraint.center).sum().astype(search.x.dtype)
        is_sparser = sparsity < _SPARSITY_RATIO * state.sparsity
        reduced = jnp.maximum(search.step_size / _DIVISOR, _SMALLEST_STEP * constraint.radius)
        step_size = jnp.where(is_sparser, constraint.radius, reduced)
        return APGDL1State(
            return_to_best(search, is_checkpoint & is_sparser)._replace(
                step_size=jnp.where(is_checkpoint, step_size, search.step_size)
            ),
            jnp.where(is_checkpoint, sparsity / (_DIVISOR * size), state.top_fraction),
            jnp.where(is_checkpoint, sparsity, state.sparsity),
        )

    return Algorithm(
        init, step, lambda state: (state.search.best_x, state.search.best_value), num_steps
    )


def _sparse_sign(
    gradient: Float[Array, "*shape"], top_fraction: Float[Array, ""]
) -> Float[Array, "*shape"]:
    """The signs of the largest entries, with unit l1 norm; all other entries are 0.

    The largest are those at or above the (1 - top_fraction) quantile of the magnitudes.
    """
    size = gradient.size
    gradient, _ = rescale(gradient)
    magnitude = jnp.abs(gradient)
    index = jnp.clip(jnp.floor((1 - top_fraction) * size), 0, size - 1)
    signs = jnp.where(magnitude >= order_statistic(magnitude, index), jnp.sign(gradient), 0)
    return signs / jnp.maximum(accurate_sum(jnp.abs(signs)), 1)
