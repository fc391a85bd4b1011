"""Counterfactuals and maps of test images, for every classifier."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from cfx_jax.attributions import guided_backprop, integrated_gradients, vce_saliency
from cfx_jax.counterfactuals import Counterfactual, vce_batch
from cfx_jax.maps import channel_sum, quantile_threshold
from cfx_jax.metrics import intersection_over_union
from cfx_jax.objectives import Classifier, negative_log_probability
from cfx_jax.parallel import map_examples
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.train import NAMES, Classifiers, classify
from experiments.stages import Arrays, Workspace


class Shown(NamedTuple):
    """What the figures show.

    Attributes:
        test: positions within the test split of the images shown, (n,).
        probability: ``{classifier: (n, k)}`` of each class at the originals.
        vce: ``{(classifier, p, target): Counterfactual}``, arrays with leading axis n.
        sweep: ``{(radius, target): Counterfactual}`` of the ensemble in the last norm.
    """

    test: np.ndarray
    probability: dict[str, np.ndarray]
    vce: dict[tuple[str, float, int], Counterfactual]
    sweep: dict[tuple[float, int], Counterfactual]


class Localised(NamedTuple):
    """Maps against lesion masks.

    Attributes:
        test: positions within the test split of the images scored, (n,).
        methods: names of the methods.
        kept: ``{(classifier, method): (n, h, w)}`` the thresholded maps.
        iou: ``{(classifier, method): (n,)}``.
    """

    test: np.ndarray
    methods: tuple[str, ...]
    kept: dict[tuple[str, str], np.ndarray]
    iou: dict[tuple[str, str], np.ndarray]


def show(config: Config, data: Data, classifiers: Classifiers, workspace: Workspace) -> Shown:
    """Counterfactuals towards both classes of a few test images of each class, chosen by their order alone."""
    settings, test = config.explanations, data.part("test")
    chosen = _first_of_each_class(test["label"], settings.num_shown)
    images, masks = test["image"][chosen], _masks(test, chosen)
    depends = [classifiers.identity, classifiers.temperatures, settings, config.seed]
    options = {"masks": masks, "key": jax.random.key(config.seed), "num_steps": settings.num_steps}
    targets = range(len(data.class_names))

    def make(name: str, target: int, p: float, radius: float) -> Counterfactual:
        def compute() -> Arrays:
            wanted = np.full(len(images), target)
            label = f"{name}, l{p:g}, towards {data.class_names[target]}"
            return vce_batch(
                classifiers.ordinary[name], images, wanted, p=p, radius=radius, batch_size=config.batch_size,
                progress=label, **options,
            )._asdict()  # fmt: skip

        return Counterfactual(**workspace.cached("vce", [depends, name, target, p, radius], compute))

    probability = {
        name: np.asarray(jax.nn.softmax(map_examples(classify, classifiers.ordinary[name], images))) for name in NAMES
    }
    vce = {
        (name, p, target): make(name, target, p, radius)
        for name in NAMES
        for p, radius in zip(settings.norms, settings.radii, strict=True)
        for target in targets
    }
    sweep = {
        (radius, target): make("ensemble", target, settings.norms[-1], radius)
        for radius in settings.sweep
        for target in targets
    }
    return Shown(chosen, probability, vce, sweep)


def localise(config: Config, data: Data, classifiers: Classifiers, workspace: Workspace) -> Localised | None:
    """Maps of every method and classifier for images of the finding, and their overlap with the lesion masks.

    Returns:
        None where the data have no masks.
    """
    settings, test = config.explanations, data.part("test")
    if "lesion_mask" not in test:
        return None
    finding = len(data.class_names) - 1
    chosen = np.flatnonzero((test["label"] == finding) & test["lesion_mask"].any((1, 2)))[: settings.num_localised]
    images, masks = test["image"][chosen], _masks(test, chosen)
    targets = np.full(len(images), finding)
    depends = [classifiers.identity, classifiers.temperatures, settings, config.seed]
    vce_methods = {f"VCE l{p:g}": (p, radius) for p, radius in zip(settings.norms, settings.radii, strict=True)}
    quantiles = {"GBP": settings.quantile_guided, "IG": settings.quantile_integrated}
    methods = (*quantiles, *vce_methods)

    def signed_map(name: str, method: str) -> np.ndarray:
        label = f"{method} of {name}"
        if method == "GBP":
            return map_examples(_guided_map, classifiers.guided[name], (images, targets), progress=label)
        if method == "IG":
            fn = _IntegratedMap(settings.integration_steps)
            return map_examples(fn, classifiers.ordinary[name], (images, targets), batch_size=8, progress=label)
        p, radius = vce_methods[method]
        found = vce_batch(
            classifiers.ordinary[name], images, targets, p=p, radius=radius, masks=masks, num_steps=settings.num_steps,
            key=jax.random.key(config.seed), batch_size=config.batch_size, progress=label,
        )  # fmt: skip
        return np.asarray(vce_saliency(images, found.image))

    kept, iou = {}, {}
    for name in NAMES:
        for method in methods:
            quantile = quantiles.get(method, settings.quantile_vce)

            def compute(name: str = name, method: str = method) -> Arrays:
                return {"map": signed_map(name, method)}

            saliency = workspace.cached("map", [depends, name, method], compute)["map"]
            kept[name, method] = np.asarray(threshold(saliency, test["eye_mask"][chosen], quantile))
            iou[name, method] = intersection_over_union(kept[name, method], test["lesion_mask"][chosen])
    return Localised(chosen, methods, kept, iou)


def _first_of_each_class(labels: np.ndarray, count: int) -> np.ndarray:
    return np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)])


def _masks(test: Arrays, chosen: np.ndarray) -> np.ndarray | None:
    return test["eye_mask"][chosen] if "eye_mask" in test else None


def _guided_map(classifier: Classifier, example: tuple[Array, Array]) -> Array:
    image, target = example
    objective = negative_log_probability(classifier, target)
    return guided_backprop(lambda x: -objective(x), image)


class _IntegratedMap(NamedTuple):
    num_steps: int

    def __call__(self, classifier: Classifier, example: tuple[Array, Array]) -> Array:
        image, target = example
        objective = negative_log_probability(classifier, target)
        return integrated_gradients(lambda x: -objective(x), image, num_steps=self.num_steps)


def threshold(saliency: np.ndarray, masks: np.ndarray, quantile: float) -> np.ndarray:
    """The pixels of (n, h, w, c) maps at or above a quantile, within (n, h, w) masks."""

    def one(saliency: Array, mask: Array) -> Array:
        return quantile_threshold(channel_sum(saliency), quantile, mask=mask)

    return np.asarray(jax.vmap(one)(jnp.asarray(saliency), jnp.asarray(masks)))
