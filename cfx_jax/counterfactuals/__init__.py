"""Counterfactuals: images changed until the classifier says something else."""

from cfx_jax.counterfactuals.autoencoder import SearchModels as SearchModels
from cfx_jax.counterfactuals.autoencoder import as_search_models as as_search_models
from cfx_jax.counterfactuals.cycle import LatentPath as LatentPath
from cfx_jax.counterfactuals.cycle import cyce as cyce
from cfx_jax.counterfactuals.cycle import syce as syce
from cfx_jax.counterfactuals.cycle import syce_latent_path as syce_latent_path
from cfx_jax.counterfactuals.fixed_point import fixed_point as fixed_point
from cfx_jax.counterfactuals.latent import LatentCounterfactual as LatentCounterfactual
from cfx_jax.counterfactuals.latent import latent_counterfactual as latent_counterfactual
from cfx_jax.counterfactuals.latent import (
    latent_counterfactual_batch as latent_counterfactual_batch,
)
from cfx_jax.counterfactuals.latent_shift import LatentShift as LatentShift
from cfx_jax.counterfactuals.latent_shift import latent_shift as latent_shift
from cfx_jax.counterfactuals.latent_shift import latent_shift_batch as latent_shift_batch
from cfx_jax.counterfactuals.progressive import Exaggeration as Exaggeration
from cfx_jax.counterfactuals.progressive import progressive as progressive
from cfx_jax.counterfactuals.reconstruction import check_reconstruction as check_reconstruction
from cfx_jax.counterfactuals.reconstruction import find_unexplainable as find_unexplainable
from cfx_jax.counterfactuals.reconstruction import reconstruction_psnr as reconstruction_psnr
from cfx_jax.counterfactuals.similar_adversarial import SimilarAdversarial as SimilarAdversarial
from cfx_jax.counterfactuals.similar_adversarial import naive_adversarial as naive_adversarial
from cfx_jax.counterfactuals.similar_adversarial import similar_adversarial as similar_adversarial
from cfx_jax.counterfactuals.smallest import SmallestCounterfactual as SmallestCounterfactual
from cfx_jax.counterfactuals.smallest import smallest_counterfactual as smallest_counterfactual
from cfx_jax.counterfactuals.smallest import (
    smallest_counterfactual_batch as smallest_counterfactual_batch,
)
from cfx_jax.counterfactuals.two_classes import bin_centres as bin_centres
from cfx_jax.counterfactuals.two_classes import check_two_classes as check_two_classes
from cfx_jax.counterfactuals.two_classes import class_1_probability as class_1_probability
from cfx_jax.counterfactuals.two_classes import decided_class as decided_class
from cfx_jax.counterfactuals.two_classes import probability_bin as probability_bin
from cfx_jax.counterfactuals.vce import Counterfactual as Counterfactual
from cfx_jax.counterfactuals.vce import VCEExample as VCEExample
from cfx_jax.counterfactuals.vce import VCEProblem as VCEProblem
from cfx_jax.counterfactuals.vce import vce as vce
from cfx_jax.counterfactuals.vce import vce_batch as vce_batch
from cfx_jax.counterfactuals.vce import vce_sweep as vce_sweep
from cfx_jax.counterfactuals.xgem import XGEM as XGEM
from cfx_jax.counterfactuals.xgem import xgem as xgem
from cfx_jax.counterfactuals.xgem import xgem_batch as xgem_batch
from cfx_jax.generator_interfaces import Coder as Coder
from cfx_jax.generator_interfaces import Exaggerator as Exaggerator
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
