"""Searches in the autoencoder's latents: counterfactuals, shifts, and steps without a bound."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from cfx_jax.backend import loop_body
from cfx_jax.compilation import shape_of
from cfx_jax.counterfactuals import (
    LatentCounterfactual,
    LatentShift,
    as_search_models,
    latent_counterfactual_batch,
    latent_shift_batch,
)
from cfx_jax.generator_interfaces import Coder
from cfx_jax.objectives import Classifier, class_score
from cfx_jax.parallel import map_examples
from experiments.acat.config import SearchConfig

WITHOUT, WITH = 0, 1
"""The classes: without and with a finding."""


class Explained(NamedTuple):
    """A classifier with what explains it.

    Attributes:
        classifier: one volume -> two logits.
        features: one volume -> maps of each slice (s, fh, fw, f).
        head: these -> two logits.
        coder: the encoder and the decoder of one volume.
    """

    classifier: Classifier
    features: Callable[[Array], Array]
    head: Callable[[Array], Array]
    coder: Coder


def search(
    explained: Explained,
    volumes: Float[np.ndarray, "n s h w 1"],
    target: int,
    settings: SearchConfig,
    *,
    batch_size: int,
    bounded: bool = True,
    progress: bool | str = False,
) -> LatentCounterfactual:
    """Searches latent counterfactuals of volumes, all towards one class.

    Args:
        explained: the classifier and the autoencoder.
        volumes: the scans, values in [0, 1].
        target: 0 without, 1 with a finding.
        settings: the settings of the search.
        batch_size: volumes at once.
        bounded: whether the change of the latent has a price.
        progress: whether to show a bar; a text is its label.
    """
    entries = shape_of(explained.coder.encode, volumes[0]).size
    penalty = settings.penalty if settings.quotient is None else settings.quotient * entries
    return latent_counterfactual_batch(
        explained.coder,
        explained.classifier,
        volumes,
        np.full(len(volumes), target),
        penalty=penalty if bounded else 0.0,
        num_steps=settings.num_steps,
        step_size=settings.step_size,
        proximal=settings.proximal and bounded,
        batch_size=batch_size,
        progress=progress,
    )


def shift(
    explained: Explained, volumes: Float[np.ndarray, "n s h w 1"], target: int, *, batch_size: int
) -> LatentShift:
    """Shifts the latents of volumes towards one class; arguments are as in ``search``."""
    targets = np.full(len(volumes), target)
    return latent_shift_batch(
        explained.coder, explained.classifier, volumes, targets, batch_size=batch_size
    )


class Traces(NamedTuple):
    """The probability of the finding of volumes, as searches lower it.

    Attributes:
        trace: after each step of latent counterfactuals, at the reconstruction first (n, steps +
            1).
        shifted: the probability after the best latent shift (n,).
        factors: the lambdas that latent shifts try, factors of the gradient of the probability of
            no finding (n, m).
        sweep: the probability at each factor (n, m).
    """

    trace: Float[np.ndarray, "n steps_plus_1"]
    shifted: Float[np.ndarray, " n"]
    factors: Float[np.ndarray, "n m"]
    sweep: Float[np.ndarray, "n m"]

    @classmethod
    def of(cls, counterfactual: LatentCounterfactual, shifted: LatentShift) -> "Traces":
        """The traces of searches towards no finding."""
        trace = 1 - np.asarray(counterfactual.trace)
        lowest, sweep = (
            1 - np.asarray(values) for values in (shifted.probability, shifted.probabilities)
        )
        return cls(trace, lowest, np.asarray(shifted.lambdas), sweep)


def remove_finding(
    explained: Explained,
    volumes: Float[np.ndarray, "n s h w 1"],
    settings: SearchConfig,
    *,
    batch_size: int,
) -> tuple[LatentCounterfactual, LatentShift]:
    """Searches and shifts towards no finding; arguments are as in ``search``."""
    counterfactual = search(explained, volumes, WITHOUT, settings, batch_size=batch_size)
    return counterfactual, shift(explained, volumes, WITHOUT, batch_size=batch_size)


class Walk(NamedTuple):
    """Steps without a bound, down the probability of the finding (Figure 6).

    Attributes:
        trace: the probability at the reconstruction and after each step (n, steps + 1).
        image: the picture that the decoder draws where it is lowest (n, s, h, w, 1).
    """

    trace: Float[np.ndarray, "n steps_plus_1"]
    image: Float[np.ndarray, "n s h w 1"]


def walk(
    explained: Explained,
    volumes: Float[np.ndarray, "n s h w 1"],
    step_size: float,
    *,
    num_steps: int,
    batch_size: int,
) -> Walk:
    """Walks down the probability of the finding, without a bound on the change.

    Args:
        explained, volumes, batch_size: as in ``search``.
        step_size: the length of a step, in units of the slope.
        num_steps: the number of steps of each volume.
    """
    sizes = np.full(len(volumes), step_size, np.float32)
    shared = as_search_models(
        explained.coder, explained.classifier, jnp.asarray(volumes[:1]), slices_per_batch=None
    )
    walks = map_examples(_WalkOfOne(num_steps), shared, (volumes, sizes), batch_size=batch_size)
    return Walk(*walks)


@dataclass(frozen=True)
class _WalkOfOne:
    """The walk of one volume; equal lengths compile once."""

    num_steps: int

    def __call__(self, shared: Any, example: tuple[Array, Array]) -> tuple[Array, Array]:
        volume, step_size = example
        score = class_score(shared.classifier, WITH, of="probability")

        def probability(latent: Array) -> Float[Array, ""]:
            return score(shared.decode(latent))

        def step(
            state: tuple[Array, Array, Array], _: None
        ) -> tuple[tuple[Array, Array, Array], Array]:
            latent, best, lowest = state
            value, slope = jax.value_and_grad(probability)(latent)
            best = jnp.where(value < lowest, latent, best)
            return (latent - step_size * slope, best, jnp.minimum(value, lowest)), value

        start = shared.encode(volume)
        (last, best, lowest), trace = jax.lax.scan(
            loop_body(step),
            (start, start, jnp.ones_like(probability(start))),
            None,
            length=self.num_steps,
        )
        value = probability(last)
        image = shared.decode(jnp.where(value < lowest, last, best))
        return jnp.append(trace, value), image
