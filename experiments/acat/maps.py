"""Saliency maps of scans by every method, of the class with a finding.

Maps by which a network is to attend take no knowledge of the class: latent counterfactuals of both targets, each scaled by
its own maximum. Maps that are compared with the truth are of scans with a finding, towards none, as in the paper.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
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
from cfx_jax.callables import call
from cfx_jax.counterfactuals import (
    LatentCounterfactual,
    LatentShift,
    latent_counterfactual_batch,
    latent_shift_batch,
)
from cfx_jax.counterfactuals.cycle import Coder
from cfx_jax.maps import channel_sum
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
    latent = jax.eval_shape(explained.coder.encode, volumes[0])
    return latent_counterfactual_batch(
        explained.coder,
        explained.classifier,
        volumes,
        np.full(len(volumes), target),
        penalty=settings.quotient * latent.size if bounded else 0.0,
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
    return latent_shift_batch(explained.coder, explained.classifier, volumes, targets, batch_size=batch_size)


class Reached(NamedTuple):
    """How far the searches come in lowering the probability of the finding of volumes that have one.

    Attributes:
        trace: after each step of latent counterfactuals, at the reconstruction first (n, steps + 1).
        shifted: by the best latent shift (n,).
    """

    trace: Float[np.ndarray, "n steps_plus_1"]
    shifted: Float[np.ndarray, " n"]


def reached(
    explained: Explained, volumes: Float[np.ndarray, "n s h w 1"], settings: SearchConfig, *, batch_size: int
) -> Reached:
    """Searches alone; arguments as ``search``."""
    return _reached(*_searches(explained, volumes, settings, batch_size=batch_size))


def detected(
    explained: Explained, volumes: Float[np.ndarray, "n s h w 1"], settings: SearchConfig, *, batch_size: int
) -> tuple[dict[str, Float[np.ndarray, "n s h w"]], Reached]:
    """What each of ``DETECTORS`` holds for the finding of volumes that have one, and the searches among them.

    Arguments as ``search``.
    """
    bounded, shifted = _searches(explained, volumes, settings, batch_size=batch_size)
    unbounded = search(explained, volumes, _WITHOUT, settings, batch_size=batch_size, bounded=False)
    differences = {
        OURS: _differences(bounded.reconstruction, bounded.image),
        NO_BOUND: _differences(unbounded.reconstruction, unbounded.image),
        LATENT_SHIFT: _differences(shifted.reconstruction, shifted.image),
    }
    attributions = {
        name: _attributed(name, explained, volumes, batch_size=batch_size) for name in (*_OF_CLASSIFIERS, *_OF_FEATURES)
    }
    return differences | attributions, _reached(bounded, shifted)


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
        return np.asarray(
            jax.vmap(lambda *images: latent_saliency(*images).map)(
                positive.reconstruction, positive.image, negative.image
            )
        )[..., 0]
    raw = jnp.asarray(_attributed(source, explained, volumes, batch_size=batch_size))
    return np.asarray(jax.vmap(_unit)(raw))


def control_maps(source: str, maps: Float[np.ndarray, "n s h w"], *, seed: int) -> Float[np.ndarray, "n s h w"]:
    """Maps that say nothing of their scans: zeros, those of other scans, or uniform noise.

    Args:
        source: ``ZERO``, ``SHUFFLED`` or ``NOISE``.
        maps: true ones.
        seed: of the order and of the noise.
    """
    rng = np.random.default_rng(seed)
    if source == SHUFFLED:  # a single cycle, so that no scan keeps its own
        order = rng.permutation(len(maps))
        shuffled = np.empty_like(maps)
        shuffled[order] = maps[np.roll(order, 1)]
        return shuffled
    return np.zeros_like(maps) if source == ZERO else rng.random(maps.shape, np.float32)


def _searches(
    explained: Explained, volumes: Float[np.ndarray, "n s h w 1"], settings: SearchConfig, *, batch_size: int
) -> tuple[LatentCounterfactual, LatentShift]:
    found = search(explained, volumes, _WITHOUT, settings, batch_size=batch_size)
    return found, shift(explained, volumes, _WITHOUT, batch_size=batch_size)


def _reached(found: LatentCounterfactual, shifted: LatentShift) -> Reached:
    return Reached(1 - np.asarray(found.trace), 1 - np.asarray(shifted.probability))


def _differences(reference: AnyArray, counterfactual: AnyArray) -> Float[np.ndarray, "n s h w"]:
    return np.asarray(jax.vmap(lambda *images: difference_saliency(*images).map)(reference, counterfactual))[..., 0]


def _unit(saliency: Float[Array, "s h w"]) -> Float[Array, "s h w"]:
    largest = saliency.max()
    return saliency / jnp.where(largest > 0, largest, 1)


def _score(classifier: Any, volume: Float[Array, "s h w 1"]) -> Float[Array, ""]:
    return class_score(classifier, _WITH)(volume)


def _magnitude(attribution: Any, classifier: Any, volume: Float[Array, "s h w 1"]) -> Float[Array, "s h w"]:
    return channel_sum(jnp.abs(attribution(Partial(_score, classifier), volume)))


def _by_slice(method: Any, explained: tuple[Any, Any], volume: Float[Array, "s h w 1"]) -> Float[Array, "s h w"]:
    """A method of the plane on each slice; the features of the other slices stay as they are."""
    features, head = explained
    all_maps = features(volume)

    def explain(image: Float[Array, "h w 1"], index: Int[Array, ""]) -> Float[Array, "h w"]:
        found = method(
            lambda slice: features(slice[None])[0], lambda maps: head(all_maps.at[index].set(maps)), image, _WITH
        )
        return found.reshape(volume.shape[1:3])

    return over_slices(explain, volume)


# Made once: a program is compiled anew for each new function.
_OF_CLASSIFIERS = {
    GRADIENT: partial(_magnitude, gradient),
    INTEGRATED: partial(_magnitude, partial(integrated_gradients, num_steps=_INTEGRATION_STEPS, nodes_per_batch=1)),
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
    return np.asarray(map_examples(call, by_method, volumes, batch_size=batch_size, progress=method))
