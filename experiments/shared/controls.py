"""Controls of maps: maps that no network had a part in, and how far a method leads on them.

A method is of use where its maps point at a finding better than edges or dark pixels do. So the
tables of maps have the controls as rows. Where the interval of a method's lead on the best control
is not above 0, the method is at the level of that control, and the table and the claims say so.

Images may be pictures ``(h, w, c)`` or volumes ``(s, h, w, c)``; a map has no channels.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy import ndimage

from cfx_jax.metrics import Interval
from cfx_jax.report import Claim
from experiments.shared.intervals import (
    difference_over_runs,
    least_interval,
    least_mean_interval,
    mean_over_runs,
)

Image: TypeAlias = Float[np.ndarray, "*space c"]
Map: TypeAlias = Float[np.ndarray, "*space"]
Mask: TypeAlias = Bool[np.ndarray, "*space"]

RANDOM = "control: random pixels"
CONSTANT = "control: a constant place"
DARKEST, BRIGHTEST = "control: darkest pixels", "control: brightest pixels"
EDGES = "control: edges"
CHANGE = "truth: the true change"

TRIVIAL = (RANDOM, CONSTANT, DARKEST, BRIGHTEST, EDGES)
"""The controls that do not depend on the finding in an image; ``CHANGE`` is the finding itself."""

LEVEL_CAPTION = (
    "Rows that begin with 'control' are maps without a network: random pixels of the organ, a"
    " constant place (the mean annotation of the other images, or the middle of the organ where"
    " nothing is annotated), its darkest and its brightest pixels, and its edges; 'truth' is the"
    " difference of the image to its true counterfactual, where one is known; it is 0 elsewhere, so"
    " that a low threshold keeps every pixel. The lead is the least"
    " of the mean leads on these controls: a map whose interval is not above 0 is at the level of a"
    " control."
)
"""The explanation of these rows, for the caption of a table."""

_MARK = "(a control)"  # of the sentences that a claim has about the level of its methods
_SHARE_OF_BRIGHTEST = 0.1  # below this share of an image's brightest pixel is background
_EDGE_SIGMA = 1.0  # pixels over which the slope of an edge is taken


# ---- Maps of one image


def darkest_pixels(image: Image, organ: Mask, rng: np.random.Generator) -> Map:
    """A map that is the higher the darker a pixel of the organ is, and 0 outside of it."""
    del rng
    return np.where(organ, 2 - _grey(image), 0)


def brightest_pixels(image: Image, organ: Mask, rng: np.random.Generator) -> Map:
    """A map that is the higher the brighter a pixel of the organ is, and 0 outside of it."""
    del rng
    return np.where(organ, 1 + _grey(image), 0)


def edges(image: Image, organ: Mask, rng: np.random.Generator) -> Map:
    """A map of the slope of brightness in the organ, slice by slice, and 0 outside of it.

    An edge detector is the control of Adebayo et al. 2018, "Sanity checks for saliency maps".
    """
    del rng
    grey = _grey(image)
    sigmas = (0.0,) * (grey.ndim - 2) + (_EDGE_SIGMA,) * 2
    slopes = [
        ndimage.gaussian_filter(
            grey, sigmas, order=tuple(int(axis == along) for axis in range(grey.ndim))
        )
        for along in (grey.ndim - 2, grey.ndim - 1)
    ]
    return np.where(organ, np.hypot(*slopes), 0)


def random_pixels(image: Image, organ: Mask, rng: np.random.Generator) -> Map:
    """A map of random numbers in the organ, and 0 outside of it."""
    return np.where(organ, rng.uniform(0.5, 1, image.shape[:-1]), 0)


def middle_of_organ(image: Image, organ: Mask, rng: np.random.Generator) -> Map:
    """A map that falls with the distance to the centre of mass of the organ, and 0 outside."""
    del rng
    grid = np.indices(image.shape[:-1])
    centre = np.array(ndimage.center_of_mass(organ if organ.any() else np.ones_like(organ)))
    distance = np.sqrt(np.square(grid - centre.reshape(-1, *[1] * organ.ndim)).sum(axis=0))
    return np.where(organ, 1 / (1 + distance), 0)


CONTROLS: Mapping[str, Callable[[Image, Mask, np.random.Generator], Map]] = {
    RANDOM: random_pixels,
    CONSTANT: middle_of_organ,
    DARKEST: darkest_pixels,
    BRIGHTEST: brightest_pixels,
    EDGES: edges,
}
"""The controls that an image is enough for: ``(image, organ, rng) -> map``."""


def find_body(image: Image) -> Mask:
    """The pixels that stand for the organ where no mask of it is known: all but a dark background.

    They are brighter than a tenth of the brightest pixel, or lie in holes among such pixels.
    """
    grey = _grey(image)
    body = grey > _SHARE_OF_BRIGHTEST * grey.max()
    filled = [ndimage.binary_fill_holes(part) for part in body.reshape(-1, *body.shape[-2:])]
    return np.stack(filled).reshape(body.shape)


# ---- Maps of many images


def control_maps(
    images: Float[np.ndarray, "n *space c"],
    *,
    seed: int,
    organs: Bool[np.ndarray, "n *space"] | None = None,
    annotations: Bool[np.ndarray, "n *space"] | None = None,
    counterfactuals: Float[np.ndarray, "n *space c"] | None = None,
    groups: Shaped[np.ndarray, " n"] | None = None,
) -> dict[str, Float[np.ndarray, "n *space"]]:
    """The maps of every control, by name.

    Args:
        images: the images, values in [0, 1].
        seed: the seed of the random pixels; the pixels of image i depend on the seed and on i
            alone.
        organs: where each organ is; ``find_body`` of each image where None.
        annotations: where each finding is, empty for images without one; None where none is known.
        counterfactuals: the true counterfactual of each image; None where it is not known.
        groups: the person on each image, where several images show one person.

    Returns:
        ``TRIVIAL``, and ``CHANGE`` where the counterfactuals are known, each (n, \\*space).
    """
    organs = np.stack([find_body(image) for image in images]) if organs is None else organs
    maps = {
        name: np.stack(
            [
                make(image, organ, np.random.default_rng([seed, row]))
                for row, (image, organ) in enumerate(zip(images, organs, strict=True))
            ]
        )
        for name, make in CONTROLS.items()
    }
    if annotations is not None:
        maps[CONSTANT] = usual_place(annotations, groups)
    if counterfactuals is not None:
        maps[CHANGE] = np.abs(images - counterfactuals).sum(axis=-1)
    return {name: values.astype(np.float32) for name, values in maps.items()}


def usual_place(
    annotations: Bool[np.ndarray, "n *space"], groups: Shaped[np.ndarray, " n"] | None = None
) -> Float[np.ndarray, "n *space"]:
    """For each image, how often the findings of the other images cover a pixel.

    Args:
        annotations: empty ones do not count.
        groups: the person on each image; images of the same one are no others.

    Returns:
        Shares in [0, 1]; 0 everywhere where no other image has a finding.
    """
    names = np.arange(len(annotations)) if groups is None else np.asarray(groups)
    axes = tuple(range(1, annotations.ndim))
    has_finding = np.asarray(annotations.any(axis=axes))
    total, number = annotations.sum(axis=0, dtype=float), int(has_finding.sum())
    places = np.zeros(annotations.shape)
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        others = max(number - int(has_finding[rows].sum()), 1)
        places[rows] = (total - annotations[rows].sum(axis=0)) / others
    return places


# ---- The lead of a method on the controls


class Level(NamedTuple):
    """The lead of a method's maps on the best of the trivial controls.

    Attributes:
        method: its name.
        control: the control with the best mean score.
        score, best: the mean scores of the method and of the control.
        lead: the least of the mean leads on all controls, with its interval.
    """

    method: str
    control: str
    score: float
    best: float
    lead: Interval

    @property
    def is_above(self) -> bool:
        """Whether the whole interval of the lead is above 0."""
        return self.lead.low > 0

    @property
    def mark(self) -> str:
        """The level in words, for a cell of a table."""
        if self.is_above:
            return "above the controls"
        control = self.control.removeprefix("control: ")
        if not np.isfinite(self.lead).all():
            return f"undecided against {control}"
        return f"{'below' if self.lead.high < 0 else 'at the level of'} {control}"

    @property
    def sentence(self) -> str:
        """The level in a sentence, for a claim about the method."""
        estimate, low, high = self.lead
        return (
            f"{self.method}: {self.mark} {_MARK}, {self.score:.3g} against {self.best:.3g}; lead"
            f" {estimate:.3g} [{low:.3g}, {high:.3g}]."
        )


def level_sentences(note: str) -> list[str]:
    """The sentences of a claim's note that ``add_levels`` wrote there."""
    return [f"{part}." for part in re.split(r"\.(?: |$)", note) if _MARK in part]


LEVEL_COLUMNS = ["lead on the controls", "level"]
"""The columns of ``level_cells``."""


def level_cells(level: Level | None) -> list[Any]:
    """The cells of a table that tell a method's level; empty ones for a control."""
    return [None, ""] if level is None else [tuple(level.lead), level.mark]


def find_level(
    method: str,
    scores: Mapping[str, Float[np.ndarray, " n"]],
    *,
    controls: Iterable[str] = TRIVIAL,
    groups: Shaped[np.ndarray, " n"] | None = None,
    sign: int = 1,
) -> Level | None:
    """The level of a method, by its scores and the controls' scores on the same images.

    Args:
        method: its name; None is returned for a control.
        scores: for each method and control, one finite number for each image.
        controls: names of the trivial ones; those without scores do not count.
        groups: the person on each image, where several images show one person; they are drawn
            together.
        sign: -1 where lower scores are better.
    """
    known = [name for name in controls if name in scores]
    if method in known or method == CHANGE or not known:
        return None
    leads = sign * np.stack([scores[method] - scores[name] for name in known], axis=1)
    best = known[int(leads.mean(axis=0).argmin())]
    images = None if groups is None else tuple(groups.tolist())
    interval = _interval_of_least_mean(leads.dtype.str, leads.shape, leads.tobytes(), images)
    return Level(method, best, float(scores[method].mean()), float(scores[best].mean()), interval)


def find_level_of_runs(
    method: str,
    scores: Mapping[str, Sequence[Float[np.ndarray, " cases"]]],
    *,
    controls: Iterable[str],
    cases: Sequence[Shaped[np.ndarray, " cases"]] | None = None,
) -> Level | None:
    """The level of a method that was trained several times, over runs and cases.

    Args:
        method: its name; None is returned for a control.
        scores: for each method and control, and for each run, one number for each case; the cases
            are the same for all, and higher is better.
        controls: names of the trivial ones; those without scores do not count.
        cases: for each run, the names of the cases; None where all runs have the same ones.
    """
    known = [name for name in controls if name in scores]
    if method in known or not known:
        return None
    leads = {name: difference_over_runs(scores[method], scores[name], cases) for name in known}
    best = min(known, key=lambda name: leads[name].estimate)
    score, reached = (mean_over_runs(scores[name]) for name in (method, best))
    return Level(method, best, score, reached, least_interval(list(leads.values())))


def add_levels(claim: Claim, levels: Iterable[Level | None]) -> Claim:
    """The claim, with a sentence for each of its methods that is not above the controls."""
    sentences = [level.sentence for level in levels if level is not None and not level.is_above]
    return dataclasses.replace(claim, note=" ".join(filter(None, [claim.note, *sentences])))


@lru_cache
def _interval_of_least_mean(
    kind: str, shape: tuple[int, int], leads: bytes, groups: tuple[Any, ...] | None
) -> Interval:
    """The interval of the smallest of several mean leads.

    It is kept for the next call: every claim and every table about a method asks for it.
    """
    values = np.frombuffer(leads, kind).reshape(shape)
    names = None if groups is None else np.asarray(groups)
    return least_mean_interval(values, names)


def _grey(image: Image) -> Map:
    """The mean of an image's channels."""
    return image.mean(axis=-1)
