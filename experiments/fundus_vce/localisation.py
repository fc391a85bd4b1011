"""Table 2: how far the thresholded maps of each classifier and method meet the lesions.

Thresholds, radii and the norm are chosen on images of their own, which are never scored: first, for
each norm, the radius with which the ensemble's counterfactuals overlap the lesions most at their
best threshold, and of the norms the one that does so most; then, for each method, the threshold
with the highest overlap, averaged over the three classifiers (and the norms). The paper chooses in
this way too (section 2.4: tau "for each method", the norm p and "different epsilon per norm"); on
which classifier it does not say.

A radius that is best for a map may be too small for the eye: the change is then little more than a
gradient. Figure 1 therefore shows the counterfactual of ``explanations.radii`` beside the map's.
"""

import itertools
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

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
from experiments.fundus_vce.classifiers import NAMES
from experiments.fundus_vce.config import LocalisationConfig
from experiments.fundus_vce.controls import score_controls
from experiments.fundus_vce.counterfactuals import Search, select
from experiments.fundus_vce.setup import Setup
from experiments.fundus_vce.typical_image import TypicalImage, choose_typical
from experiments.shared import ImageSet, Level, find_level

GUIDED, INTEGRATED = "GBP", "IG"
STEM_GUIDED, MEAN_GRADIENT = "GBP, stem only", "IG, mean gradient"
ABLATIONS = {STEM_GUIDED: GUIDED, MEAN_GRADIENT: INTEGRATED}
"""The released scripts' variants, with the method whose threshold they share."""
_MAPS_AT_ONCE, _NODES_AT_ONCE = 4, 25  # one hundred images of 224 pixels, 9 GB for a ResNet-50

Maps = Mapping[tuple[str, str], np.ndarray]
"""``{(classifier, method): (n, h, w)}``."""


class Localised(NamedTuple):
    """Maps against lesion masks.

    Attributes:
        images: the images whose maps are scored.
        methods: names of the paper's methods, in its order.
        radii: the radius chosen for the maps of each norm.
        norm: the norm chosen; the first where nothing was chosen.
        quantiles: the threshold chosen for each method and ablation.
        tuned: ``{(p, radius): IoU}`` of the ensemble on the tuning images at the best threshold;
            empty where nothing was chosen.
        tuned_quantiles: ``{method: (q,)}`` the IoU on the tuning images at every threshold; empty
            where nothing was chosen.
        offered_quantiles: these thresholds.
        controls: ``{control: (n,)}`` the overlap of maps without a network.
        kept: ``{(classifier, method): (n, h, w)}`` the thresholded maps of the images scored.
        iou: ``{(classifier, method): (n,)}``.
        chance: ``{method: (n,)}`` the overlap that as many pixels at random in the eye would have.
        vce: ``{(classifier, p): Counterfactual}`` of the images scored, with the maps' radii.
        typical: the image of Figure 1.
    """

    images: ImageSet
    methods: tuple[str, ...]
    radii: Mapping[float, float]
    norm: float
    quantiles: Mapping[str, float]
    tuned: Mapping[tuple[float, float], float]
    tuned_quantiles: Mapping[str, np.ndarray]
    offered_quantiles: tuple[float, ...]
    controls: Mapping[str, np.ndarray]
    kept: Maps
    iou: Mapping[tuple[str, str], np.ndarray]
    chance: Mapping[str, np.ndarray]
    vce: Mapping[tuple[str, float], Counterfactual]
    typical: TypicalImage

    @property
    def edges(self) -> list[str]:
        """The choices, in words, at an end of what was offered: a better one may lie beyond."""
        radii = [
            f"{vce_method(p)}, ε = {radius:g}"
            for p, radius in self.radii.items()
            if self.is_edge(p, radius)
        ]
        return radii + [
            f"threshold {self.quantiles[method]:g} of {method}"
            for method in self.methods
            if method in self.tuned_quantiles
            and _is_end(self.quantiles[method], self.offered_quantiles)
        ]

    def level(self, name: str, method: str) -> Level | None:
        """The level of a method's maps of one classifier; None where no control was scored."""
        label = f"{method} of the {name} model"
        scores = {label: self.iou[name, method], **self.controls}
        return find_level(label, scores, groups=self.images.groups)

    def is_edge(self, p: float, radius: float) -> bool:
        """Whether a radius is the least or the largest of several that were offered for a norm."""
        return _is_end(radius, [offered for norm, offered in self.tuned if norm == p])


def _is_end(value: float, offered: list[float] | tuple[float, ...]) -> bool:
    return len(offered) > 1 and value in (min(offered), max(offered))


def vce_method(p: float) -> str:
    """The name of a norm's counterfactual maps."""
    return f"VCE l{p:g}"


def localise(search: Search) -> Localised | None:
    """Chooses thresholds and radii, and scores the maps; None where there are no lesion masks."""
    config, data, _ = search.setup
    if data.lesions is None:
        return None
    count = config.localisation.num_tuning
    tuning, scored = np.arange(count), np.arange(count, len(data.lesions))
    maker = _MapMaker(data.lesions, search)
    tuned = _overlaps_of_radii(maker, tuning)
    given = config.explanations.radius_by_norm, config.explanations.norms[0]
    radii, norm = choose_radii(tuned) if tuned else given
    vce = {
        (name, p): maker.counterfactuals(name, p, radius)
        for name, (p, radius) in itertools.product(NAMES, radii.items())
    }
    saliency = maker.attributions() | {
        (name, vce_method(p)): maker.changes(reached) for (name, p), reached in vce.items()
    }
    methods = (GUIDED, INTEGRATED, *map(vce_method, radii))
    curves = _overlaps_of_quantiles(maker, saliency, methods, tuning)
    quantiles = choose_quantiles(config.localisation, methods, curves)
    masks, lesions = (data.lesions.arrays[field][scored] for field in ("eye_mask", "lesion_mask"))
    of_scored = {key: select(reached, scored) for key, reached in vce.items()}
    kept = {
        (name, method): threshold(maps[scored], masks, quantiles[method])
        for (name, method), maps in saliency.items()
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
        controls=score_controls(config, data.lesions, tuning, scored, maker.overlaps),
        kept=kept,
        iou={key: intersection_over_union(maps, lesions) for key, maps in kept.items()},
        chance={method: chance(kept["ensemble", method], masks, lesions) for method in quantiles},
        vce=of_scored,
        typical=_typical_image(maker, scored, {n: of_scored[n, norm] for n in NAMES}, norm),
    )


def _typical_image(
    maker: "_MapMaker", scored: np.ndarray, vce: Mapping[str, Counterfactual], norm: float
) -> TypicalImage:
    before = {name: np.asarray(reached.initial_probability) for name, reached in vce.items()}
    row, words = choose_typical(before)
    radius = maker.setup.config.explanations.radius_by_norm[norm]
    # As many as a batch: a batch of another size would compile for longer than these take.
    copies = np.full(maker.setup.config.batch_size, scored[row])
    shown = {
        name: select(maker.counterfactuals(name, norm, radius, copies), slice(1)) for name in NAMES
    }
    return TypicalImage(row, words, shown)


def threshold(
    saliency: Float[np.ndarray, "n h w"], masks: Bool[np.ndarray, "n h w"], quantile: float
) -> Bool[np.ndarray, "n h w"]:
    """The pixels of maps at or above a quantile of their map, within masks."""
    one = jax.vmap(lambda saliency, mask: quantile_threshold(saliency, quantile, mask=mask))
    return np.asarray(one(jnp.asarray(saliency), jnp.asarray(masks)))


def change_map(
    image: Float[np.ndarray, "*n h w c"], counterfactual: Float[np.ndarray, "*n h w c"]
) -> Float[np.ndarray, "*n h w"]:
    """The map of a counterfactual: by how much each pixel changes, summed over channels."""
    return np.asarray(channel_sum(vce_saliency(image, counterfactual)))


def chance(
    kept: Bool[np.ndarray, "n h w"],
    masks: Bool[np.ndarray, "n h w"],
    lesions: Bool[np.ndarray, "n h w"],
) -> Float[np.ndarray, " n"]:
    """The overlap of as many pixels at random in the mask: expected intersection over union."""
    number, place, truth = (pixels.sum((1, 2)) for pixels in (kept, masks, lesions & masks))
    common = number * truth / place
    return common / (number + lesions.sum((1, 2)) - common)


class _MapMaker(NamedTuple):
    """The maps of all images with lesions, towards the finding, summed over channels."""

    images: ImageSet
    search: Search

    @property
    def setup(self) -> Setup:
        """The settings, images and workspace of the run."""
        return self.search.setup

    @property
    def finding(self) -> int:
        """The class that all maps are towards."""
        return self.setup.data.finding

    def counterfactuals(
        self, name: str, p: float, radius: float, positions: np.ndarray | None = None
    ) -> Counterfactual:
        """A classifier's counterfactuals in one norm; of some images, or all."""
        chosen = np.arange(len(self.images)) if positions is None else positions
        targets, radii = np.full(len(chosen), self.finding), np.full(len(chosen), radius)
        return self.search.find(
            "lesions", self.images, chosen, targets, classifier=name, p=p, radii=radii
        )

    def changes(
        self, reached: Counterfactual, positions: np.ndarray | None = None
    ) -> Float[np.ndarray, "n h w"]:
        """The maps of counterfactuals: by how much each pixel changes."""
        chosen = slice(None) if positions is None else positions
        return change_map(self.images.arrays["image"][chosen], np.asarray(reached.image))

    def attributions(self) -> dict[tuple[str, str], Float[np.ndarray, "n h w"]]:
        """The maps of guided backprop and integrated gradients, and of their variants."""
        nodes, classifiers = (
            self.setup.config.explanations.integration_steps,
            self.search.classifiers,
        )
        makers: dict[str, tuple[Any, Mapping[str, Classifier]]] = {
            "guided": (_guided_maps, classifiers.guided),
            "stem": (_stem_guided_maps, classifiers.stem_guided),
            "integrated": (_IntegratedMaps(nodes), classifiers.ordinary),
        }
        depends = [classifiers.identity, classifiers.temperatures, nodes, self.images.identity]
        examples = self.images.arrays["image"], np.full(len(self.images), self.finding)
        saliency = {}
        for name, (stage, (maker, views)) in itertools.product(NAMES, makers.items()):
            compute = partial(
                map_examples,
                maker,
                views[name],
                examples,
                batch_size=_MAPS_AT_ONCE,
                progress=f"{stage} maps of {name}",
            )
            stage_depends = [depends, name, stage]
            maps = self.setup.workspace.cached(f"maps-{stage}-{name}", stage_depends, compute)
            saliency.update({(name, method): values for method, values in maps.items()})
        return saliency

    def overlap(
        self, saliency: Float[np.ndarray, "n h w"], positions: np.ndarray, quantile: float
    ) -> float:
        """The mean overlap of the maps of some images at one threshold."""
        return float(np.mean(self.overlaps(saliency, positions, quantile)))

    def overlaps(
        self, saliency: Float[np.ndarray, "n h w"], positions: np.ndarray, quantile: float
    ) -> Float[np.ndarray, " n"]:
        """The overlap of the maps of some images at one threshold."""
        arrays = self.images.arrays
        kept = threshold(saliency, arrays["eye_mask"][positions], quantile)
        return np.asarray(intersection_over_union(kept, arrays["lesion_mask"][positions]))


def _overlaps_of_radii(maker: _MapMaker, tuning: np.ndarray) -> dict[tuple[float, float], float]:
    """The ensemble's overlap on the tuning images at its best threshold, by norm and radius."""
    settings, overlaps = maker.setup.config.localisation, {}
    given = maker.setup.config.explanations.radius_by_norm
    for p, factor in itertools.product(given, settings.radius_factors if len(tuning) else ()):
        radius = factor * given[p]
        changes = maker.changes(maker.counterfactuals("ensemble", p, radius, tuning), tuning)
        overlaps[p, radius] = max(
            maker.overlap(changes, tuning, quantile) for quantile in settings.quantiles
        )
    return overlaps


def choose_radii(overlaps: Mapping[tuple[float, float], float]) -> tuple[dict[float, float], float]:
    """Chooses for each norm the radius of highest overlap, and the norm of the best radius.

    Args:
        overlaps: ``{(norm, radius): overlap}`` on the tuning images.
    """
    radii: dict[float, float] = {}
    for (p, radius), overlap in overlaps.items():
        if p not in radii or overlap > overlaps[p, radii[p]]:
            radii[p] = radius
    return radii, max(radii, key=lambda p: overlaps[p, radii[p]])


def _overlaps_of_quantiles(
    maker: _MapMaker, saliency: Maps, methods: tuple[str, ...], tuning: np.ndarray
) -> dict[str, np.ndarray]:
    """Each method's overlap on the tuning images at every threshold, mean over the classifiers."""
    curves: dict[str, np.ndarray] = {}
    for method in methods if len(tuning) else ():
        overlaps = [
            [
                maker.overlap(saliency[name, method][tuning], tuning, quantile)
                for quantile in maker.setup.config.localisation.quantiles
            ]
            for name in NAMES
        ]
        curves[method] = np.mean(overlaps, axis=0)
    return curves


def choose_quantiles(
    settings: LocalisationConfig, methods: tuple[str, ...], curves: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Chooses a threshold for guided backprop, one for integrated gradients, one for all norms.

    Args:
        settings: the thresholds that are offered, and those to take where nothing was measured.
        methods: names of all methods.
        curves: ``{method: (q,)}`` the overlap on the tuning images at every threshold offered; or
            empty.

    Returns:
        A threshold for each method and for each variant in ``ABLATIONS``, which has its method's.
    """
    vce = tuple(method for method in methods if method not in (GUIDED, INTEGRATED))
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
    """Integrated gradients from black, with and without the image as factor, of one integral."""

    num_steps: int

    def __call__(self, classifier: Classifier, example: tuple[Array, Array]) -> dict[str, Array]:
        image, target = example
        mean = integrated_gradients(
            _log_probability(classifier, target),
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
