"""What an optimiser needs to know of the set that it must stay in."""

from collections.abc import Callable
from typing import NamedTuple

from jax import Array
from jaxtyping import Float, PRNGKeyArray


class ConstraintSet(NamedTuple):
    """A convex set of images, by the three operations that optimisers use.

    Attributes:
        project: the nearest (or, for the APGD form, a near) point of the set.
        linear_minimiser: for a gradient ``g``, a point ``v`` of the set with the smallest inner
            product ``<g, v>``.
        sample: a random start for a key.
        center: the centre of the set, an image.
        radius: its size in the norm ``p``: the unit of step sizes.
        p: the norm, a number >= 1 or infinity.
    """

    project: Callable[[Float[Array, "*shape"]], Float[Array, "*shape"]]
    linear_minimiser: Callable[[Float[Array, "*shape"]], Float[Array, "*shape"]]
    sample: Callable[[PRNGKeyArray], Float[Array, "*shape"]]
    center: Float[Array, "*shape"]
    radius: Float[Array, ""]
    p: float
