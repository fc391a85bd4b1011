"""Counterfactuals: images changed until the classifier says something else."""

from cfx_jax.counterfactuals.vce import Counterfactual as Counterfactual
from cfx_jax.counterfactuals.vce import VCEExample as VCEExample
from cfx_jax.counterfactuals.vce import VCEProblem as VCEProblem
from cfx_jax.counterfactuals.vce import vce as vce
from cfx_jax.counterfactuals.vce import vce_batch as vce_batch
