"""Figures 5 and 4c: where the extremes of a sweep differ, and the accuracy without these pixels.

The map is the magnitude of the difference of the drawings for the highest and the lowest bin.
Pixels go, the most relevant first, and uniform noise takes their places (Samek et al. 2017); the
paper names neither how many at once nor its other methods in words: here they are the gradient,
integrated gradients and Grad-CAM of the label's logit, and maps of noise.
"""

import dataclasses
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
from cfx_jax.maps import channel_sum
from cfx_jax.metrics import (
    area_under_perturbation_curve,
    bootstrap_interval,
    overwrite_with,
    perturbation_curve,
)
from cfx_jax.models import Parts, one_label, parts
from cfx_jax.objectives import class_score, decision
from cfx_jax.parallel import apply_to_examples, map_examples, progress_bar
from cfx_jax.report import (
    CurvePanel,
    Line,
    MapColumn,
    SaliencyMap,
    SaliencyRow,
    curve,
    saliency_grid,
)
from experiments.progressive_exaggeration.label_study import OURS, LabelStudy, Subject, differences
from experiments.shared import (
    AT_LEAST,
    LEVEL_COLUMNS,
    Arrays,
    Claim,
    Level,
    PaperReport,
    Statement,
    Table,
    add_levels,
    controls,
    find_level,
    level_cells,
    row_slices,
    store_parts,
)

GRADIENT, INTEGRATED, GRAD_CAM, RANDOM = "gradient", "integrated gradients", "Grad-CAM", "random"
METHODS = (OURS, GRADIENT, INTEGRATED, GRAD_CAM, RANDOM)
_CONTROLS = tuple(name for name in (*controls.TRIVIAL, controls.CHANGE) if name != controls.RANDOM)
"""Maps without a network; ``RANDOM`` is one already. Nothing is annotated on these images."""
_STEPS = 20  # of equally many pixels, until all are replaced
_DRAWS = 3  # of noise; curves are their means
_AT_ONCE = 8  # images whose steps are classified together
_PLACE = "section 4.3, second paragraph, and Figure 4c"


class Saliency(NamedTuple):
    """The maps of every query by every method.

    Attributes:
        study: the study of the label.
        maps: the maps of each method, (n, h, w), at least 0.
        accuracy: for each method and control, the share of draws in which the classifier is correct
            (n, steps + 1), the first of the image itself.
    """

    study: LabelStudy
    maps: Mapping[str, Float[np.ndarray, "n h w"]]
    accuracy: Mapping[str, Float[np.ndarray, "n steps"]]

    @property
    def identity(self) -> object:
        """Everything that the results depend on."""
        return self.study.identity

    def area(self, method: str) -> Float[np.ndarray, " n"]:
        """The area under each query's curve, in [0, 1]; lower where the pixels matter more."""
        return area_under_perturbation_curve(self.accuracy[method])

    def write(self, report: PaperReport) -> None:
        """Writes the chapter's section of the report."""
        report.section("Where it changes")
        self._draw_maps(report)
        self._draw_curves(report)
        report.table(
            "figure_4c_perturbation",
            self._table(),
            "Figure 4c in numbers: accuracy on the queries after a share of their pixels, the most"
            f" relevant first, has been replaced by uniform noise, mean of {_DRAWS} draws; and the"
            " area under that curve, lower is better. Brackets: 95 % intervals over queries."
            f" {controls.LEVEL_CAPTION}",
        )

    def claims(self) -> Iterator[Claim]:
        """Yields the claims of Figure 4c: against random maps, and against gradient methods."""
        areas = {method: self.area(method) for method in self.accuracy}
        claim = Statement(
            "Figure 4c random",
            "Accuracy falls faster than when pixels are replaced at random.",
            _PLACE,
        ).settle_pair(
            {},
            {OURS: areas[OURS], RANDOM: areas[RANDOM]},
            "area under accuracy against the share of pixels replaced",
            maximum=0.0,
            strict=True,
            **self.study.subject.units,
        )
        yield self._at_level(claim)
        others = np.mean([areas[method] for method in (GRADIENT, INTEGRATED, GRAD_CAM)], axis=0)
        gain = areas[RANDOM] - others
        claim = Statement(
            "Figure 4c others",
            "Accuracy falls about as fast as by gradient methods: at least by half of what these"
            " gain over random, on the mean.",
            _PLACE,
        ).settle_pair(
            {},
            {OURS: areas[RANDOM] - areas[OURS], "half the mean gain of the others": gain / 2},
            "gain over random; that half is enough is ours",
            **AT_LEAST,
            **self.study.subject.units,
        )
        yield self._at_level(claim)

    def _at_level(self, claim: Claim) -> Claim:
        """The claim, with the note of the data and our method's level among the controls."""
        noted = dataclasses.replace(claim, note=self.study.data.note)
        return add_levels(noted, [self.level(OURS)])

    def level(self, method: str) -> Level | None:
        """How far a method's area lies below the best control's area."""
        areas = {name: self.area(name) for name in self.accuracy}
        trivial = (RANDOM, *controls.TRIVIAL)
        groups = self.study.subject.groups
        return find_level(method, areas, controls=trivial, groups=groups, sign=-1)

    def _table(self) -> Table:
        """Figure 4c in numbers: the mean accuracy of each method, and the area under it."""
        shown = range(0, _STEPS + 1, 4)
        columns = ["method", *(f"{step / _STEPS:.0%} replaced" for step in shown), "area"]
        columns += LEVEL_COLUMNS
        rows: list[list[Any]] = []
        for method, accuracy in self.accuracy.items():
            mean = accuracy.mean(axis=0)
            area = bootstrap_interval(
                self.area(method), groups=self.study.subject.groups, bounds=(0, 1)
            )
            cells = level_cells(self.level(method))
            rows.append([method, *(float(mean[step]) for step in shown), area, *cells])
        return columns, rows

    def _draw_curves(self, report: PaperReport) -> None:
        """Draws Figure 4c: a line for each method."""
        share = np.arange(_STEPS + 1) / _STEPS
        lines = [
            Line(name=method, x=share, y=accuracy.mean(axis=0))
            for method, accuracy in self.accuracy.items()
            if method in METHODS
        ]
        panel = CurvePanel(
            lines=lines,
            x_label="share of pixels replaced",
            y_label="accuracy",
            y_range=(-0.02, 1.02),
        )
        report.draw(
            "figure_4c_perturbation.png",
            curve,
            [panel],
            panel_size=(4.2, 2.6),
            caption="As the paper's Figure 4c: accuracy against the share of pixels replaced, the"
            " most relevant first.",
            alt="Lines that fall from the left to the right, the faster the better the map.",
        )

    def _draw_maps(self, report: PaperReport) -> None:
        """Draws Figure 5: the maps of some queries by every method."""
        queries = self.study.subject.queries
        rows = [
            SaliencyRow(
                original=queries.read(np.array([row]))[0],
                maps=[SaliencyMap(values=values[row]) for values in self.maps.values()],
                name=f"test image {row + 1}",
            )
            for row in self.study.sweeps[0].first(self.study.setup.config.num_shown)
        ]
        report.draw(
            "figure_5_saliency.png",
            saliency_grid,
            rows,
            [MapColumn(model="the classifier", method=method) for method in self.maps],
            style="heat",
            caption="As the paper's Figure 5: the difference of the two extremes beside other"
            " methods' maps.",
            alt="Grid: queries and their maps; bright where a method finds what matters.",
        )


def map_saliency(study: LabelStudy) -> Saliency:
    """Makes the maps of all queries and replaces their pixels."""
    subject = study.subject
    number, (height, width, _) = len(subject.queries), subject.queries.shape
    row_bytes = 4 * height * width * 16  # the images, and the maps of every method

    def compute_maps(first: int) -> Iterator[Arrays]:
        extremes = np.concatenate([part.mean(axis=-1) for part in differences(study.sweeps[0])])
        for rows in row_slices(
            number, row_bytes, multiple=study.setup.config.batch_size, first=first
        ):
            images = subject.queries.read(rows)
            others = other_maps(subject, images, study.setup.config.batch_size)
            keys = jax.random.split(jax.random.key(study.setup.config.seed), number)[rows]
            yield {OURS: extremes[rows], **others, RANDOM: _noise(keys, images)}

    depends = [study.identity, study.setup.config.seed]
    maps = store_parts(study.setup.workspace, "saliency", depends, number, compute_maps)
    truth = subject.query_labels[:, subject.label] == 1

    def measure(stage: str, of_stage: Mapping[str, Any]) -> Arrays:
        def compute() -> Arrays:
            return {
                method: _accuracy(subject, values, truth, seed=study.setup.config.seed, name=method)
                for method, values in of_stage.items()
            }

        return study.setup.workspace.cached(stage, [*depends, _STEPS, _DRAWS, *of_stage], compute)

    of_methods = {method: maps[method] for method in METHODS}
    of_controls = map_controls(study)
    accuracy = measure("perturbation", of_methods) | measure("perturbed controls", of_controls)
    in_order = {name: accuracy[name] for name in (*of_methods, *of_controls)}
    return Saliency(study, of_methods, in_order)


def map_controls(study: LabelStudy) -> Arrays:
    """The maps of the controls of all queries, (n, h, w).

    The true change is there where the world has the true counterfactual.
    """
    queries, seed = study.subject.queries, study.setup.config.seed
    number, (height, width, _) = len(queries), queries.shape
    is_known = "counterfactual" in queries.source[int(queries.indices[0])]
    names = [name for name in _CONTROLS if is_known or name != controls.CHANGE]

    def compute(first: int) -> Iterator[Arrays]:
        for rows in row_slices(number, 4 * height * width * 16, first=first):
            part = queries.take(np.arange(rows.start, rows.stop))
            turned = np.concatenate(list(part.chunks(field="counterfactual"))) if is_known else None
            maps = controls.control_maps(queries.read(rows), seed=seed, counterfactuals=turned)
            yield {name: maps[name] for name in names}

    depends = [study.identity, seed, names]
    return store_parts(study.setup.workspace, "controls of saliency", depends, number, compute)


def other_maps(subject: Subject, images: Float[np.ndarray, "n h w c"], batch_size: int) -> Arrays:
    """Maps by other methods, of the label's logit, whatever the decision.

    Args:
        subject: a network and its label.
        images: the images that are explained.
        batch_size: images at once.

    Returns:
        By method, (n, h, w).
    """
    score = Partial(_logit, subject.classifier)
    features, head = parts(subject.network.model)
    methods: dict[str, Callable[[Array], Array]] = {
        GRADIENT: Partial(_magnitude, Partial(gradient, score)),
        INTEGRATED: Partial(_magnitude, Partial(integrated_gradients, score)),
        GRAD_CAM: Partial(_grad_cam, Parts(features, one_label(head, subject.label))),
    }
    return {
        name: np.asarray(apply_to_examples(method, images, batch_size=batch_size))
        for name, method in methods.items()
    }


def _noise(keys: Array, images: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, "n h w"]:
    return np.asarray(jax.vmap(random_map)(keys, jnp.asarray(images[..., :1])))[..., 0]


def _accuracy(
    subject: Subject,
    maps: Float[np.ndarray, "n h w"],
    truth: Bool[np.ndarray, " n"],
    *,
    seed: int,
    name: str,
) -> Float[np.ndarray, "n steps"]:
    """The mean accuracy over draws of noise; each image has its own draws."""
    number, (height, width, channels) = len(maps), subject.queries.shape
    steps = _Correct(-(-height * width // _STEPS))
    accuracy = []
    with progress_bar(number, name) as bar:
        for rows in row_slices(number, 4 * height * width * (channels + 1), multiple=_AT_ONCE):
            images, draws = subject.queries.read(rows), []
            for key in jax.random.split(jax.random.key(seed), _DRAWS):
                keys = np.asarray(jax.random.key_data(jax.random.split(key, number)))[rows]
                given = images, np.asarray(maps[rows]), keys, truth[rows].astype(np.int32)
                draws.append(map_examples(steps, subject.classifier, given, batch_size=_AT_ONCE))
            accuracy.append(np.mean(draws, axis=0))
            bar.update(rows.stop - rows.start)
    return np.concatenate(accuracy)


@dataclass(frozen=True)
class _Correct:
    """Whether the classifier is correct after each step; hashable by value."""

    pixels_per_step: int

    def __call__(
        self, classifier: Any, given: tuple[Array, Array, Array, Int[Array, ""]]
    ) -> Float[Array, " steps"]:
        image, relevance, key, truth = given
        noise = jax.random.uniform(jax.random.wrap_key_data(key), image.shape)

        def correct(image: Array) -> Array:
            return (decision(classifier(image)) == truth).astype(jnp.float32)

        return perturbation_curve(
            correct,
            image,
            relevance,
            overwrite_with(noise),
            region=1,
            regions_per_step=self.pixels_per_step,
        )


def _logit(classifier: Any, image: Float[Array, "h w c"]) -> Float[Array, ""]:
    return class_score(classifier, 1)(image)


def _magnitude(
    attribution: Callable[[Array], Array], image: Float[Array, "h w c"]
) -> Float[Array, "h w"]:
    return channel_sum(jnp.abs(attribution(image)))


def _grad_cam(tap: Parts, image: Float[Array, "h w c"]) -> Float[Array, "h w"]:
    return grad_cam(tap, image, 1)
