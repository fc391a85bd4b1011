"""Iterative minimisers of one example, and the loop that runs them over one or many."""

from cfx_jax.optimise.algorithm import Algorithm as Algorithm
from cfx_jax.optimise.algorithm import MakeProblem as MakeProblem
from cfx_jax.optimise.algorithm import Problem as Problem
from cfx_jax.optimise.algorithm import Result as Result
from cfx_jax.optimise.algorithm import run as run
from cfx_jax.optimise.apgd import apgd as apgd
from cfx_jax.optimise.batched_solve import solve as solve
from cfx_jax.optimise.best_so_far import best_so_far as best_so_far
from cfx_jax.optimise.frank_wolfe import auto_frank_wolfe as auto_frank_wolfe
from cfx_jax.optimise.from_optax import from_optax as from_optax
from cfx_jax.optimise.gradient_descent import gradient_descent as gradient_descent
from cfx_jax.optimise.gradient_descent import proximal_gradient as proximal_gradient
from cfx_jax.optimise.gradient_descent import soft_threshold as soft_threshold
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
