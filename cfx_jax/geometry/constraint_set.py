"""The sets that an optimiser stays in, as the operations that it uses."""

from collections.abc import Callable
from typing import NamedTuple

from jax import Array
from jaxtyping import Float, PRNGKeyArray


class ConstraintSet(NamedTuple):
    """A convex set of images, by the three operations that optimisers use.

    Attributes:
        project: ``x -> argmin_{u in set} ||u - x||_2``, the nearest point of the set; for the form
            that APGD was published with, a near point.
        linear_minimiser: ``g -> argmin_{v in set} <g, v>``, a point of the set with the smallest
            inner product with a gradient.
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
