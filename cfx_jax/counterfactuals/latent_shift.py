"""Counterfactuals by one gradient in the latent of an autoencoder (latent shift: Cohen et al. 2021,
"Gifsplanation via Latent Shift: A Simple Autoencoder Approach to Counterfactual Generation for
Chest X-rays").

``z_lambda = z0 + lambda * dp/dz`` at the latent z0 of the image, with p the probability of the
target class for what the decoder draws, and a factor lambda found by search for each image.

Deviations: probabilities are the softmax's, those of a sigmoid where there are two classes; the
target is the class to be raised, where the released code lowers the class that it explains.
Fontanella et al. 2023 do not publish their search beyond its start and its doublings (appendix F):
``"doubling"`` ends it after 31 sizes and tries both signs.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.arrays import AnyArray
from cfx_jax.checks import check_choice, check_picture, check_target, check_targets, num_classes
from cfx_jax.counterfactuals.coding import check_pictures
from cfx_jax.counterfactuals.cycle import Coder
from cfx_jax.counterfactuals.latent import checked_parts
from cfx_jax.counterfactuals.latent_shift_search import SEARCHES, Shifted
from cfx_jax.counterfactuals.xgem_problem import Explained
from cfx_jax.objectives import Classifier, class_score
from cfx_jax.parallel import map_examples
from cfx_jax.programs import compiled


class LatentShift(NamedTuple):
    """The shifted image or volume, and the sweep of factors (or, with a leading axis, several).

    Attributes:
        image: what the decoder draws of ``latent``, of the image's shape and not clipped.
        latent: the image's own latent plus ``factor`` times the gradient.
        reconstruction: what the decoder draws of the image's own latent.
        probability: of the target class at ``image``.
        initial_probability: of the target class at the original.
        factor: the lambda that was taken.
        lambdas: those of the search's final sweep: 62 for ``"doubling"``, else ten.
        probabilities: of the target class at each of them.
    """

    image: Float[AnyArray, "*batch h w c"]
    latent: Float[AnyArray, "*batch_latent"]
    reconstruction: Float[AnyArray, "*batch h w c"]
    probability: Float[AnyArray, "*batch"]
    initial_probability: Float[AnyArray, "*batch"]
    factor: Float[AnyArray, "*batch"]
    lambdas: Float[AnyArray, "*batch m"]
    probabilities: Float[AnyArray, "*batch m"]


@dataclass(frozen=True)
class _Shifting:
    """The shift of one image; hashable by value."""

    search: str

    def __call__(self, explained: Explained, example: tuple[Array, Array]) -> LatentShift:
        image, target = example
        score = class_score(explained.classifier, target, of="probability")
        start = explained.encode(image)
        slope = jax.grad(lambda latent: score(explained.decode(latent)))(start)
        reconstruction = explained.decode(start)
        size = jnp.abs(reconstruction).sum()

        def shift(factor: Float[Array, ""]) -> Shifted:
            drawn = explained.decode(start + factor * slope)
            change = jnp.abs(drawn - reconstruction).sum() / jnp.where(size > 0, size, 1)
            return Shifted(score(drawn), change)

        lambdas, probabilities, chosen = SEARCHES[self.search](shift)
        latent = start + lambdas[chosen] * slope
        drawn, probability = explained.decode(latent), probabilities[chosen]
        return LatentShift(
            drawn,
            latent,
            reconstruction,
            probability,
            score(image),
            lambdas[chosen],
            lambdas,
            probabilities,
        )


def latent_shift(
    coder: Coder,
    classifier: Classifier,
    image: Float[Array, "*s h w c"],
    target: int | Int[Array, ""],
    *,
    search: str = "doubling",
    slices_per_batch: int | None = None,
) -> LatentShift:
    """The latent shift of one image or volume; composes with jit, vmap and pmap.

    Args:
        coder: an autoencoder in two parts, in inference mode, as in ``latent_counterfactual``.
        classifier: one image, or volume, -> logits ``(k,)``.
        image: an image (h, w, c) or a volume (s, h, w, c), values in [0, 1].
        target: the class whose probability is to rise; may be traced.
        search: how the factor is found, at one drawing and one look of the classifier for each that
            is tried. ``"doubling"``: the best of 62 from 1e-5 to 1.1e4 with both signs.
            ``"gifsplanation"``, released with Cohen et al. 2021: in steps of 1, from 10 on of 10,
            until the probability falls, has risen by more than 0.15, or 1000. ``"latentshift"``,
            the authors' later package: in growing steps from 10 on, until the probability falls, is
            above 0.95 or has risen by more than 0.8, the image has changed by more than 5 % of its
            sum, or 3000.
        slices_per_batch: how many slices of a volume the coder takes at once; None takes all.
            Results do not depend on it.

    Returns:
        The shifted image, and the factors tried last with their probabilities. The released code's
        map for grey images is ``|reconstruction - image|``.

    Raises:
        InputError: an unknown search; or as ``latent_counterfactual``.
    """
    check_picture(image)
    check_choice(search, tuple(SEARCHES), name="search")
    check_target(target, num_classes(classifier, image))
    explained = checked_parts(
        coder, classifier, jnp.asarray(image)[None], slices_per_batch=slices_per_batch
    )
    return compiled(_Shifting(search), explained, (image, jnp.asarray(target)))


def latent_shift_batch(
    coder: Coder,
    classifier: Classifier,
    images: Float[AnyArray, "n *s h w c"],
    targets: Int[AnyArray, " n"],
    *,
    search: str = "doubling",
    slices_per_batch: int | None = None,
    batch_size: int | None = None,
    mesh: jax.sharding.Mesh | None = None,
    progress: bool | str = False,
) -> LatentShift:
    """``latent_shift`` of many, in micro-batches over all devices; nothing else changes in the
    result.

    Args:
        coder, search, slices_per_batch: as in ``latent_shift``.
        classifier: as there; best a pytree (``models.per_image(model)``), so that weights are not
            compiled in.
        images: images (n, h, w, c) or volumes (n, s, h, w, c), values in [0, 1].
        targets: a class for each.
        batch_size, mesh, progress: as in ``parallel.map_examples``.

    Returns:
        A ``LatentShift`` of NumPy arrays with leading axis n.

    Raises:
        InputError: as ``latent_shift``; or not one target for each image.
    """
    check_pictures(images, name="images")
    check_choice(search, tuple(SEARCHES), name="search")
    found: Any = check_targets(targets, num_classes(classifier, images[0]), count=len(images))
    explained = checked_parts(
        coder, classifier, jnp.asarray(images[:1]), slices_per_batch=slices_per_batch
    )
    options: dict[str, Any] = {"batch_size": batch_size, "mesh": mesh, "progress": progress}
    return map_examples(_Shifting(search), explained, (images, found), **options)
