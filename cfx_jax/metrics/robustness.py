"""Which images stay right under attack: APGD with random restarts (Boreiko et al. 2022, as released)."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from cfx_jax.arrays import AnyArray
from cfx_jax.callables import as_pytree
from cfx_jax.checks import check_choice, check_images, check_positive, check_target
from cfx_jax.checks import num_classes as count_classes
from cfx_jax.errors import InputError
from cfx_jax.geometry import lp_ball_in_box
from cfx_jax.objectives import Classifier, negative_margin
from cfx_jax.optimise import Problem, apgd, solve
from cfx_jax.parallel import map_examples


class AttackExample(NamedTuple):
    """One image's part of the attack: ``image``, its ``label``, the ``radius``, and the ``key`` of the start."""

    image: Float[Array, "h w c"]
    label: Int[Array, ""]
    radius: Float[Array, ""]
    key: PRNGKeyArray


@dataclass(frozen=True)
class Attack:
    """APGD that lowers the margin of the true class; ``p`` in {1, 2, inf}."""

    p: float
    num_steps: int

    def __call__(self, classifier: Classifier, example: AttackExample) -> Problem:
        projection = "exact" if self.p == 1 else "ball_then_box"
        constraint = lp_ball_in_box(example.image, example.radius, self.p, projection=projection)
        objective = negative_margin(classifier, example.label)
        return Problem(apgd(constraint, num_steps=self.num_steps), objective, constraint.sample(example.key))


def robustly_correct(
    key: PRNGKeyArray,
    classifier: Classifier,
    images: Float[AnyArray, "n h w c"],
    labels: Int[AnyArray, " n"],
    *,
    radius: float,
    p: float = 2,
    num_steps: int = 100,
    num_restarts: int = 9,
    loop: str = "auto",
    batch_size: int | None = 256,
    mesh: jax.sharding.Mesh | None = None,
    progress: bool | str = False,
) -> Bool[np.ndarray, " n"]:
    """The images whose class no attack within the radius changes, an upper bound of the truth.

    The attack lowers the margin, for two classes the same path as raising the wrong class's log-probability. An image
    is broken as soon as one iterate of one restart is misclassified; later restarts see only images not yet broken.

    Args:
        key: restart r of image i starts from ``fold_in(fold_in(key, r), i)``, so more restarts never break fewer.
        classifier: one image -> logits ``(k,)``; best a pytree.
        images: values in [0, 1].
        labels: the true classes.
        radius: above 0; the paper's 0.1 at 224 x 224 x 3 with p = 2.
        p: 1, 2 or inf.
        num_steps: gradient steps of each restart, at least 1; the paper's 100.
        num_restarts: at least 1; the paper's 9.
        loop, batch_size, mesh, progress: as in ``optimise.solve``. What is left in later restarts is filled up to a half, a
            quarter, ... of the first batch, so that few sizes are compiled.

    Returns:
        True where the image is classified right, and still was in every attack.

    Raises:
        InputError: images outside [0, 1], labels that are no class, radius not above 0, another p, no restart.
    """
    check_images(images)
    if np.shape(labels) != images.shape[:1]:
        raise InputError(f"labels: expected one for each of {len(images)} images, got shape {np.shape(labels)}")
    check_positive(radius, name="radius")
    check_choice(p, (1, 2, math.inf), name="p")
    check_target(labels, count_classes(classifier, images[0]), name="labels")
    if num_restarts < 1:
        raise InputError(f"num_restarts: expected at least 1, got {num_restarts}")
    pytree, largest = as_pytree(classifier), min(batch_size or len(images), len(images))
    standing = map_examples(_margin, pytree, (images, labels), batch_size=batch_size, mesh=mesh) > 0
    for restart in range(num_restarts):
        count = int(standing.sum())
        if not count:
            break
        index = _filled(np.flatnonzero(standing), largest=largest)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(key, restart), jnp.asarray(index))
        radii = jnp.full(len(index), radius, images.dtype)
        fields: Any = (images[index], labels[index], radii, keys)
        result = solve(
            Attack(p, num_steps), pytree, AttackExample(*fields), loop=loop, batch_size=batch_size, mesh=mesh,
            progress=progress and f"{progress} restart {restart + 1}/{num_restarts}", stop_below=0.0,
        )  # fmt: skip
        standing[index[:count]] = np.asarray(result.value)[:count] > 0
    return standing


def _filled(index: Int[np.ndarray, " n"], *, largest: int) -> Int[np.ndarray, " m"]:
    """Repeats the last image until a half, a quarter, ... of the largest batch is full: few sizes to compile."""
    size = largest
    while 2 * len(index) <= size:
        size = -(-size // 2)
    return np.pad(index, (0, max(0, size - len(index))), mode="edge")


def _margin(classifier: Classifier, example: tuple[Array, Array]) -> Array:
    image, label = example
    return negative_margin(classifier, label)(image)
