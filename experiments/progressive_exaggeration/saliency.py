"""Figures 4c and 5: where the two extremes of a sweep differ, and what of the classifier's accuracy hangs on these pixels.

The map is the magnitude of the difference of the drawings for the highest and the lowest bin. Pixels go, the most relevant
first, and uniform noise takes their places (Samek et al. 2017); the paper names neither how many at once nor its other
methods in words: here they are the gradient, integrated gradients and Grad-CAM of the label's logit, and maps of noise.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Bool, Float, Int

from cfx_jax.attributions import grad_cam, gradient, integrated_gradients, random_map
from cfx_jax.callables import call
from cfx_jax.maps import channel_sum
from cfx_jax.metrics import area_under_perturbation_curve, bootstrap_interval, overwrite_with, perturbation_curve
from cfx_jax.models import one_label, parts
from cfx_jax.objectives import class_score, decision
from cfx_jax.parallel import map_examples
from cfx_jax.report import (
    Claim,
    CurvePanel,
    Line,
    MapColumn,
    SaliencyMap,
    SaliencyRow,
    curve,
    saliency_grid,
)
from experiments.interval_claims import mean_claim, paired_claim
from experiments.presenter import Figure, Presenter, Table
from experiments.progressive_exaggeration.study import Study
from experiments.progressive_exaggeration.subject import Subject
from experiments.progressive_exaggeration.sweeps import OURS
from experiments.stages import Arrays

GRADIENT, INTEGRATED, GRAD_CAM, RANDOM = "gradient", "integrated gradients", "Grad-CAM", "random"
_STEPS = 20  # of equally many pixels, until all are replaced
_DRAWS = 3  # of noise; curves are their means
_AT_ONCE = 8  # images whose steps are classified together


class Saliency(NamedTuple):
    """Every method on every query.

    Attributes:
        study: of the label.
        maps: by method, (n, h, w), at least 0.
        right: by method, the share of draws in which the classifier is right (n, steps + 1), the first of the image itself.
    """

    study: Study
    maps: Mapping[str, Float[np.ndarray, "n h w"]]
    right: Mapping[str, Float[np.ndarray, "n steps"]]

    @property
    def dependencies(self) -> object:
        """What all of it depends on."""
        return self.study.dependencies

    def area(self, method: str) -> Float[np.ndarray, " n"]:
        """The area under each query's curve, in [0, 1]; lower where the pixels matter more."""
        return area_under_perturbation_curve(self.right[method])

    def present(self, presenter: Presenter) -> None:
        """Writes its section."""
        presenter.report.section("Where it changes")
        presenter.figures(self._maps(presenter), self._curves(presenter))
        presenter.table(
            "figure_5_perturbation",
            self._table(),
            "Figure 5 in numbers: accuracy on the queries after a share of their pixels, the most relevant first, has been"
            f" replaced by uniform noise, mean of {_DRAWS} draws; and the area under that curve, lower is better. Brackets:"
            " 95 % bootstrap intervals.",
        )

    def claims(self) -> Iterator[Claim]:
        """Figure 5's."""
        statistic = "area under accuracy against the share of pixels replaced"
        areas = {method: self.area(method) for method in self.right}
        yield paired_claim(
            "Figure 5 random",
            "Accuracy falls faster than when pixels are replaced at random.",
            {},
            {OURS: areas[OURS], RANDOM: areas[RANDOM]},
            statistic,
            maximum=0.0,
            strict=True,
        )
        others = np.mean([areas[method] for method in (GRADIENT, INTEGRATED, GRAD_CAM)], axis=0)
        gain = areas[RANDOM] - others
        yield mean_claim(
            "Figure 5 others",
            "Accuracy falls about as fast as by gradient methods: at least by half of what these gain over random, on the"
            " mean.",
            {},
            (areas[RANDOM] - areas[OURS]) - gain / 2,
            "gain over random less half the mean gain of the other methods",
            minimum=0.0,
        )

    def _table(self) -> Table:
        shown = range(0, _STEPS + 1, 4)
        columns = ["method", *(f"{each / _STEPS:.0%} replaced" for each in shown), "area"]
        rows: list[list[Any]] = []
        for method, right in self.right.items():
            accuracy = right.mean(axis=0)
            rows.append([method, *(float(accuracy[each]) for each in shown), bootstrap_interval(self.area(method))])
        return columns, rows

    def _curves(self, presenter: Presenter) -> Figure:
        path = presenter.folder / "figure_5_perturbation.png"
        share = np.arange(_STEPS + 1) / _STEPS
        lines = [Line(name=method, x=share, y=right.mean(axis=0)) for method, right in self.right.items()]
        panel = CurvePanel(lines=lines, x_label="share of pixels replaced", y_label="accuracy", y_range=(-0.02, 1.02))
        curve(path, [panel], panel_size=(4.2, 2.6), note=presenter.note)
        return Figure(
            path,
            "As the paper's Figure 5: accuracy against the share of pixels replaced, the most relevant first.",
            "Lines that fall from the left to the right, the faster the better the map.",
        )

    def _maps(self, presenter: Presenter) -> Figure:
        path, queries = presenter.folder / "figure_4c_saliency.png", self.study.subject.queries
        rows = [
            SaliencyRow(
                original=queries.arrays["image"][row],
                maps=[SaliencyMap(values=values[row]) for values in self.maps.values()],
                name=f"test image {row + 1}",
            )
            for row in self.study.sweeps[0].first(self.study.config.num_shown)
        ]
        columns = [MapColumn(model="the classifier", method=method) for method in self.maps]
        saliency_grid(path, rows, columns, style="heat", note=presenter.note)
        return Figure(
            path,
            "As the paper's Figure 4c: the difference of the two extremes beside other methods' maps.",
            "Grid: queries and their maps; bright where a method finds what matters.",
        )


def saliency(study: Study) -> Saliency:
    """Makes the maps of all queries and replaces their pixels."""
    subject = study.subject

    def compute_maps() -> Arrays:
        return {OURS: _extremes(study), **other_maps(subject, study.config.batch_size), RANDOM: _noise(study)}

    maps = study.workspace.cached("saliency", [study.dependencies, study.config.seed], compute_maps)
    truth = subject.query_labels[:, subject.label] == 1

    def compute_right() -> Arrays:
        return {
            method: _right(subject, values, truth, seed=study.config.seed, name=method)
            for method, values in maps.items()
        }

    depends = [study.dependencies, study.config.seed, _STEPS, _DRAWS]
    return Saliency(study, maps, study.workspace.cached("perturbation", depends, compute_right))


def _extremes(study: Study) -> Float[np.ndarray, "n h w"]:
    images = np.asarray(study.sweeps[0].found.images)
    return np.abs(images[:, -1] - images[:, 0]).mean(axis=-1)


def other_maps(subject: Subject, batch_size: int) -> Arrays:
    """Maps by other methods, of the label's logit, whatever the decision.

    Args:
        subject: a network, its label and the queries.
        batch_size: images at once.

    Returns:
        By method, (n, h, w) for the n queries.
    """
    images, score = subject.queries.arrays["image"], Partial(_logit, subject.classifier)
    features, head = parts(subject.network.model)
    methods: dict[str, Callable[[Array], Array]] = {
        GRADIENT: Partial(_magnitude, Partial(gradient, score)),
        INTEGRATED: Partial(_magnitude, Partial(integrated_gradients, score)),
        GRAD_CAM: Partial(_grad_cam, features, one_label(head, subject.label)),
    }
    return {
        name: np.asarray(map_examples(call, method, images, batch_size=batch_size, progress=name))
        for name, method in methods.items()
    }


def _noise(study: Study) -> Float[np.ndarray, "n h w"]:
    images = jnp.asarray(study.subject.queries.arrays["image"][..., :1])
    keys = jax.random.split(jax.random.key(study.config.seed), len(images))
    return np.asarray(jax.vmap(random_map)(keys, images))[..., 0]


def _right(
    subject: Subject, maps: Float[np.ndarray, "n h w"], truth: Bool[np.ndarray, " n"], *, seed: int, name: str
) -> Float[np.ndarray, "n steps"]:
    images, draws = subject.queries.arrays["image"], []
    for key in jax.random.split(jax.random.key(seed), _DRAWS):
        keys = jax.random.key_data(jax.random.split(key, len(images)))
        given = images, maps, np.asarray(keys), truth.astype(np.int32)
        steps = _Right(-(-images.shape[1] * images.shape[2] // _STEPS))
        draws.append(map_examples(steps, subject.classifier, given, batch_size=_AT_ONCE, progress=name))
    return np.mean(draws, axis=0)


@dataclass(frozen=True)
class _Right:
    """Whether the classifier is right after each step; hashable by value."""

    pixels_per_step: int

    def __call__(self, classifier: Any, given: tuple[Array, Array, Array, Int[Array, ""]]) -> Float[Array, " steps"]:
        image, relevance, key, truth = given
        noise = jax.random.uniform(jax.random.wrap_key_data(key), image.shape)

        def right(image: Array) -> Array:
            return (decision(classifier(image)) == truth).astype(jnp.float32)

        return perturbation_curve(
            right, image, relevance, overwrite_with(noise), region=1, regions_per_step=self.pixels_per_step
        )


def _logit(classifier: Any, image: Float[Array, "h w c"]) -> Float[Array, ""]:
    return class_score(classifier, 1)(image)


def _magnitude(attribution: Callable[[Array], Array], image: Float[Array, "h w c"]) -> Float[Array, "h w"]:
    return channel_sum(jnp.abs(attribution(image)))


def _grad_cam(features: Any, head: Any, image: Float[Array, "h w c"]) -> Float[Array, "h w"]:
    return grad_cam(features, head, image, 1)
