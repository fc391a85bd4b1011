"""The page of explanations: a card for each image, and the words around them.

``report.gallery`` draws it, the maps' colours in its ``pictures``.
"""

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from cfx_jax.explain.explanation import Explanation
from cfx_jax.explain.generator_methods import ALL_METHODS
from cfx_jax.explain.run_manifest import Run
from cfx_jax.explain.settings import Settings
from cfx_jax.report import signed_difference
from cfx_jax.report.gallery import Card, Figure, Strip, Texts, write_gallery

if TYPE_CHECKING:
    from cfx_jax.explain.explanations import Explanations

_NOISE = 0.5
"""Below this mean cosine, what a random start repeats of a change is less than half of it."""
_STRONGEST = 99.5
"""Percentile of a map's values, without their signs, that has the strongest colour."""
_LEAST_SCALE = 1 / 255
_MOST_NAMED = 20
_HEADINGS = {
    "probability": "probability of the target",
    "valid": "target predicted (1) or not (0)",
    "distance": "norm of the change",
    "changed_share": "share of pixels changed",
    "repeated": "repeated by a random start",
    "radius": "smallest radius",
    "residual": "completeness residual",
    "redrawing": "PSNR of the redrawn image (dB)",
}
_WORDS = {
    "prediction": "the class with the highest probability.",
    "label": "the class that the image's file or folder names.",
    "target": "the class that a counterfactual is made for.",
    "counterfactual": "the image with the change that lets the target's probability rise.",
    "norm of the change": "the lp norm over all pixels and channels of an image in [0, 1].",
    "share of pixels changed": "pixels whose value changes by more than 1/255.",
    "repeated by a random start": "the cosine between the change and that of a search from another"
    " start; 1 is the same change, 0 has nothing in common with it.",
    "smallest radius": "the least norm of a change with which the target reaches the wanted"
    " probability; inf where no change within the largest radius does.",
    "completeness residual": "the sum of a map minus the rise of the score that it explains; 0 is"
    " exact.",
    "PSNR of the redrawn image (dB)": "how like the image a generator's drawing of it is when"
    " nothing is to change; below about 25 dB part of what differs is only redrawn.",
    "map": "the line below each map says what red and blue mean; the strongest 0.5 % of the pixels"
    " have the strongest colour.",
    "change": "red is brighter than in the image, blue is darker.",
}


def write_explanations_page(
    path: str | os.PathLike[str], answers: "Explanations", *, most: int
) -> Path:
    """Writes the page of explanations.

    Args:
        path: the file.
        answers: the explanations.
        most: how many images the page shows; the first of them.

    Returns:
        The path.

    Raises:
        InputError: the file cannot be written.
    """
    count = min(len(answers), most)
    cards = (_card(answers[number], answers.run) for number in range(count))
    return write_gallery(path, cards, count=count, texts=_texts(answers, count))


def cautions_of(answers: "Explanations") -> list[str]:
    """The sentences that a reader must know before the pictures.

    Args:
        answers: the explanations.
    """
    cautions = list(answers.warnings)
    repeated = answers.scores.get("vce", {}).get("repeated")
    if repeated is not None and np.mean(repeated) < _NOISE:
        cautions.append(
            f"A random start repeats {np.mean(repeated):.2f} of a counterfactual's change on"
            " average (cosine; 1 is all of it): the changes are mostly noise, as those of networks"
            " without robust training are. Take a robust network, or an ensemble with one, such as"
            " the sibling that `cfx train trades` makes of your network."
        )
    if answers.skipped:
        cautions.append(
            f"{len(answers.skipped)} images could not be explained and are left out; the first:"
            f" {next(f'{name}: {reason}' for name, reason in answers.skipped.items())}."
        )
    missing = len(answers.run.names) - len(answers) - len(answers.skipped)
    if missing:
        cautions.append(f"{missing} images of this run are not explained yet.")
    return cautions


def _texts(answers: "Explanations", count: int) -> Texts:
    run, columns = answers.run, answers.table()
    size = " x ".join(map(str, run.shape[:2]))
    introduction = [
        f"{len(answers)} images of {size} pixels, {len(run.classes)} classes:"
        f" {_listed(run.classes)}.",
        f"Predicted: {_listed(_counted(columns['prediction']))}.",
    ]
    if answers.accuracy is not None:
        classes = frozenset(run.classes)
        known = sum(label in classes for label in columns["label"])
        introduction.append(
            f"{answers.accuracy:.1%} of the {known} images with a label of a class are predicted"
            " right."
        )
    if count < len(answers):
        introduction.append(f"This page shows the first {count} images; the table has all.")
    methods = {
        f"{method.title} ({method.name})": method.summary
        for method in (ALL_METHODS[name] for name in run.methods)
    }
    facts = {
        "made": run.made,
        **{f"note {number}": note for number, note in enumerate(run.notes, start=1)},
        **{f"skipped {number}": line for number, line in enumerate(run.skipped[:_MOST_NAMED], 1)},
        **{name: str(value) for name, value in asdict(run.settings).items()},
        **({"matmul_precision": run.matmul_precision} if run.matmul_precision else {}),
    }
    return Texts(
        title="Explanations",
        introduction=introduction,
        cautions=cautions_of(answers),
        words=methods | _words(answers),
        facts=facts,
    )


def _words(answers: "Explanations") -> dict[str, str]:
    """The words of the page, without those for scores that no method gives."""
    given = {_HEADINGS.get(name) for scores in answers.scores.values() for name in scores}
    unused = {*_HEADINGS.values()} - given
    return {word: meaning for word, meaning in _WORDS.items() if word not in unused}


def _counted(values: Sequence[str]) -> list[str]:
    return [f"{count} {value}" for value, count in Counter(values).most_common()]


def _listed(values: Sequence[str]) -> str:
    more = len(values) - _MOST_NAMED
    return ", ".join(values[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _card(item: Explanation, run: Run) -> Card:
    row = item.row(run.classes)
    image = _shown(item.image)
    facts = [
        f"{row['prediction']} {row['probability']:.2f}",
        f"target {row['target']} {row['probability of the target']:.2f}",
    ]
    return Card(
        number=item.number,
        name=item.name,
        image=image,
        facts=facts,
        prediction=row["prediction"],
        label=item.label,
        target=row["target"],
        scores={_heading(name): value for name, value in row.items() if isinstance(value, float)},
        strips=list(_strips(item, image, row, run.settings)),
    )


def _heading(column: str) -> str:
    """The words for a column of the table, such as ``vce: valid``."""
    method, colon, score = column.partition(": ")
    return f"{ALL_METHODS[method].title}: {_HEADINGS.get(score, score)}" if colon else column


def _numbers(scores: Mapping[str, float], settings: Settings) -> dict[str, str]:
    """The scores of a card in words."""
    numbers = {_HEADINGS.get(name, name): f"{value:.3g}" for name, value in scores.items()}
    if "valid" in scores:
        del numbers[_HEADINGS["valid"]]
        numbers["target predicted"] = "yes" if scores["valid"] else "no"
    if math.isinf(scores.get("radius", 0.0)):
        numbers[_HEADINGS["radius"]] = (
            f"none up to {settings.largest_radius:.3g} reaches {settings.probability:g}"
        )
    return numbers


def _strips(
    item: Explanation,
    image: Float[np.ndarray, "h w c"],
    row: Mapping[str, Any],
    settings: Settings,
) -> Iterator[Strip]:
    for method, picture in item.pictures.items():
        numbers = _numbers(item.scores[method], settings)
        if ALL_METHODS[method].is_counterfactual:
            yield _counterfactual_strip(item, method, image, row["target"], numbers)
        else:
            values = picture.sum(-1)  # (h, w), signed
            figure = Figure(
                caption=ALL_METHODS[method].reading.format(prediction=row["prediction"]),
                alt=f"{item.name} with the map over it: {ALL_METHODS[method].title}",
                image=image,
                heat=values,
                scale=_scale(np.abs(values)),
            )
            yield Strip(title=ALL_METHODS[method].title, steps=[[figure]], numbers=numbers)


def _counterfactual_strip(
    item: Explanation,
    method: str,
    image: Float[np.ndarray, "h w c"],
    target: str,
    numbers: Mapping[str, str],
) -> Strip:
    """The counterfactual and its change, with the steps of its sweep where it has one."""
    pictures, labels, knob = [item.pictures[method]], [""], ALL_METHODS[method].knob
    if method in item.sweeps:
        sweep = item.sweeps[method]
        pictures = [*sweep.pictures, *pictures]
        labels = [
            f"{knob} {position:.3g}: {target} {probability:.2f}"
            for position, probability in zip(sweep.positions, sweep.probabilities, strict=True)
        ]
    shown, by = [_shown(picture) for picture in pictures], ALL_METHODS[method].title
    changes = [signed_difference(picture, image) for picture in shown]
    scale = max(float(np.abs(changes).max()), _LEAST_SCALE)  # one for all steps
    steps = [
        [
            Figure(
                caption=f"changed towards {target}",
                alt=f"{item.name}, changed towards {target}: {by}",
                image=picture,
            ),
            Figure(
                caption=f"the change; strongest colour ±{scale:.2f}",
                alt=f"{item.name} with the change over it: {by}",
                image=image,
                heat=change,
                scale=scale,
            ),
        ]
        for picture, change in zip(shown, changes, strict=True)
    ]
    title = f"{by} → {target}"
    return Strip(title=title, steps=steps, labels=labels, knob=knob, numbers=numbers)


def _scale(sizes: Float[np.ndarray, "h w"]) -> float:
    sizes = np.nan_to_num(sizes)
    return float(np.percentile(sizes, _STRONGEST)) or float(sizes.max()) or 1.0


def _shown(image: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w c"]:
    """An image of one or three channels; of another number, their mean."""
    return image if image.shape[-1] in (1, 3) else image.mean(-1, keepdims=True)
