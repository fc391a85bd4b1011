"""Training objectives of classifiers, one scalar for a batch of logits; and the inner problem of TRADES."""

from cfx_jax.losses.cross_entropy import cross_entropy as cross_entropy
from cfx_jax.losses.trades import kl_divergence as kl_divergence
from cfx_jax.losses.trades import trades_divergence as trades_divergence
from cfx_jax.losses.trades import trades_loss as trades_loss
from cfx_jax.losses.trades_attack import trades_attack as trades_attack
