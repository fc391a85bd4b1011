"""Counterfactuals: images changed until the classifier says something else."""

from cfx_jax.counterfactuals.cycle import LatentPath as LatentPath
from cfx_jax.counterfactuals.cycle import cyce as cyce
from cfx_jax.counterfactuals.cycle import decided_class as decided_class
from cfx_jax.counterfactuals.cycle import syce as syce
from cfx_jax.counterfactuals.cycle import syce_latent_path as syce_latent_path
from cfx_jax.counterfactuals.fixed_point import fixed_point as fixed_point
from cfx_jax.counterfactuals.similar_adversarial import SimilarAdversarial as SimilarAdversarial
from cfx_jax.counterfactuals.similar_adversarial import naive_adversarial as naive_adversarial
from cfx_jax.counterfactuals.similar_adversarial import similar_adversarial as similar_adversarial
from cfx_jax.counterfactuals.vce import Counterfactual as Counterfactual
from cfx_jax.counterfactuals.vce import VCEExample as VCEExample
from cfx_jax.counterfactuals.vce import VCEProblem as VCEProblem
from cfx_jax.counterfactuals.vce import vce as vce
from cfx_jax.counterfactuals.vce import vce_batch as vce_batch
