"""The inner maximisation of TRADES: the nearby image that is predicted most differently.

Zhang et al. 2019, equation 3.

The attack maximises ``KL(p(x0) || p(x))`` over the ball around ``x0`` inside [0, 1], as the code of
Boreiko et al. 2022 does (their equation 1 exchanges the arguments: ``order="adversarial_first"``).
Each step::

    direction = momentum * direction + gradient / |gradient|_1
    x = x + fixed length along direction      # along its sign for the linf norm
    x = x projected onto the ball and clipped to [0, 1]

The result is the best iterate, the start included. The gradient is that of the logarithm of the
divergence. Since steps have a fixed length the path is the same, and it does not end where a sure
network's divergence underflows.

Deviation: the start is a random point near ``x0``. The divergence has gradient zero at ``x0``
itself, where the released code starts (``start=(0, 0)``), so images can fail to move at all; the
noise of the original TRADES code, 1e-3 in every entry, is longer than the radius for large images.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from cfx_jax.checks import (
    as_numpy,
    check_array,
    check_at_least,
    check_callable,
    check_key,
    check_positive,
)
from cfx_jax.errors import InputError
from cfx_jax.geometry import lp_ball_in_box
from cfx_jax.geometry.exact import rescale
from cfx_jax.geometry.lp_ball import sample_sphere, unit_direction
from cfx_jax.losses.trades import Order, log_trades_divergence
from cfx_jax.objectives import Classifier
from cfx_jax.optimise import best_so_far, from_optax, run


def trades_attack(
    key: PRNGKeyArray,
    classifier: Classifier,
    image: Float[Array, "h w c"],
    *,
    p: float = 2,
    radius: float | Float[Array, ""] = 0.25,
    num_steps: int = 20,
    step_size: float = 0.2,
    momentum: float = 0.9,
    start: tuple[float, float] = (0.1, 0.5),
    order: Order = "clean_first",
) -> Float[Array, "h w c"]:
    """Finds the image of a ball whose prediction diverges most from the prediction at the centre.

    Args:
        key: draws the start.
        classifier: one image -> logits ``(k,)``, with fixed normalisation statistics (evaluation
            mode).
        image: the centre, values in [0, 1].
        p: norm of the ball, 2 or inf.
        radius: radius of the ball, above 0; 0.25 in the paper for 224 x 224 x 3 and p = 2.
        num_steps: number of steps; costs one gradient more, and one forward pass.
        step_size: length of a step in units of ``radius``. The released code's default is 4 radii,
            its siblings' is 0.2.
        momentum: weight of the earlier directions, in [0, 1).
        start: the start's distance from ``image`` in units of ``radius`` is uniform between these
            two, which are in [0, 1] and in rising order; (0, 0) is the released code.
        order: which prediction comes first in the divergence, as in ``trades_loss``.

    Returns:
        The adversarial image; no gradient flows through it.

    Raises:
        InputError: ``num_steps`` below 1, ``radius`` not above 0, no such ``start``, another norm
            or order.

    >>> def classifier(image):
    ...     return jnp.stack([image.sum(), -image.sum()])
    >>> image = jnp.full((2, 2, 1), 0.5)
    >>> adversarial = trades_attack(jax.random.key(0), classifier, image, radius=0.2, num_steps=2)
    >>> bool(jnp.linalg.norm(adversarial - image) <= 0.2)
    True
    """
    check_start(start)
    check_key(key)
    check_callable(classifier, name="classifier", gives="one image -> logits (k,)")
    check_array(image, name="image")
    check_positive(step_size, name="step_size")
    check_at_least(momentum, 0, below=1, name="momentum")
    centre = jax.lax.stop_gradient(image)
    ball = lp_ball_in_box(centre, radius, p, projection="ball_then_box")
    direction_key, distance_key = jax.random.split(key)
    distance = ball.radius * jax.random.uniform(
        distance_key, dtype=centre.dtype, minval=start[0], maxval=start[1]
    )
    x0 = ball.project(
        centre + distance * sample_sphere(direction_key, centre.shape, p, centre.dtype)
    )
    rule = _unit_steps(p, step_size * ball.radius, momentum)
    algorithm = best_so_far(from_optax(rule, num_steps=num_steps, project=ball.project))
    clean = jax.lax.stop_gradient(classifier(centre))

    def objective(x: Float[Array, "h w c"]) -> Float[Array, ""]:
        return -log_trades_divergence(clean, classifier(x), order=order)

    result = run(algorithm, objective, x0)
    return jax.lax.stop_gradient(result.solution)


def check_start(start: tuple[float, float], *, name: str = "start") -> None:
    """Checks the two distances of a start, in units of the radius.

    Args:
        start: the least and the largest distance.
        name: the argument's name in messages.

    Raises:
        InputError: they are not in [0, 1] or not in rising order.
    """
    shares = as_numpy(start, name=name)
    is_pair = shares.shape == (2,) and shares.dtype.kind in "iuf"
    if not is_pair or not 0 <= start[0] <= start[1] <= 1:
        raise InputError(f"{name}: expected two rising shares of the radius in [0, 1], got {start}")


def _unit_steps(
    p: float, length: Float[Array, ""], momentum: float
) -> optax.GradientTransformation:
    """Makes steps of a given lp length along the decayed sum of gradients of unit l1 norm."""

    def unit_l1(gradient: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        # Near 1: the l1 norm of a nearly saturated model's gradient can underflow.
        scaled, _ = rescale(gradient)
        return scaled / jnp.maximum(jnp.abs(scaled).sum(), 1)

    return optax.chain(
        optax.stateless(lambda gradient, _: unit_l1(gradient)),
        optax.trace(momentum),
        optax.stateless(lambda velocity, _: -length * unit_direction(velocity, p)),
    )
