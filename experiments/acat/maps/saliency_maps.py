"""Saliency maps of scans by every method, of the class with a finding.

Maps by which a network is to attend take no knowledge of the class: latent counterfactuals of both
targets, each scaled by its own maximum. Maps that are compared with the truth are of scans with a
finding, towards none, as in the paper.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float, Int

from cfx_jax.array_types import AnyArray
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
from cfx_jax.counterfactuals import LatentCounterfactual, LatentShift
from cfx_jax.maps import channel_sum
from cfx_jax.models import Parts, with_saliency
from cfx_jax.objectives import class_score
from cfx_jax.parallel import apply_to_examples
from experiments.acat.config import SearchConfig
from experiments.acat.maps.latent_searches import (
    WITH,
    WITHOUT,
    Explained,
    Traces,
    remove_finding,
    search,
    shift,
)
from experiments.acat.maps.names import (
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
from experiments.shared import Rows

_INTEGRATION_STEPS = 100

Volumes = Float[np.ndarray, "n s h w 1"]
Maps = Float[np.ndarray, "n s h w"]


class Explanations(NamedTuple):
    """Explanations of volumes with a finding, towards none.

    Attributes:
        maps: the maps of each method, (n, s, h, w).
        traces: the traces of the searches among the methods.
        reconstruction: the autoencoder's reconstructions (n, s, h, w, 1).
        counterfactual: the latent counterfactuals (n, s, h, w, 1).
        initial: the probability of the finding at the volumes themselves (n,).
    """

    maps: dict[str, Maps]
    traces: Traces
    reconstruction: Volumes
    counterfactual: Volumes
    initial: Float[np.ndarray, " n"]


def explain(
    explained: Explained, volumes: Volumes, settings: SearchConfig, *, batch_size: int
) -> Explanations:
    """Explains volumes that have a finding by all ``METHODS``; arguments are as in ``search``."""
    bounded, shifted = remove_finding(explained, volumes, settings, batch_size=batch_size)
    unbounded = search(explained, volumes, WITHOUT, settings, batch_size=batch_size, bounded=False)
    results: dict[str, LatentCounterfactual | LatentShift] = {
        OURS: bounded,
        NO_BOUND: unbounded,
        LATENT_SHIFT: shifted,
    }
    maps = {
        name: _subtract(_reference(volumes, result, settings), result.image)
        for name, result in results.items()
    }
    for name in (*_OF_CLASSIFIERS, *_OF_FEATURES):
        maps[name] = _attribute(name, explained, volumes, batch_size=batch_size)
    return Explanations(
        maps,
        Traces.of(bounded, shifted),
        np.asarray(bounded.reconstruction),
        np.asarray(bounded.image),
        1 - np.asarray(bounded.initial_probability),
    )


def explain_network(
    model: nnx.Module,
    explained: Explained,
    volumes: Volumes,
    settings: SearchConfig,
    *,
    batch_size: int,
) -> Maps:
    """The saliency maps of a network that takes saliency maps itself, for volumes whose class is
    not known.

    In section 4.4 these maps have the hit score 68.55 %. The input map stays the same while the
    search changes the volume; the paper does not say which map it takes. Volumes are searched one
    by one, since the map makes another classifier for each.

    Args:
        model: volumes and maps -> two logits, such as ACAT, in inference mode.
        explained: the networks that make the input maps.
        volumes, settings, batch_size: as in ``search``.
    """
    inputs = attention_maps(OURS, explained, volumes, settings, batch_size=batch_size)
    maps = []
    for volume, saliency in zip(volumes, inputs, strict=True):
        network = explained._replace(classifier=with_saliency(model, saliency[..., None]))
        maps.append(attention_maps(OURS, network, volume[None], settings, batch_size=1)[0])
    return np.stack(maps)


def attention_maps(
    method: str, explained: Explained, volumes: Volumes, settings: SearchConfig, *, batch_size: int
) -> Maps:
    """Maps by which a network is to attend, in [0, 1], of volumes whose class is not known.

    Args:
        method: ``OURS``, or another method.
        explained, volumes, settings, batch_size: as in ``search``.
    """
    if method in (OURS, LATENT_SHIFT):
        towards = (
            partial(search, explained, volumes, settings=settings, batch_size=batch_size)
            if method == OURS
            else partial(shift, explained, volumes, batch_size=batch_size)
        )
        positive, negative = towards(target=WITH), towards(target=WITHOUT)
        images = _reference(volumes, positive, settings), positive.image, negative.image
        maps = jax.vmap(lambda *images: latent_saliency(*images).map)(*images)
        return np.asarray(maps)[..., 0]
    raw = jnp.asarray(_attribute(method, explained, volumes, batch_size=batch_size))
    return np.asarray(jax.vmap(_scale_to_one)(raw))


class ControlMaps:
    """Maps that say nothing of their scans, computed when they are read.

    They are zeros, the maps of other scans, or uniform noise.

    Args:
        kind: ``ZERO``, ``SHUFFLED`` or ``NOISE``.
        maps: true ones (n, ...).
        used: positions of the scans that have a map, among which maps change places.
        seed: the seed of the order and of the noise.
    """

    def __init__(self, kind: str, maps: Rows, used: Int[np.ndarray, " m"], *, seed: int) -> None:
        self.shape = maps.shape
        self._kind, self._maps, self._seed = kind, maps, seed
        order = np.random.default_rng(seed).permutation(used)
        self._other = np.arange(len(maps))
        self._other[order] = np.roll(order, 1)  # a single cycle, so that no scan keeps its own

    def __len__(self) -> int:
        return len(self._other)

    def __getitem__(self, rows: int | Int[np.ndarray, " m"]) -> Float[np.ndarray, "..."]:
        if np.ndim(rows):
            return np.stack([self._map(int(row)) for row in np.asarray(rows)])
        return self._map(int(np.arange(len(self))[rows]))

    def _map(self, row: int) -> Float[np.ndarray, "..."]:
        if self._kind == SHUFFLED:
            return np.asarray(self._maps[int(self._other[row])])
        if self._kind == ZERO:
            return np.zeros(self.shape[1:], np.float32)
        return np.random.default_rng([self._seed, row]).random(self.shape[1:], np.float32)


def _reference(
    volumes: AnyArray, result: LatentCounterfactual | LatentShift, settings: SearchConfig
) -> AnyArray:
    """The images from which counterfactuals are subtracted."""
    return volumes if settings.reference == "original" else result.reconstruction


def _subtract(reference: AnyArray, counterfactual: AnyArray) -> Maps:
    maps = jax.vmap(lambda *images: difference_saliency(*images).map)(reference, counterfactual)
    return np.asarray(maps)[..., 0]


def _scale_to_one(saliency: Float[Array, "s h w"]) -> Float[Array, "s h w"]:
    largest = saliency.max()
    return saliency / jnp.where(largest > 0, largest, 1)


def _score(classifier: Any, volume: Float[Array, "s h w 1"]) -> Float[Array, ""]:
    return class_score(classifier, WITH)(volume)


def _magnitude(
    attribution: Any, classifier: Any, volume: Float[Array, "s h w 1"]
) -> Float[Array, "s h w"]:
    return channel_sum(jnp.abs(attribution(Partial(_score, classifier), volume)))


def _by_slice(
    method: Any, network: tuple[Any, Any], volume: Float[Array, "s h w 1"]
) -> Float[Array, "s h w"]:
    """A method of the plane on each slice; the features of the other slices stay as they are."""
    features, head = network
    all_maps = features(volume)

    def explain_slice(image: Float[Array, "h w 1"], index: Int[Array, ""]) -> Float[Array, "h w"]:
        tap = Parts(
            lambda slice: features(slice[None])[0],
            lambda maps: head(all_maps.at[index].set(maps)),
        )
        saliency = method(tap, image, WITH)
        return saliency.reshape(volume.shape[1:3])

    return over_slices(explain_slice, volume)


# Made once: a program is compiled anew for each new function.
_integrated = partial(integrated_gradients, num_steps=_INTEGRATION_STEPS, nodes_per_batch=1)
_OF_CLASSIFIERS: dict[str, Callable[..., Array]] = {
    GRADIENT: partial(_magnitude, gradient),
    INTEGRATED: partial(_magnitude, _integrated),
}
_OF_FEATURES: dict[str, Callable[..., Array]] = {
    GRAD_CAM: partial(_by_slice, grad_cam),
    GRAD_CAM_PP: partial(_by_slice, grad_cam_plus_plus),
    SCORE_CAM: partial(_by_slice, score_cam),
}


def _attribute(method: str, explained: Explained, volumes: Volumes, *, batch_size: int) -> Maps:
    attribution = (
        Partial(_OF_CLASSIFIERS[method], explained.classifier)
        if method in _OF_CLASSIFIERS
        else Partial(_OF_FEATURES[method], (explained.features, explained.head))
    )
    maps = apply_to_examples(attribution, volumes, batch_size=batch_size, progress=method)
    return np.asarray(maps)
