"""Progressive exaggeration: an image drawn anew for each probability that it might get.

Singla et al. 2020, "Explanation by Progressive Exaggeration", section 3. The probability of class 1
is cut into K bins. An encoder and a decoder that know the bin draw the image so that its
probability falls into bin k, ``G(E(x), k)``; the sweep over all k is the explanation, and the
decoding into the image's own bin should give the image back.

Deviation: the desired probability of a bin is its centre, as in the authors' plots; the lower edge,
which their training asks for, is never above 0.9.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import check_classifier, check_count, check_image
from cfx_jax.compilation import compiled
from cfx_jax.counterfactuals.autoencoder import check_coder
from cfx_jax.counterfactuals.two_classes import (
    bin_centres,
    check_two_classes,
    class_1_probability,
    probability_bin,
)
from cfx_jax.generator_interfaces import Exaggerator, check_generated
from cfx_jax.objectives import Classifier


class Exaggeration(NamedTuple):
    """One image drawn for each bin of the probability of class 1; or several, with leading axes.

    Attributes:
        images: ``(k, h, w, c)`` in [0, 1], by rising bin.
        probabilities: the probability of class 1 at each of the images, f(x_δ).
        desired: the centre of each bin, f(x) + δ;
            ``metrics.compatibility_curve(desired, probabilities)``.
        source_bin: the bin of the image itself, whose drawing is its reconstruction.
        probability: the probability of class 1 at the image itself, f(x).
    """

    images: Float[AnyArray, "*batch k h w c"]
    probabilities: Float[AnyArray, "*batch k"]
    desired: Float[AnyArray, "*batch k"]
    source_bin: Int[AnyArray, "*batch"]
    probability: Float[AnyArray, "*batch"]

    @property
    def saliency(self) -> Float[Array, "*batch h w c"]:
        """The map ``|x_high - x_low|`` of the two extremes (section 4.3), at least 0.

        ``maps.channel_sum`` and ``maps.min_max`` make it one map in [0, 1].
        """
        return jnp.abs(self.images[..., -1, :, :, :] - self.images[..., 0, :, :, :])

    @property
    def extreme(self) -> Float[Array, "*batch h w c"]:
        """The counterfactual of the classifier's decision.

        It is the image of the lowest bin where the classifier decides 1, else the image of the
        highest bin.
        """
        decides_1 = (self.probability >= 0.5)[..., None, None, None]
        return jnp.where(decides_1, self.images[..., 0, :, :, :], self.images[..., -1, :, :, :])


def progressive(
    explainer: Exaggerator,
    classifier: Classifier,
    image: Float[Array, "h w c"],
    *,
    bins_per_batch: int | None = None,
) -> Exaggeration:
    """Draws one image for each bin of the probability of class 1.

    It encodes once and decodes once for each bin. It composes with jit, vmap and pmap.

    For many images: ``parallel.apply_to_examples(Partial(progressive, explainer, classifier),
    images)``.

    Args:
        explainer: such as ``models.exaggerator_of(model)``.
        classifier: one image -> two logits; ``models.one_label`` makes one of a network of several
            labels.
        image: values in [0, 1].
        bins_per_batch: how many bins are decoded at once, which bounds the memory; None takes all.

    Returns:
        The images, their probabilities, and the desired probabilities.

    Raises:
        InputError: no valid image, a classifier that has not two classes or returns probabilities
            or NaN, an explainer that returns no image of the image's shape, or ``bins_per_batch``
            below 1.

    Example:
        >>> from jax.tree_util import Partial
        >>> explainer = Exaggerator(
        ...     Partial(lambda image, own_bin: image),
        ...     Partial(lambda latent, desired_bin: 0 * latent + desired_bin / 4),
        ...     num_bins=4,
        ... )
        >>> classifier = lambda image: jnp.stack([0.5, image.mean()])
        >>> sweep = progressive(explainer, classifier, jnp.full((2, 2, 1), 0.25))
        >>> sweep.images.shape, float(sweep.saliency.mean())
        ((4, 2, 2, 1), 0.75)
    """
    check_coder(explainer, name="explainer")
    check_image(image)
    check_two_classes(classifier, image)
    check_count(bins_per_batch, name="bins_per_batch", or_none=True)
    lowest = jnp.zeros((), jnp.int32)
    check_generated(lambda x: explainer.decode(explainer.encode(x, lowest), lowest), image, 1)
    check_classifier(classifier, jnp.asarray(image)[None])
    return compiled(_sweep, explainer, classifier, image, bins_per_batch=bins_per_batch)


def _sweep(
    explainer: Exaggerator,
    classifier: Classifier,
    image: Float[Array, "h w c"],
    *,
    bins_per_batch: int | None,
) -> Exaggeration:
    probability = class_1_probability(classifier, image)
    source_bin = probability_bin(probability, num_bins=explainer.num_bins)
    latent = explainer.encode(image, source_bin)

    def draw(bin_index: Int[Array, ""]) -> tuple[Array, Array]:
        bin_image = explainer.decode(latent, bin_index)
        return bin_image, class_1_probability(classifier, bin_image)

    bins = jnp.arange(explainer.num_bins)
    images, probabilities = (
        lax.map(draw, bins, batch_size=bins_per_batch) if bins_per_batch else jax.vmap(draw)(bins)
    )
    desired = bin_centres(explainer.num_bins).astype(probability.dtype)
    return Exaggeration(images, probabilities, desired, source_bin, probability)
