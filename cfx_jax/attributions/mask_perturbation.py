"""Meaningful perturbation (BBMP): the small region whose blurring lowers a score most.

Fong & Vedaldi 2017, "Interpretable explanations of black boxes", deletion game.

Settings of Charachon et al. 2020 and 2021: a mask of 56 x 56 for an image of 224 x 224, filtered
after upsampling (sigma 3), a blurred image behind it (sigma 5), 150 steps. They print no weights,
power and step size: these come from the code that Fong & Vedaldi released. Its jitter of the image
is left out: it would make the objective random.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float

from cfx_jax.attributions.gradient import Score, check_score
from cfx_jax.checks import check_at_least, check_image, check_num_steps, check_positive
from cfx_jax.compilation import compiled
from cfx_jax.errors import InputError
from cfx_jax.maps import smooth, upsample
from cfx_jax.optimise import Problem, from_optax, run


@dataclass(frozen=True)
class MaskProblem:
    """Makes the optimisation problem of one image; equal settings compile once.

    ``optimise.solve(MaskProblem(), score, images)`` runs many images on all devices; ``coverage``
    makes each solution a map.

    Attributes: see ``mask_perturbation``.
    """

    mask_shape: tuple[int, int] | None = None
    blur_sigma: float = 5.0
    mask_sigma: float = 3.0
    num_steps: int = 150
    step_size: float = 0.1
    area_weight: float = 1e-4
    variation_weight: float = 1e-2
    variation_power: float = 3.0

    def __post_init__(self) -> None:
        check_num_steps(self.num_steps)
        for name in ("blur_sigma", "mask_sigma", "step_size"):
            check_positive(getattr(self, name), name=name)
        for name, least in (("area_weight", 0), ("variation_weight", 0), ("variation_power", 1)):
            check_at_least(getattr(self, name), least, name=name)

    def __call__(self, score: Score, image: Float[Array, "h w c"]) -> Problem:
        height, width, _ = image.shape
        blurred = smooth(image, sigma=self.blur_sigma)

        def objective(mask: Float[Array, "mh mw"]) -> Float[Array, ""]:
            hidden = self.coverage(mask, (height, width))[..., None]
            area = (1 - mask).sum()
            variation = sum(
                (jnp.abs(jnp.diff(mask, axis=axis)) ** self.variation_power).sum()
                for axis in (0, 1)
            )
            penalty = self.area_weight * area + self.variation_weight * variation
            return score(image + hidden * (blurred - image)) + penalty

        adam = from_optax(
            optax.adam(self.step_size),
            num_steps=self.num_steps,
            project=lambda mask: jnp.clip(mask, 0, 1),
        )
        return Problem(adam, objective, jnp.ones(self._shape((height, width)), image.dtype))

    def coverage(self, mask: Float[Array, "mh mw"], size: tuple[int, int]) -> Float[Array, "h w"]:
        """How much of each pixel a mask hides: ``1 - mask``, upsampled to ``size`` and filtered."""
        return smooth(upsample(1 - mask, size), sigma=self.mask_sigma)

    def _shape(self, size: tuple[int, int]) -> tuple[int, int]:
        if self.mask_shape is None:
            return -(-size[0] // 4), -(-size[1] // 4)
        sides = self.mask_shape if isinstance(self.mask_shape, Sequence) else ()
        fits = [
            isinstance(side, Integral) and 1 <= side <= pixels
            for side, pixels in zip(sides, size, strict=False)
        ]
        if len(sides) != 2 or not all(fits):
            raise InputError(
                f"mask_shape: expected (rows, columns) from (1, 1) to {size}, got {self.mask_shape}"
            )
        return self.mask_shape


def mask_perturbation(
    score: Score,
    image: Float[Array, "h w c"],
    *,
    mask_shape: tuple[int, int] | None = MaskProblem.mask_shape,
    blur_sigma: float = MaskProblem.blur_sigma,
    mask_sigma: float = MaskProblem.mask_sigma,
    num_steps: int = MaskProblem.num_steps,
    step_size: float = MaskProblem.step_size,
    area_weight: float = MaskProblem.area_weight,
    variation_weight: float = MaskProblem.variation_weight,
    variation_power: float = MaskProblem.variation_power,
) -> Float[Array, "h w"]:
    """The small, smooth region whose blurring lowers the score most.

    Minimises over masks m in [0, 1], by Adam from m = 1, ``score(M x + (1 - M) blur(x)) +
    area_weight * sum(1 - m) + variation_weight * sum(|differences of m|^variation_power)``, where M
    is m upsampled and filtered. Where blurring does not lower the score (often so for a healthy
    image) the map is empty: the method's limit. Composes with jit, vmap and pmap.

    Args:
        score: one image -> scalar, the probability of the class to explain (the weights below are
            on its scale).
        image: values in [0, 1].
        mask_shape: rows and columns of the mask; None takes a quarter of the image's, rounded up.
        blur_sigma: standard deviation of the blur behind the mask, in pixels, above 0.
        mask_sigma: standard deviation of the filter on the upsampled mask, in pixels, above 0.
        num_steps: the number of steps, at least 1; costs ``num_steps + 1`` gradients.
        step_size: the step size of Adam, in units of the mask, above 0.
        area_weight: price of hiding one mask pixel, at least 0.
        variation_weight: price of the mask's differences between neighbours in rows and in columns,
            at least 0.
        variation_power: at least 1; 1 is total variation.

    Returns:
        How much of each pixel is hidden, ``1 - M``, in [0, 1]; all channels share it. At the last
        iterate.

    Raises:
        InputError: no valid image, a mask larger than it, or an option outside its range.

    Example:
        >>> image = jnp.zeros((8, 8, 1)).at[2:6, 2:6].set(1.0)
        >>> hidden = mask_perturbation(lambda x: x[3:5, 3:5].mean(), image, num_steps=3)
        >>> hidden.shape, bool(hidden[4, 4] > 0)
        ((8, 8), True)
    """
    check_image(image)
    check_score(score, image)
    problem = MaskProblem(
        mask_shape,
        blur_sigma,
        mask_sigma,
        num_steps,
        step_size,
        area_weight,
        variation_weight,
        variation_power,
    )
    return compiled(_search, problem, score, jnp.asarray(image))


def _search(
    problem: MaskProblem, score: Score, image: Float[Array, "h w c"]
) -> Float[Array, "h w"]:
    height, width, _ = image.shape
    return problem.coverage(run(*problem(score, image)).solution, (height, width))
