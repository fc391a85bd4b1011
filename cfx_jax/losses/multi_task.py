"""The loss of a classifier of scans that finds a lesion and names its side.

Fontanella et al. 2023, ACAT, appendix B.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from cfx_jax.checks import check_array, check_classes
from cfx_jax.losses.checks import check_alike
from cfx_jax.losses.weighted_cross_entropy import weighted_cross_entropy


def multi_task_terms(
    lesion: Float[Array, "b 2"],
    side: Float[Array, "b 3"],
    labels: Int[Array, " b"],
    weights: Float[Array, " b"],
) -> dict[str, Float[Array, ""]]:
    """Computes the two terms of the loss, to be added.

    The paper does not print it: the sum of both cross-entropies, with the side's over images with a
    lesion alone, is our choice.

    Args:
        lesion: logits of no lesion and lesion.
        side: logits of left, right and both.
        labels: 0 none, 1 left, 2 right, 3 both.
        weights: the weight of each image in the term of the lesion, at least 0.

    Returns:
        ``lesion`` and ``side``, in nats; ``side`` is 0 where no image of the batch has a lesion.

    Raises:
        InputError: another number of weights than of images.

    >>> lesion, side = jnp.zeros((2, 2)), jnp.zeros((2, 3))
    >>> terms = multi_task_terms(lesion, side, jnp.array([0, 2]), jnp.ones(2))
    >>> {name: round(float(term), 3) for name, term in terms.items()}
    {'lesion': 0.693, 'side': 1.099}
    """
    check_array(labels, name="labels")
    check_classes(labels, 4, name="labels")
    check_alike(side=side, ndim=2)
    has_lesion = labels > 0
    return {
        "lesion": weighted_cross_entropy(lesion, has_lesion.astype(jnp.int32), weights),
        "side": weighted_cross_entropy(
            side, jnp.maximum(labels - 1, 0), has_lesion.astype(side.dtype)
        ),
    }
