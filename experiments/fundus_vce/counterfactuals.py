"""Counterfactuals of test images towards both classes, for the figures and the claims."""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from cfx_jax.attributions import vce_saliency
from cfx_jax.counterfactuals import Counterfactual, VCEProblem, vce_batch
from experiments.fundus_vce.accuracy import Evaluation, Evaluations
from experiments.fundus_vce.classifiers import NAMES, Classifiers
from experiments.fundus_vce.setup import Setup
from experiments.shared import Arrays, ImageSet, decisions


class Search(NamedTuple):
    """The search for counterfactuals of a list of examples, kept in the workspace."""

    setup: Setup
    classifiers: Classifiers

    def find(
        self,
        stage: str,
        images: ImageSet,
        positions: Int[np.ndarray, " n"],
        targets: Int[np.ndarray, " n"],
        *,
        classifier: str,
        p: float,
        radii: Float[np.ndarray, " n"],
    ) -> Counterfactual:
        """Finds the counterfactuals of some images, within the eye where an eye mask is known.

        Args:
            stage: the name of the stage that they are for.
            images: the set from which examples are taken.
            positions: the positions of the examples, repeated where one has several targets or
                radii.
            targets: a class for each.
            classifier: its name.
            p: norm of the change.
            radii: one for each example.
        """
        config, _, workspace = self.setup
        settings = config.explanations
        # The norms that have a projection are searched by APGD, which has no oracle.
        after_oracle = settings.mask_after_oracle and not VCEProblem(p).uses_apgd

        def compute() -> Arrays:
            arrays = images.arrays
            return vce_batch(
                self.classifiers.ordinary[classifier],
                arrays["image"][positions],
                targets,
                p=p,
                radius=radii,
                masks=arrays["eye_mask"][positions] if "eye_mask" in arrays else None,
                num_steps=settings.num_steps,
                mask_after_oracle=after_oracle,
                key=jax.random.key(config.seed),
                batch_size=config.batch_size,
                progress=f"l{p:g} counterfactuals of {classifier}",
            )._asdict()

        depends = [
            self.classifiers.identity,
            self.classifiers.temperatures,
            classifier,
            p,
            radii.tolist(),
            targets.tolist(),
            images.take(positions).identity,
            settings.num_steps,
            after_oracle,
            config.seed,
        ]
        arrays = workspace.cached(f"vce-{stage}-{classifier}-l{p:g}", depends, compute)
        return Counterfactual(**arrays)


def select(counterfactuals: Counterfactual, rows: slice | np.ndarray) -> Counterfactual:
    """Takes some rows of counterfactuals."""
    return Counterfactual(*(values[rows] for values in counterfactuals))


class Explained(NamedTuple):
    """Test images and their counterfactuals.

    Attributes:
        images: first the first images of each class, in the order of the shuffled test set; then,
            for figures of failures, the first image of each class that the ensemble takes for
            another class, unless it is there already.
        sample: the number of images that the first rule chose; claims are about these.
        radii: the radius of each norm p.
        probability: ``{classifier: (n, k)}``, the probability of each class at the originals.
        vce: ``{(classifier, p, target): Counterfactual}``, arrays with leading axis n.
        sweep: ``{(radius, target): Counterfactual}`` of the ensemble in the last norm.
    """

    images: ImageSet
    sample: int
    radii: dict[float, float]
    probability: dict[str, np.ndarray]
    vce: dict[tuple[str, float, int], Counterfactual]
    sweep: dict[tuple[float, int], Counterfactual]

    def predicted(self, name: str) -> np.ndarray:
        """The class that a classifier decides on for each original (n,)."""
        return decisions(self.probability[name])

    def without_failures(self) -> "Explained":
        """The images that claims are about, which were chosen by their order alone."""
        rows = np.arange(self.sample)
        return self._replace(
            images=self.images.take(rows),
            probability={name: values[rows] for name, values in self.probability.items()},
            vce={key: select(reached, rows) for key, reached in self.vce.items()},
            sweep={key: select(reached, rows) for key, reached in self.sweep.items()},
        )

    def change(self, reached: Counterfactual) -> np.ndarray:
        """How far counterfactuals are from their originals, signed (n, h, w, c)."""
        return np.asarray(vce_saliency(self.images.arrays["image"], np.asarray(reached.image)))

    def mean_size(
        self,
        measure: Callable[[Float[np.ndarray, "n h w c"]], Float[np.ndarray, " n"]],
        counterfactuals: Sequence[Counterfactual],
    ) -> Float[np.ndarray, " n"]:
        """A measure of each image's changes, mean over its counterfactuals."""
        return np.mean([measure(self.change(reached)) for reached in counterfactuals], axis=0)


def explain(search: Search, evaluations: Evaluations) -> Explained:
    """Finds counterfactuals of test images, for every classifier, norm and target.

    Args:
        search: finds counterfactuals.
        evaluations: the evaluations of the classifiers on the test images.
    """
    data, settings = search.setup.data, search.setup.config.explanations
    positions, sample = choose_positions(evaluations["test", "ensemble"], settings.num_studied)
    images = data.test.take(positions)
    targets = range(len(data.class_names))
    last = settings.norms[-1]
    sweep = _towards_all(search, images, targets, "ensemble", last, settings.sweep)
    vce = {}
    for name, (p, radius) in itertools.product(NAMES, settings.radius_by_norm.items()):
        is_swept = name == "ensemble" and p == last and radius in settings.sweep
        towards = sweep if is_swept else _towards_all(search, images, targets, name, p, (radius,))
        vce.update({(name, p, target): towards[radius, target] for target in targets})
    return Explained(
        images,
        sample,
        settings.radius_by_norm,
        {name: evaluations["test", name].probability[positions] for name in NAMES},
        vce,
        sweep,
    )


def _towards_all(
    search: Search, images: ImageSet, targets: range, name: str, p: float, radii: tuple[float, ...]
) -> dict[tuple[float, int], Counterfactual]:
    """Counterfactuals of every image for every radius and target, as one list of examples."""
    keys, count = list(itertools.product(radii, targets)), len(images)
    rows = np.arange(count)
    counterfactuals = search.find(
        "studied",
        images,
        np.tile(rows, len(keys)),
        np.repeat([target for _, target in keys], count),
        classifier=name,
        p=p,
        radii=np.repeat([radius for radius, _ in keys], count),
    )
    return {key: select(counterfactuals, n * count + rows) for n, key in enumerate(keys)}


def choose_positions(ensemble: Evaluation, count: int) -> tuple[np.ndarray, int]:
    """Chooses the first test images of each class, then the first that the ensemble gets wrong.

    Args:
        ensemble: its answers on the test images.
        count: images of each class.

    Returns:
        Positions in the test set, and how many of them the first rule chose.
    """
    members = [ensemble.labels == label for label in np.unique(ensemble.labels)]
    first = np.concatenate([np.flatnonzero(member)[:count] for member in members])
    failures = [np.flatnonzero(member & ~ensemble.correct)[:1] for member in members]
    added = [position for position in np.concatenate(failures) if position not in first]
    return np.concatenate([first, np.asarray(added, int)]), len(first)
