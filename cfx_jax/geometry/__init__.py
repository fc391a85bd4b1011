"""Sets of images that optimisers stay in: boxes, lp balls, their intersection."""

from cfx_jax.geometry.box import box as box
from cfx_jax.geometry.constraint_set import ConstraintSet as ConstraintSet
from cfx_jax.geometry.lp_ball import lp_norm as lp_norm
from cfx_jax.geometry.lp_ball_in_box import lp_ball_in_box as lp_ball_in_box
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
