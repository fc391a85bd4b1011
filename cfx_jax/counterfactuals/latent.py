"""Counterfactuals by descent in the latent of an autoencoder (ACAT: Fontanella et al. 2023, "ACAT:
Adversarial Counterfactual Attention for Classification and Detection in Medical Imaging", equations
3 and 4).

From the latent z0 of an image or of a whole volume, 20 steps of plain gradient descent lower
``cross-entropy of the target class + penalty * mean |z - z0|`` of what the decoder draws. The
counterfactual is what it draws of the last latent.

Published as an l1 norm, released as a mean over all entries of the scan's latent, which is what is
done here: with the sum the penalty of 100 would swamp the cross-entropy. Its gradient where z
equals z0 is 0, so the first step follows the cross-entropy alone. What counts is the penalty
divided by the number of entries against the slopes of the cross-entropy: an entry whose slope is
below that quotient does not move for long. It is 5.5e-4 for 11 slices of 128 pixels and 8e-5 for 19
of 256 with the released autoencoder, whose latents have as many entries as the scan has pixels.
Slopes depend on the classifier and fall with the number of entries too, so neither penalty nor
quotient carries over to other sizes by itself: look at them.

Deviation: ``proximal=True``, ours, treats the penalty exactly. Entries whose slope stays below the
quotient stay where they are, and the objective falls at every step that is small enough, where
plain descent makes them chatter around z0.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.arrays import AnyArray
from cfx_jax.callables import as_pytree, call
from cfx_jax.checks import check_classifier, check_picture, check_target, check_targets, num_classes
from cfx_jax.counterfactuals.coding import check_pictures, coding
from cfx_jax.counterfactuals.cycle import Coder
from cfx_jax.counterfactuals.latent_problem import LatentExample, LatentProblem
from cfx_jax.counterfactuals.xgem_problem import Explained
from cfx_jax.objectives import Classifier, negative_log_probability
from cfx_jax.optimise import Result, run, solve
from cfx_jax.parallel import map_examples
from cfx_jax.programs import compiled


class LatentCounterfactual(NamedTuple):
    """The counterfactual of one image or volume (or, with a leading axis, of several).

    Attributes:
        image: what the decoder draws of ``latent``, of the image's shape; as it comes, neither
            clipped to [0, 1] nor otherwise bounded.
        latent: where the search ended.
        reconstruction: what the decoder draws of the image's own latent.
        probability: of the target class at ``image``.
        initial_probability: of the target class at the original.
        trace: the target's probability at the reconstruction and after each step.
        objective: the whole objective there.
    """

    image: Float[AnyArray, "*batch h w c"]
    latent: Float[AnyArray, "*batch_latent"]
    reconstruction: Float[AnyArray, "*batch h w c"]
    probability: Float[AnyArray, "*batch"]
    initial_probability: Float[AnyArray, "*batch"]
    trace: Float[AnyArray, "*batch num_steps_plus_1"]
    objective: Float[AnyArray, "*batch num_steps_plus_1"]


def latent_counterfactual(
    coder: Coder,
    classifier: Classifier,
    image: Float[Array, "*s h w c"],
    target: int | Int[Array, ""],
    *,
    penalty: float = 100.0,
    num_steps: int = 20,
    step_size: float = 0.1,
    proximal: bool = False,
    slices_per_batch: int | None = None,
) -> LatentCounterfactual:
    """The counterfactual of one image or volume; composes with jit, vmap and pmap. The batched form
    is faster on a CPU.

    Args:
        coder: an autoencoder in two parts, in inference mode: ``encode``, image -> latent, one
            array of any shape; ``decode``, latent -> image. Of a volume it is coded slice by slice
            and all latents are changed together.
        classifier: one image, or volume, -> logits ``(k,)``. To bound its memory too, its own trunk
            of slices has to use ``jax.checkpoint``.
        image: an image (h, w, c) or a volume (s, h, w, c), values in [0, 1].
        target: the class whose probability is to rise; may be traced. The published maps take two
            runs, one for each class.
        penalty: of the mean absolute change of the latent (published: 100), at least 0; 0 is the
            search without a bound (NoRec in table 5).
        num_steps: at least 1 (published: 20); costs as many gradients, and one more evaluation.
        step_size: of the latent against the gradient, above 0 (released: 0.1; figure 5: 1).
        proximal: whether the penalty is treated exactly (ours), instead of by its gradient as
            published.
        slices_per_batch: how many slices of a volume the coder takes at once, and keeps in memory
            for the gradient; None takes all. Results do not depend on it.

    Returns:
        The counterfactual, and the way to it.

    Raises:
        InputError: no valid image, a target that is no class, a classifier that gives probabilities
            or NaN, a latent that is no array, a decoder that gives no image of the image's shape,
            or an option out of its range.
    """
    check_picture(image)
    problem = LatentProblem(penalty, num_steps, step_size, proximal)
    check_target(target, num_classes(classifier, image))
    explained = checked_parts(
        coder, classifier, jnp.asarray(image)[None], slices_per_batch=slices_per_batch
    )
    return compiled(_search, problem, explained, image, jnp.asarray(target))


def _search(
    problem: LatentProblem,
    explained: Explained,
    image: Float[Array, "*s h w c"],
    target: Int[Array, ""],
) -> LatentCounterfactual:
    example = LatentExample(image, explained.encode(image), target)
    return _Answer(problem)(explained, example, run(*problem(explained, example)))


def latent_counterfactual_batch(
    coder: Coder,
    classifier: Classifier,
    images: Float[AnyArray, "n *s h w c"],
    targets: Int[AnyArray, " n"],
    *,
    penalty: float = 100.0,
    num_steps: int = 20,
    step_size: float = 0.1,
    proximal: bool = False,
    slices_per_batch: int | None = None,
    loop: str = "auto",
    batch_size: int | None = None,
    mesh: jax.sharding.Mesh | None = None,
    progress: bool | str = False,
) -> LatentCounterfactual:
    """``latent_counterfactual`` of many, in micro-batches over all devices; nothing else changes in
    the result.

    Args:
        coder, penalty, num_steps, step_size, proximal, slices_per_batch: as in
            ``latent_counterfactual``.
        classifier: as there; best a pytree (``models.per_image(model)``), so that weights are not
            compiled in.
        images: images (n, h, w, c) or volumes (n, s, h, w, c), values in [0, 1].
        targets: a class for each.
        loop, batch_size, mesh, progress: as in ``optimise.solve``.

    Returns:
        A ``LatentCounterfactual`` of NumPy arrays with leading axis n.

    Raises:
        InputError: as ``latent_counterfactual``; or not one target for each image.
    """
    check_pictures(images, name="images")
    problem = LatentProblem(penalty, num_steps, step_size, proximal)
    targets = check_targets(targets, num_classes(classifier, images[0]), count=len(images))
    explained = checked_parts(
        coder, classifier, jnp.asarray(images[:1]), slices_per_batch=slices_per_batch
    )
    latents = map_examples(call, explained.encode, images, batch_size=batch_size, mesh=mesh)
    fields: Any = (images, latents, targets)
    return solve(
        problem,
        explained,
        LatentExample(*fields),
        finish=_Answer(problem),
        loop=loop,
        batch_size=batch_size,
        mesh=mesh,
        progress=progress,
    )


def checked_parts(
    coder: Coder,
    classifier: Classifier,
    images: Float[Array, "n *s h w c"],
    *,
    slices_per_batch: int | None,
) -> Explained:
    """Autoencoder and classifier as one pytree, after a look at what they give.

    Args:
        coder, classifier, slices_per_batch: as in ``latent_counterfactual``.
        images: a few, on which the classifier is tried.

    Raises:
        InputError: as ``latent_counterfactual`` for these.
    """
    parts = coding(coder, images[0], slices_per_batch=slices_per_batch)
    check_classifier(classifier, images)
    return Explained(parts.encode, parts.decode, as_pytree(classifier))


@dataclass(frozen=True)
class _Answer:
    """What the search of a problem ends in; equal problems compile it once."""

    problem: LatentProblem

    def __call__(
        self, explained: Explained, example: LatentExample, result: Result
    ) -> LatentCounterfactual:
        improbable = negative_log_probability(explained.classifier, example.target)
        latent = result.solution
        image, reconstruction = explained.decode(latent), explained.decode(example.latent)
        last = improbable(image)
        whole = last + self.problem.bound(latent, example.latent)
        objective, cross_entropy = jnp.concatenate([result.trace, jnp.stack([whole, last])[None]]).T
        probabilities = jnp.exp(-cross_entropy)
        initial = jnp.exp(-improbable(example.image))
        return LatentCounterfactual(
            image, latent, reconstruction, probabilities[-1], initial, probabilities, objective
        )
