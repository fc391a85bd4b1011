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

_MAPS_AT_ONCE = 8


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


def explain(
    config: Config, data: Data, classifiers: Classifiers, workspace: Workspace
) -> tuple[Shown, Localised | None]:
    """Counterfactuals towards both classes of a few test images of each class, chosen by their order alone; and, where
    the data have lesion masks, the maps of every method for images of the finding."""
    settings, test = config.explanations, data.part("test")
    finding = len(data.class_names) - 1
    shown = _first_of_each_class(test["label"], settings.num_shown)
    localised = _with_lesions(test, finding)[: settings.num_localised]
    targets = range(len(data.class_names))
    examples = [(image, target) for target in targets for image in shown] + [(image, finding) for image in localised]
    search = _Search(config, data, classifiers, workspace, np.asarray(examples))
    vce = {
        (name, p): search.counterfactuals(name, p, np.full(len(examples), radius))
        for name in NAMES
        for p, radius in zip(settings.norms, settings.radii, strict=True)
    }
    blocks = {target: slice(target * len(shown), (target + 1) * len(shown)) for target in targets}
    sweep = _sweep(config, data, classifiers, workspace, shown, blocks)
    probability = {
        name: np.asarray(jax.nn.softmax(map_examples(classify, classifiers.ordinary[name], test["image"][shown])))
        for name in NAMES
    }
    by_target = {(name, p, target): _take(vce[name, p], blocks[target]) for name, p in vce for target in targets}
    seen = Shown(shown, probability, by_target, sweep)
    if not len(localised):
        return seen, None
    rest = slice(len(shown) * len(targets), None)
    changed = {(name, f"VCE l{p:g}"): np.asarray(_take(vce[name, p], rest).image) for name, p in vce}
    return seen, _localise(config, data, classifiers, workspace, localised, changed)


class _Search(NamedTuple):
    """Counterfactuals of a list of examples, each a (position within the test split, target) pair."""

    config: Config
    data: Data
    classifiers: Classifiers
    workspace: Workspace
    examples: np.ndarray

    def counterfactuals(self, name: str, p: float, radii: np.ndarray) -> Counterfactual:
        settings, test = self.config.explanations, self.data.part("test")
        positions, targets = self.examples.T

        def compute() -> Arrays:
            return vce_batch(
                self.classifiers.ordinary[name],
                test["image"][positions],
                targets,
                p=p,
                radius=radii,
                masks=test["eye_mask"][positions] if "eye_mask" in test else None,
                num_steps=settings.num_steps,
                key=jax.random.key(self.config.seed),
                batch_size=self.config.batch_size,
                progress=f"l{p:g} counterfactuals of {name}",
            )._asdict()

        depends = [
            self.classifiers.identity, self.classifiers.temperatures, name, p, radii.tolist(), self.examples.tolist(),
            settings.num_steps, self.config.seed,
        ]  # fmt: skip
        return Counterfactual(**self.workspace.cached(f"vce-{name}-l{p:g}", depends, compute))


def _sweep(
    config: Config,
    data: Data,
    classifiers: Classifiers,
    workspace: Workspace,
    shown: np.ndarray,
    blocks: dict[int, slice],
) -> dict[tuple[float, int], Counterfactual]:
    """The ensemble's counterfactuals in the last norm for a list of radii: every radius of every image is one example."""
    radii = config.explanations.sweep
    examples = [(image, target) for target in blocks for image in shown]
    search = _Search(config, data, classifiers, workspace, np.tile(examples, (len(radii), 1)))
    found = search.counterfactuals("ensemble", config.explanations.norms[-1], np.repeat(radii, len(examples)))
    return {
        (radius, target): _take(found, slice(number * len(examples) + block.start, number * len(examples) + block.stop))
        for number, radius in enumerate(radii)
        for target, block in blocks.items()
    }


def _localise(
    config: Config,
    data: Data,
    classifiers: Classifiers,
    workspace: Workspace,
    chosen: np.ndarray,
    changed: dict[tuple[str, str], np.ndarray],
) -> Localised:
    settings, test = config.explanations, data.part("test")
    images, targets = test["image"][chosen], np.full(len(chosen), len(data.class_names) - 1)
    makers = {
        "GBP": (_guided_map, classifiers.guided, settings.quantile_guided),
        "IG": (_IntegratedMap(settings.integration_steps), classifiers.ordinary, settings.quantile_integrated),
    }
    depends = [classifiers.identity, classifiers.temperatures, settings.integration_steps, chosen.tolist()]
    kept = {}
    for name in NAMES:
        for method, (maker, views, quantile) in makers.items():

            def compute(name=name, method=method, maker=maker, views=views) -> Arrays:  # type: ignore[no-untyped-def]
                label = f"{method} of {name}"
                found = map_examples(maker, views[name], (images, targets), batch_size=_MAPS_AT_ONCE, progress=label)
                return {"map": found}

            saliency = workspace.cached(f"{method}-{name}", [depends, name, method], compute)["map"]
            kept[name, method] = threshold(saliency, test["eye_mask"][chosen], quantile)
    for (name, method), image in changed.items():
        saliency = np.asarray(vce_saliency(images, image))
        kept[name, method] = threshold(saliency, test["eye_mask"][chosen], settings.quantile_vce)
    methods = (*makers, *dict.fromkeys(method for _, method in changed))
    iou = {key: intersection_over_union(each, test["lesion_mask"][chosen]) for key, each in kept.items()}
    return Localised(chosen, methods, kept, iou)


def _with_lesions(test: Arrays, finding: int) -> np.ndarray:
    if "lesion_mask" not in test:
        return np.zeros(0, int)
    return np.flatnonzero((test["label"] == finding) & test["lesion_mask"].any((1, 2)))


def _take(found: Counterfactual, block: slice) -> Counterfactual:
    return Counterfactual(*(values[block] for values in found))


def _first_of_each_class(labels: np.ndarray, count: int) -> np.ndarray:
    return np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)])


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
