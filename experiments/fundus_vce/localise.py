"""Table 2: how far the thresholded maps of each classifier and method meet the lesions.

Thresholds, radii and the norm are chosen on images of their own, which are never scored: first, for
each norm, the radius with which the ensemble's counterfactuals overlap the lesions most at their
best threshold, and of the norms the one that does so most; then, for each method, the threshold
with the highest overlap, averaged over the three classifiers (and the norms). The paper chooses in
this way too (section 2.4: tau "for each method", the norm p and "different epsilon per norm"); on
which classifier it does not say.
"""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from cfx_jax.attributions import Score, guided_backprop, integrated_gradients, vce_saliency
from cfx_jax.counterfactuals import Counterfactual
from cfx_jax.maps import channel_sum, quantile_threshold
from cfx_jax.metrics import intersection_over_union
from cfx_jax.objectives import Classifier, negative_log_probability
from cfx_jax.parallel import map_examples
from experiments.fundus_vce.config import Config, LocalisationConfig
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.search import Search, part_of
from experiments.fundus_vce.train import NAMES
from experiments.shared.image_set import ImageSet
from experiments.shared.stages import Arrays

GUIDED, INTEGRATED = "GBP", "IG"
STEM_GUIDED, MEAN_GRADIENT = "GBP, stem only", "IG, mean gradient"
ABLATIONS = {STEM_GUIDED: GUIDED, MEAN_GRADIENT: INTEGRATED}
"""The released scripts' variants, with the method whose threshold they share."""
_MAPS_AT_ONCE, _NODES_AT_ONCE = 4, 25  # one hundred images of 224 pixels, 9 GB for a ResNet-50


class Localised(NamedTuple):
    """Maps against lesion masks.

    Attributes:
        images: those scored.
        methods: names of the paper's methods, in its order.
        radii: the radius chosen for each norm.
        norm: the norm chosen; the first where nothing was chosen.
        quantiles: the threshold chosen for each method and ablation.
        tuned: ``{(p, radius): IoU}`` of the ensemble on the tuning images at the best threshold,
            and
        tuned_quantiles: ``{method: (q,)}`` the IoU there at every threshold; both empty where
            nothing was chosen.
        offered_quantiles: those thresholds.
        kept: ``{(classifier, method): (n, h, w)}`` the thresholded maps of the images scored.
        iou: ``{(classifier, method): (n,)}``.
        chance: ``{method: (n,)}`` the overlap that as many pixels at random in the eye would have.
        vce: ``{(classifier, p): Counterfactual}`` of the images scored.
    """

    images: ImageSet
    methods: tuple[str, ...]
    radii: Mapping[float, float]
    norm: float
    quantiles: Mapping[str, float]
    tuned: Mapping[tuple[float, float], float]
    tuned_quantiles: Mapping[str, np.ndarray]
    offered_quantiles: tuple[float, ...]
    kept: Mapping[tuple[str, str], np.ndarray]
    iou: Mapping[tuple[str, str], np.ndarray]
    chance: Mapping[str, np.ndarray]
    vce: Mapping[tuple[str, float], Counterfactual]

    @property
    def edges(self) -> list[str]:
        """The choices, in words, that lie at an end of what was offered, beyond which a better one
        may lie.
        """
        found = [
            vce_method(p) + f", ε = {radius:g}"
            for p, radius in self.radii.items()
            if self.is_edge(p, radius)
        ]
        return found + [
            f"threshold {self.quantiles[each]:g} of {each}"
            for each in self.methods
            if self._is_last(each)
        ]

    def is_edge(self, p: float, radius: float) -> bool:
        """Whether a radius is the least or the largest of several that were offered for a norm."""
        offered = [each for norm, each in self.tuned if norm == p]
        return len(offered) > 1 and radius in (min(offered), max(offered))

    def _is_last(self, method: str) -> bool:
        number = len(self.offered_quantiles) if method in self.tuned_quantiles else 0
        return number > 1 and self.quantiles[method] in (
            min(self.offered_quantiles),
            max(self.offered_quantiles),
        )


def vce_method(p: float) -> str:
    """The name of a norm's counterfactual maps."""
    return f"VCE l{p:g}"


def localise(config: Config, data: Data, search: Search) -> Localised | None:
    """Chooses thresholds and radii, and scores the maps; None where there are no lesion masks."""
    if data.lesions is None:
        return None
    count = config.localisation.num_tuning
    tuning, scored = np.arange(count), np.arange(count, len(data.lesions))
    maps = _Maps(config, data.lesions, data.finding, search)
    tuned = _overlaps_of_radii(config, maps, tuning)
    given = dict(zip(config.explanations.norms, config.explanations.radii, strict=True))
    radii, norm = choose_radii(tuned) if tuned else (given, config.explanations.norms[0])
    vce = {
        (name, p): maps.counterfactuals(name, p, radius)
        for name in NAMES
        for p, radius in radii.items()
    }
    saliency = maps.attributions() | {
        (name, vce_method(p)): maps.changes(found) for (name, p), found in vce.items()
    }
    methods = (GUIDED, INTEGRATED, *map(vce_method, radii))
    curves = _overlaps_of_quantiles(config, maps, saliency, methods, tuning)
    quantiles = choose_quantiles(config.localisation, methods, curves)
    masks, lesions = (data.lesions.arrays[field][scored] for field in ("eye_mask", "lesion_mask"))
    kept = {
        (name, each): threshold(found[scored], masks, quantiles[each])
        for (name, each), found in saliency.items()
    }
    return Localised(
        images=data.lesions.take(scored),
        methods=methods,
        radii=radii,
        norm=norm,
        quantiles=quantiles,
        tuned=tuned,
        tuned_quantiles=curves,
        offered_quantiles=config.localisation.quantiles,
        kept=kept,
        iou={key: intersection_over_union(each, lesions) for key, each in kept.items()},
        chance={method: chance(kept["ensemble", method], masks, lesions) for method in quantiles},
        vce={key: part_of(found, scored) for key, found in vce.items()},
    )


def threshold(
    saliency: Float[np.ndarray, "n h w"], masks: Bool[np.ndarray, "n h w"], quantile: float
) -> Bool[np.ndarray, "n h w"]:
    """The pixels of maps at or above a quantile of each, within masks."""
    return np.asarray(_threshold(jnp.asarray(saliency), jnp.asarray(masks), quantile))


def _threshold(saliency: Array, masks: Array, quantile: float) -> Array:
    return jax.vmap(lambda one, mask: quantile_threshold(one, quantile, mask=mask))(saliency, masks)


def chance(
    kept: Bool[np.ndarray, "n h w"],
    masks: Bool[np.ndarray, "n h w"],
    lesions: Bool[np.ndarray, "n h w"],
) -> Float[np.ndarray, " n"]:
    """The overlap of as many pixels drawn at random within the mask: expected intersection over
    expected union.
    """
    number, place, truth = (each.sum((1, 2)) for each in (kept, masks, lesions & masks))
    common = number * truth / place
    return common / (number + lesions.sum((1, 2)) - common)


class _Maps(NamedTuple):
    """The maps of all images with lesions, towards the finding, summed over channels."""

    config: Config
    images: ImageSet
    finding: int
    search: Search

    @property
    def targets(self) -> np.ndarray:
        return np.full(len(self.images), self.finding)

    def counterfactuals(
        self, name: str, p: float, radius: float, positions: np.ndarray | None = None
    ) -> Counterfactual:
        chosen = np.arange(len(self.images)) if positions is None else positions
        count = len(chosen)
        targets, radii = np.full(count, self.finding), np.full(count, radius)
        return self.search.find(
            "lesions", self.images, chosen, targets, classifier=name, p=p, radii=radii
        )

    def changes(
        self, found: Counterfactual, positions: np.ndarray | None = None
    ) -> Float[np.ndarray, "n h w"]:
        chosen = slice(None) if positions is None else positions
        return np.asarray(
            channel_sum(vce_saliency(self.images.arrays["image"][chosen], np.asarray(found.image)))
        )

    def attributions(self) -> dict[tuple[str, str], Float[np.ndarray, "n h w"]]:
        nodes, classifiers = self.config.explanations.integration_steps, self.search.classifiers
        makers = {
            "guided": (_guided_maps, classifiers.guided),
            "stem": (_stem_guided_maps, classifiers.stem_guided),
            "integrated": (_IntegratedMaps(nodes), classifiers.ordinary),
        }
        depends = [classifiers.identity, classifiers.temperatures, nodes, self.images.identity]
        found = {}
        for name, (stage, (maker, views)) in itertools.product(NAMES, makers.items()):

            def compute(name=name, stage=stage, maker=maker, views=views) -> Arrays:  # type: ignore[no-untyped-def]
                examples, label = (
                    (self.images.arrays["image"], self.targets),
                    f"{stage} maps of {name}",
                )
                return map_examples(
                    maker, views[name], examples, batch_size=_MAPS_AT_ONCE, progress=label
                )

            maps = self.search.workspace.cached(
                f"maps-{stage}-{name}", [depends, name, stage], compute
            )
            found.update({(name, method): each for method, each in maps.items()})
        return found

    def overlap(
        self, saliency: Float[np.ndarray, "n h w"], positions: np.ndarray, quantile: float
    ) -> float:
        """The mean overlap of the maps of some images at one threshold."""
        masks, lesions = (
            self.images.arrays[field][positions] for field in ("eye_mask", "lesion_mask")
        )
        return float(
            np.mean(intersection_over_union(threshold(saliency, masks, quantile), lesions))
        )


def _overlaps_of_radii(
    config: Config, maps: _Maps, tuning: np.ndarray
) -> dict[tuple[float, float], float]:
    """For every (norm, radius) the ensemble's overlap on the tuning images at its best threshold;
    empty without any.
    """
    settings, overlaps = config.localisation, {}
    given = dict(zip(config.explanations.norms, config.explanations.radii, strict=True))
    for p, factor in itertools.product(given, settings.radius_factors if len(tuning) else ()):
        radius = factor * given[p]
        changes = maps.changes(maps.counterfactuals("ensemble", p, radius, tuning), tuning)
        overlaps[p, radius] = max(
            maps.overlap(changes, tuning, each) for each in settings.quantiles
        )
    return overlaps


def choose_radii(overlaps: Mapping[tuple[float, float], float]) -> tuple[dict[float, float], float]:
    """For each norm the radius of highest overlap, and the norm whose radius has the highest of
    all.

    Args:
        overlaps: ``{(norm, radius): overlap}`` on the tuning images.
    """
    radii: dict[float, float] = {}
    for (p, radius), overlap in overlaps.items():
        if p not in radii or overlap > overlaps[p, radii[p]]:
            radii[p] = radius
    return radii, max(radii, key=lambda p: overlaps[p, radii[p]])


def _overlaps_of_quantiles(
    config: Config,
    maps: _Maps,
    saliency: Mapping[tuple[str, str], np.ndarray],
    methods: tuple[str, ...],
    tuning: np.ndarray,
) -> dict[str, np.ndarray]:
    """The overlap on the tuning images of every method at every threshold, mean over the
    classifiers; empty without any.
    """
    curves: dict[str, np.ndarray] = {}
    for method in methods if len(tuning) else ():
        overlaps = [
            [
                maps.overlap(saliency[name, method][tuning], tuning, each)
                for each in config.localisation.quantiles
            ]
            for name in NAMES
        ]
        curves[method] = np.mean(overlaps, axis=0)
    return curves


def choose_quantiles(
    settings: LocalisationConfig, methods: tuple[str, ...], curves: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """One threshold for guided backprop, one for integrated gradients, one for the counterfactuals
    of all norms.

    Args:
        settings: the thresholds that are offered, and those to take where nothing was measured.
        methods: names of all methods.
        curves: ``{method: (q,)}`` the overlap on the tuning images at every threshold offered; or
            empty.

    Returns:
        A threshold for each method and for each variant in ``ABLATIONS``, which has its method's.
    """
    vce = tuple(each for each in methods if each not in (GUIDED, INTEGRATED))
    given = {
        (GUIDED,): settings.quantile_guided,
        (INTEGRATED,): settings.quantile_integrated,
        vce: settings.quantile_vce,
    }
    for group in given if curves else ():
        given[group] = settings.quantiles[int(np.argmax(sum(curves[method] for method in group)))]
    chosen = {method: quantile for group, quantile in given.items() for method in group}
    return chosen | {variant: chosen[method] for variant, method in ABLATIONS.items()}


def _guided_maps(classifier: Classifier, example: tuple[Array, Array]) -> dict[str, Array]:
    image, target = example
    return {GUIDED: channel_sum(guided_backprop(_log_probability(classifier, target), image))}


def _stem_guided_maps(classifier: Classifier, example: tuple[Array, Array]) -> dict[str, Array]:
    return {STEM_GUIDED: _guided_maps(classifier, example)[GUIDED]}


class _IntegratedMaps(NamedTuple):
    """Integrated gradients from black with and without the multiplication by the image, from one
    set of gradients.
    """

    num_steps: int

    def __call__(self, classifier: Classifier, example: tuple[Array, Array]) -> dict[str, Array]:
        image, target = example
        score = _log_probability(classifier, target)
        mean = integrated_gradients(
            score,
            image,
            num_steps=self.num_steps,
            nodes_per_batch=_NODES_AT_ONCE,
            multiply_by_inputs=False,
        )
        return {INTEGRATED: channel_sum(image * mean), MEAN_GRADIENT: channel_sum(mean)}


def _log_probability(classifier: Classifier, target: Array) -> Score:
    """The score that all maps explain."""
    objective = negative_log_probability(classifier, target)
    return lambda image: -objective(image)
