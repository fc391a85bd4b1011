"""The loss of a variational autoencoder.

Kingma and Welling 2014, "Auto-Encoding Variational Bayes"; Higgins et al. 2017 for the weight beta;
as in the code that xGEM's images come from in Singla et al. 2020, appendix A.2
(LynnHo/VAE-Tensorflow).

Both terms are means over all elements, and errors are in units of images in [-1, 1], so that the
released weight keeps its meaning: with sums over elements beta would be another number, since there
are many more pixels than latents.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from cfx_jax.checks import check_key, check_number
from cfx_jax.losses.checks import check_alike

Latents = Float[Array, "b d"]


def sample_latents(key: PRNGKeyArray, mean: Latents, log_variance: Latents) -> Latents:
    """Draws latent vectors, differentiable in the distributions' parameters.

    Args:
        key: source of the draws.
        mean: the mean of each coordinate.
        log_variance: natural logarithm of each coordinate's variance.

    Returns:
        ``mean + exp(log_variance / 2) e`` with e standard normal.

    >>> mean, log_variance = jnp.ones((1, 2)), jnp.full((1, 2), -jnp.inf)
    >>> sample_latents(jax.random.key(0), mean, log_variance).tolist()
    [[1.0, 1.0]]
    """
    check_key(key)
    check_alike(mean=mean, log_variance=log_variance)
    return mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape, mean.dtype)


def vae_terms(
    images: Float[Array, "b h w c"],
    reconstructions: Float[Array, "b h w c"],
    mean: Latents,
    log_variance: Latents,
    *,
    beta: float = 0.1,
) -> dict[str, Array]:
    """Computes the loss as its weighted parts; their sum is the loss.

    Args:
        images: the images, values in [0, 1].
        reconstructions: decoded from latents that were drawn for the images, of the same shape, in
            [0, 1].
        mean: the mean of the latents.
        log_variance: the logarithm of the variance of the latents.
        beta: weight of the divergence, at least 0 (released: 0.1).

    Returns:
        The scalars ``"reconstruction"``, the mean square error in units of images in [-1, 1], and
        ``"divergence"``, beta times the mean over coordinates of their Kullback-Leibler divergence
        from the standard normal distribution.

    Raises:
        InputError: images and reconstructions of different shapes.

    >>> images, mean, log_variance = jnp.zeros((1, 2, 2, 1)), jnp.ones((1, 3)), jnp.zeros((1, 3))
    >>> terms = vae_terms(images, images + 0.5, mean, log_variance)
    >>> {name: round(float(term), 3) for name, term in terms.items()}
    {'reconstruction': 1.0, 'divergence': 0.05}
    """
    check_alike(images=images, reconstructions=reconstructions)
    check_alike(mean=mean, log_variance=log_variance)
    check_number(beta, name="beta")
    divergence = (jnp.square(mean) + jnp.expm1(log_variance) - log_variance).mean() / 2
    return {
        "reconstruction": 4 * jnp.square(images - reconstructions).mean(),
        "divergence": beta * divergence,
    }
