"""Training objectives of classifiers, generators and discriminators."""

from cfx_jax.losses.cross_entropy import cross_entropy as cross_entropy
from cfx_jax.losses.cross_entropy import inverse_frequency as inverse_frequency
from cfx_jax.losses.cycle import CYCE as CYCE
from cfx_jax.losses.cycle import SYCE as SYCE
from cfx_jax.losses.cycle import CycleWeights as CycleWeights
from cfx_jax.losses.cycle import cycle_terms as cycle_terms
from cfx_jax.losses.cycle import discriminator_terms as discriminator_terms
from cfx_jax.losses.cycle import gradient_penalty as gradient_penalty
from cfx_jax.losses.fixed_point import FixedPointWeights as FixedPointWeights
from cfx_jax.losses.fixed_point import Translations as Translations
from cfx_jax.losses.fixed_point import critic_terms as critic_terms
from cfx_jax.losses.fixed_point import fixed_point_terms as fixed_point_terms
from cfx_jax.losses.mask_generator import MaskGeneratorWeights as MaskGeneratorWeights
from cfx_jax.losses.mask_generator import blend as blend
from cfx_jax.losses.mask_generator import mask_generator_terms as mask_generator_terms
from cfx_jax.losses.mask_generator import random_backgrounds as random_backgrounds
from cfx_jax.losses.multi_task import multi_task_terms as multi_task_terms
from cfx_jax.losses.progressive import ProgressiveWeights as ProgressiveWeights
from cfx_jax.losses.progressive import compatibility as compatibility
from cfx_jax.losses.progressive import desired_probability as desired_probability
from cfx_jax.losses.progressive import ordinal_code as ordinal_code
from cfx_jax.losses.similar_adversarial import PUBLISHED_WEIGHTS as PUBLISHED_WEIGHTS
from cfx_jax.losses.similar_adversarial import (
    SimilarAdversarialWeights as SimilarAdversarialWeights,
)
from cfx_jax.losses.similar_adversarial import naive_adversarial_terms as naive_adversarial_terms
from cfx_jax.losses.similar_adversarial import (
    similar_adversarial_terms as similar_adversarial_terms,
)
from cfx_jax.losses.similar_adversarial import total_variation as total_variation
from cfx_jax.losses.similar_adversarial import weight_proximity as weight_proximity
from cfx_jax.losses.trades import ORDERS as ORDERS
from cfx_jax.losses.trades import Order as Order
from cfx_jax.losses.trades import kl_divergence as kl_divergence
from cfx_jax.losses.trades import log_trades_divergence as log_trades_divergence
from cfx_jax.losses.trades import trades_divergence as trades_divergence
from cfx_jax.losses.trades import trades_loss as trades_loss
from cfx_jax.losses.trades_attack import trades_attack as trades_attack
from cfx_jax.losses.vae import sample_latents as sample_latents
from cfx_jax.losses.vae import vae_terms as vae_terms
from cfx_jax.losses.weighted_cross_entropy import weighted_cross_entropy as weighted_cross_entropy
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
