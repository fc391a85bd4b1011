"""Saliency maps of scans by every method, of the class with a finding.

Maps by which a network is to attend take no knowledge of the class: latent counterfactuals of both
targets, each scaled by its own maximum. Maps that are compared with the truth are of scans with a
finding, towards none, as in the paper.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float, Int

from cfx_jax.arrays import AnyArray
from cfx_jax.attributions import (
    difference_saliency,
    grad_cam,
    grad_cam_plus_plus,
    gradient,
    integrated_gradients,
    latent_saliency,
    over_slices,
    score_cam,
)
from cfx_jax.callables import call, shape_of
from cfx_jax.counterfactuals import (
    LatentCounterfactual,
    LatentShift,
    as_search_models,
    latent_counterfactual_batch,
    latent_shift_batch,
)
from cfx_jax.generators import Coder
from cfx_jax.maps import channel_sum
from cfx_jax.models import with_saliency
from cfx_jax.objectives import Classifier, class_score
from cfx_jax.parallel import map_examples
from experiments.acat.config import SearchConfig
from experiments.acat.sources import (
    GRAD_CAM,
    GRAD_CAM_PP,
    GRADIENT,
    INTEGRATED,
    LATENT_SHIFT,
    NO_BOUND,
    OURS,
    SCORE_CAM,
    SHUFFLED,
    ZERO,
)
from experiments.shared.array_store import Rows

_INTEGRATION_STEPS = 100
_WITHOUT, _WITH = 0, 1  # the classes: without and with a finding


class Explained(NamedTuple):
    """A classifier with what explains it.

    Attributes:
        classifier: one volume -> two logits.
        features: one volume -> maps of each slice (s, fh, fw, f).
        head: these -> two logits.
        coder: of one volume.
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
    """Latent counterfactuals of volumes, all towards one class.

    Args:
        explained: the classifier and the autoencoder.
        volumes: in [0, 1].
        target: 0 without, 1 with a finding.
        settings: of the search.
        batch_size: volumes at once.
        bounded: whether the change of the latent has a price.
        progress: whether to show a bar; a text is its label.
    """
    latent = shape_of(explained.coder.encode, volumes[0])
    return latent_counterfactual_batch(
        explained.coder,
        explained.classifier,
        volumes,
        np.full(len(volumes), target),
        penalty=_penalty(settings, latent.size) if bounded else 0.0,
        num_steps=settings.num_steps,
        step_size=settings.step_size,
        proximal=settings.proximal and bounded,
        batch_size=batch_size,
        progress=progress,
    )


def shift(
    explained: Explained, volumes: Float[np.ndarray, "n s h w 1"], target: int, *, batch_size: int
) -> LatentShift:
    """Latent shifts of volumes, all towards one class; arguments as ``search``."""
    targets = np.full(len(volumes), target)
    return latent_shift_batch(
        explained.coder, explained.classifier, volumes, targets, batch_size=batch_size
    )


class Reached(NamedTuple):
    """How far the searches come in lowering the probability of the finding of volumes that have
    one.

    Attributes:
        trace: after each step of latent counterfactuals, at the reconstruction first (n, steps +
            1).
        shifted: by the best latent shift (n,).
        factors: the lambdas that latent shifts try, factors of the gradient of the probability of
            no finding (n, m).
        sweep: at each of them (n, m).
    """

    trace: Float[np.ndarray, "n steps_plus_1"]
    shifted: Float[np.ndarray, " n"]
    factors: Float[np.ndarray, "n m"]
    sweep: Float[np.ndarray, "n m"]


class Detected(NamedTuple):
    """Volumes with a finding, explained towards none.

    Attributes:
        maps: by method, (n, s, h, w).
        reached: by the searches among them.
        reconstruction: of the autoencoder (n, s, h, w, 1).
        counterfactual: of latent counterfactuals (n, s, h, w, 1).
        initial: the probability of the finding at the volumes themselves (n,).
    """

    maps: dict[str, Float[np.ndarray, "n s h w"]]
    reached: Reached
    reconstruction: Float[np.ndarray, "n s h w 1"]
    counterfactual: Float[np.ndarray, "n s h w 1"]
    initial: Float[np.ndarray, " n"]


def reached(
    explained: Explained,
    volumes: Float[np.ndarray, "n s h w 1"],
    settings: SearchConfig,
    *,
    batch_size: int,
) -> Reached:
    """Searches alone; arguments as ``search``."""
    return _reached(*_searches(explained, volumes, settings, batch_size=batch_size))


def detected(
    explained: Explained,
    volumes: Float[np.ndarray, "n s h w 1"],
    settings: SearchConfig,
    *,
    batch_size: int,
) -> Detected:
    """What each of ``DETECTORS`` holds for the finding of volumes that have one, and the searches
    among them.

    Arguments as ``search``.
    """
    bounded, shifted = _searches(explained, volumes, settings, batch_size=batch_size)
    unbounded = search(explained, volumes, _WITHOUT, settings, batch_size=batch_size, bounded=False)
    found: dict[str, LatentCounterfactual | LatentShift] = {
        OURS: bounded,
        NO_BOUND: unbounded,
        LATENT_SHIFT: shifted,
    }
    differences = {
        name: _differences(_reference(volumes, each, settings), each.image)
        for name, each in found.items()
    }
    attributions = {
        name: _attributed(name, explained, volumes, batch_size=batch_size)
        for name in (*_OF_CLASSIFIERS, *_OF_FEATURES)
    }
    maps, images = (
        differences | attributions,
        (np.asarray(bounded.reconstruction), np.asarray(bounded.image)),
    )
    return Detected(
        maps, _reached(bounded, shifted), *images, 1 - np.asarray(bounded.initial_probability)
    )


def detected_with(
    model: nnx.Module,
    explained: Explained,
    volumes: Float[np.ndarray, "n s h w 1"],
    settings: SearchConfig,
    *,
    batch_size: int,
) -> Float[np.ndarray, "n s h w"]:
    """Maps of a network that takes maps itself, of volumes whose class is not known (section 4.4,
    68.55 %).

    The network keeps the map that it was given while the volume changes; which one the paper takes
    is not said. Volumes are searched one by one, since each has a classifier of its own.

    Args:
        model: volumes and maps -> two logits, such as ACAT, in inference mode.
        explained: what makes the maps that it is given.
        volumes, settings, batch_size: as ``search``.
    """
    given = attention_maps(OURS, explained, volumes, settings, batch_size=batch_size)
    found = []
    for volume, saliency in zip(volumes, given, strict=True):
        own = explained._replace(classifier=with_saliency(model, saliency[..., None]))
        found.append(attention_maps(OURS, own, volume[None], settings, batch_size=1)[0])
    return np.stack(found)


class Walk(NamedTuple):
    """Searches without a bound, down the probability of the finding (Figure 6).

    Attributes:
        trace: that probability, at the reconstruction and after each step (n, steps + 1).
        image: what the decoder draws where it is lowest (n, s, h, w, 1).
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
    """Steps of ``step_size`` times the slope of the probability of the finding, downwards; other
    arguments as ``search``.
    """
    sizes = np.full(len(volumes), step_size, np.float32)
    shared = as_search_models(
        explained.coder, explained.classifier, jnp.asarray(volumes[:1]), slices_per_batch=None
    )
    return Walk(*map_examples(_Walking(num_steps), shared, (volumes, sizes), batch_size=batch_size))


@dataclass(frozen=True)
class _Walking:
    """The walk of one volume; equal lengths compile once."""

    num_steps: int

    def __call__(self, shared: Any, example: tuple[Array, Array]) -> tuple[Array, Array]:
        volume, step_size = example
        score = class_score(shared.classifier, _WITH, of="probability")

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
            step, (start, start, jnp.ones_like(probability(start))), None, length=self.num_steps
        )
        value = probability(last)
        image = shared.decode(jnp.where(value < lowest, last, best))
        return jnp.append(trace, value), image


def attention_maps(
    source: str,
    explained: Explained,
    volumes: Float[np.ndarray, "n s h w 1"],
    settings: SearchConfig,
    *,
    batch_size: int,
) -> Float[np.ndarray, "n s h w"]:
    """Maps by which a network is to attend, in [0, 1], of volumes whose class is not known.

    Args:
        source: ``OURS``, or another method.
        explained, volumes, settings, batch_size: as ``search``.
    """
    if source in (OURS, LATENT_SHIFT):
        towards = (
            partial(search, explained, volumes, settings=settings, batch_size=batch_size)
            if source == OURS
            else partial(shift, explained, volumes, batch_size=batch_size)
        )
        positive, negative = towards(target=_WITH), towards(target=_WITHOUT)
        reference = _reference(volumes, positive, settings)
        return np.asarray(
            jax.vmap(lambda *images: latent_saliency(*images).map)(
                reference, positive.image, negative.image
            )
        )[..., 0]
    raw = jnp.asarray(_attributed(source, explained, volumes, batch_size=batch_size))
    return np.asarray(jax.vmap(_unit)(raw))


class ControlMaps:
    """Maps that say nothing of their scans: zeros, those of other scans, or uniform noise; computed
    when they are read.

    Args:
        source: ``ZERO``, ``SHUFFLED`` or ``NOISE``.
        maps: true ones (n, ...).
        seed: of the order and of the noise.
    """

    def __init__(self, source: str, maps: Rows, *, seed: int) -> None:
        self.shape = maps.shape
        self._source, self._maps, self._seed = source, maps, seed
        order = np.random.default_rng(seed).permutation(len(maps))
        self._other = np.empty_like(order)
        self._other[order] = np.roll(order, 1)  # a single cycle, so that no scan keeps its own

    def __len__(self) -> int:
        return len(self._other)

    def __getitem__(self, rows: int | Int[np.ndarray, " m"]) -> Float[np.ndarray, "..."]:
        if np.ndim(rows):
            return np.stack([self._map(int(row)) for row in np.asarray(rows)])
        return self._map(int(np.arange(len(self))[rows]))

    def _map(self, row: int) -> Float[np.ndarray, "..."]:
        if self._source == SHUFFLED:
            return np.asarray(self._maps[int(self._other[row])])
        if self._source == ZERO:
            return np.zeros(self.shape[1:], np.float32)
        return np.random.default_rng([self._seed, row]).random(self.shape[1:], np.float32)


def _searches(
    explained: Explained,
    volumes: Float[np.ndarray, "n s h w 1"],
    settings: SearchConfig,
    *,
    batch_size: int,
) -> tuple[LatentCounterfactual, LatentShift]:
    found = search(explained, volumes, _WITHOUT, settings, batch_size=batch_size)
    return found, shift(explained, volumes, _WITHOUT, batch_size=batch_size)


def _reached(found: LatentCounterfactual, shifted: LatentShift) -> Reached:
    values = found.trace, shifted.probability, shifted.probabilities
    trace, best, sweep = (1 - np.asarray(each) for each in values)
    return Reached(trace, best, np.asarray(shifted.lambdas), sweep)


def _penalty(settings: SearchConfig, entries: int) -> float:
    return settings.penalty if settings.quotient is None else settings.quotient * entries


def _reference(
    volumes: AnyArray, found: LatentCounterfactual | LatentShift, settings: SearchConfig
) -> AnyArray:
    """What counterfactuals are subtracted from."""
    return volumes if settings.reference == "original" else found.reconstruction


def _differences(reference: AnyArray, counterfactual: AnyArray) -> Float[np.ndarray, "n s h w"]:
    return np.asarray(
        jax.vmap(lambda *images: difference_saliency(*images).map)(reference, counterfactual)
    )[..., 0]


def _unit(saliency: Float[Array, "s h w"]) -> Float[Array, "s h w"]:
    largest = saliency.max()
    return saliency / jnp.where(largest > 0, largest, 1)


def _score(classifier: Any, volume: Float[Array, "s h w 1"]) -> Float[Array, ""]:
    return class_score(classifier, _WITH)(volume)


def _magnitude(
    attribution: Any, classifier: Any, volume: Float[Array, "s h w 1"]
) -> Float[Array, "s h w"]:
    return channel_sum(jnp.abs(attribution(Partial(_score, classifier), volume)))


def _by_slice(
    method: Any, explained: tuple[Any, Any], volume: Float[Array, "s h w 1"]
) -> Float[Array, "s h w"]:
    """A method of the plane on each slice; the features of the other slices stay as they are."""
    features, head = explained
    all_maps = features(volume)

    def explain(image: Float[Array, "h w 1"], index: Int[Array, ""]) -> Float[Array, "h w"]:
        found = method(
            lambda slice: features(slice[None])[0],
            lambda maps: head(all_maps.at[index].set(maps)),
            image,
            _WITH,
        )
        return found.reshape(volume.shape[1:3])

    return over_slices(explain, volume)


# Made once: a program is compiled anew for each new function.
_OF_CLASSIFIERS = {
    GRADIENT: partial(_magnitude, gradient),
    INTEGRATED: partial(
        _magnitude, partial(integrated_gradients, num_steps=_INTEGRATION_STEPS, nodes_per_batch=1)
    ),
}
_OF_FEATURES = {
    GRAD_CAM: partial(_by_slice, grad_cam),
    GRAD_CAM_PP: partial(_by_slice, grad_cam_plus_plus),
    SCORE_CAM: partial(_by_slice, score_cam),
}


def _attributed(
    method: str, explained: Explained, volumes: Float[np.ndarray, "n s h w 1"], *, batch_size: int
) -> Float[np.ndarray, "n s h w"]:
    by_method = (
        Partial(_OF_CLASSIFIERS[method], explained.classifier)
        if method in _OF_CLASSIFIERS
        else Partial(_OF_FEATURES[method], (explained.features, explained.head))
    )
    return np.asarray(
        map_examples(call, by_method, volumes, batch_size=batch_size, progress=method)
    )
