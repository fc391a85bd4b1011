"""Explanations of many images: pictures and numbers, their page, and their files."""

import base64
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.errors import InputError, reason_of
from cfx_jax.explain.generators import ALL_METHODS
from cfx_jax.explain.methods import Settings
from cfx_jax.files import digest, read_json, replacing, write_text
from cfx_jax.maps import channel_sum
from cfx_jax.report import (
    CounterfactualPanel,
    CounterfactualRow,
    MapColumn,
    Report,
    SaliencyMap,
    SaliencyRow,
    counterfactual_grid,
    saliency_grid,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ARRAYS, _FACTS = "explanations.npz", "explanations.json"
_IMAGES_PER_FIGURE = 8
_NOISE = 0.5
"""Below this mean cosine, what a random start repeats of a change is less than half of it."""
_HEADINGS = {
    "probability": "probability of the target",
    "valid": "target predicted",
    "distance": "norm of the change",
    "changed_share": "share of pixels changed",
    "repeated": "repeated by a random start",
    "radius": "smallest radius",
    "residual": "completeness residual",
    "redrawing": "PSNR of the redrawn image (dB)",
}
_WORDS = """- prediction: the class with the highest probability.
- target: the class that a counterfactual is made for.
- counterfactual: the image with the change that lets the target's probability rise.
- norm of the change: the lp norm over all pixels and channels of an image in [0, 1].
- share of pixels changed: pixels whose value changes by more than 1/255.
- repeated by a random start: the cosine between the change and that of a search from another start;
1 is the same change, 0 has nothing in common with it.
- smallest radius: the least norm of a change with which the target reaches the wanted probability;
inf where no change within the largest radius does.
- PSNR of the redrawn image: how like the image a generator's drawing of it is when nothing is to
change, in dB; below about 25 dB part of what differs is only redrawn.
- completeness residual: the sum of a map minus the rise of the score that it explains; 0 is exact.
- map: red raises the predicted class's score, blue lowers it."""


@dataclass(frozen=True)
class Explanations:
    """Explanations of n images.

    Attributes:
        images: (n, h, w, c), as they were given.
        names: of the images.
        classes: names of the k classes.
        logits: (n, k), of the images.
        targets: (n,), the class that counterfactuals were made for.
        pictures: by method, (n, h, w, c): counterfactuals in [0, 1], or signed maps of the
            predicted class.
        scores: by method and name of the score, (n,).
        settings: how the methods were run.
        warnings: what a diagnosis found that may be wrong, a line each.
    """

    images: Float[np.ndarray, "n h w c"]
    names: tuple[str, ...]
    classes: tuple[str, ...]
    logits: Float[np.ndarray, "n k"]
    targets: Int[np.ndarray, " n"]
    pictures: Mapping[str, Float[np.ndarray, "n h w c"]]
    scores: Mapping[str, Mapping[str, Float[np.ndarray, " n"]]]
    settings: Settings
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def predictions(self) -> Int[np.ndarray, " n"]:
        """The predicted classes, (n,)."""
        return self.logits.argmax(1)

    @property
    def probabilities(self) -> Float[np.ndarray, "n k"]:
        """The classes' probabilities, (n, k), each row with the sum 1."""
        shifted = np.exp(self.logits - self.logits.max(1, keepdims=True))
        return shifted / shifted.sum(1, keepdims=True)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Writes one self-contained page.

        Args:
            path: the file, such as ``page.html``.

        Returns:
            The path.

        Raises:
            InputError: the file cannot be written.
        """
        count, size = len(self), "x".join(map(str, self.images.shape[1:3]))
        page = Report(
            "Explanations",
            introduction=f"{count} images of {size} pixels, {len(self.classes)} classes:"
            f" {', '.join(self.classes)}.",
            note=" ".join(self._cautions()),
        )
        page.section("Images and decisions").table(*self._decisions(), caption="Decisions.")
        with tempfile.TemporaryDirectory() as folder:
            self._add_counterfactuals(page, Path(folder))
            self._add_maps(page, Path(folder))
        page.section("What the words mean", _WORDS)
        page.config(asdict(self.settings), caption="Settings")
        return page.write(path)

    def show(self, *, first: int = 0, count: int = 4) -> "Figure":
        """Draws some of the images with their counterfactuals and maps.

        Args:
            first: the first image.
            count: how many.

        Returns:
            A matplotlib figure; a notebook shows it.

        Raises:
            InputError: no image of that number.
        """
        from matplotlib.figure import Figure

        rows = range(first, min(first + count, len(self)))
        if not 0 <= first < len(self) or not rows:
            raise InputError(f"first: expected an image below {len(self)}, got {first}")
        columns = 1 + len(self.pictures)
        figure = Figure(figsize=(2.2 * columns, 2.4 * len(rows)), layout="constrained")
        axes = figure.subplots(len(rows), columns, squeeze=False)
        for line, number in zip(axes, rows, strict=True):
            _draw(line[0], self.images[number], f"{self.names[number]}: {self._decision(number)}")
            for place, method in zip(line[1:], self.pictures, strict=True):
                is_map = not ALL_METHODS[method].is_counterfactual
                title = method if is_map else f"{method} → {self.classes[self.targets[number]]}"
                _draw(place, self.pictures[method][number], title, is_map=is_map)
        return figure

    def _repr_html_(self) -> str:
        """The first images as a notebook shows them."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "figure.png"
            self.show().savefig(path, dpi=80)
            picture = base64.b64encode(path.read_bytes()).decode()
        source = f"data:image/png;base64,{picture}"
        return f'<img alt="Explanations of the first images" src="{source}">'

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Keeps everything in a folder, for ``load_explanations``.

        Args:
            folder: made where it is missing.

        Returns:
            The folder.

        Raises:
            InputError: the folder cannot be written.
        """
        folder = Path(folder)
        arrays: dict[str, Any] = {
            "images": self.images,
            "logits": self.logits,
            "targets": self.targets,
        }
        arrays |= {f"picture/{name}": values for name, values in self.pictures.items()}
        arrays |= {
            f"score/{method}/{name}": values
            for method, scores in self.scores.items()
            for name, values in scores.items()
        }
        _make(folder)
        with replacing(folder / _ARRAYS) as path, path.open("wb") as file:
            np.savez_compressed(file, **arrays)
        facts = {
            "arrays": digest(folder / _ARRAYS),
            "names": self.names,
            "classes": self.classes,
            "warnings": self.warnings,
            "settings": asdict(self.settings),
        }
        write_text(folder / _FACTS, json.dumps(facts, indent=1))
        return folder

    def _decision(self, number: int) -> str:
        decided = self.predictions[number]
        return f"{self.classes[decided]} {self.probabilities[number, decided]:.2f}"

    def _cautions(self) -> list[str]:
        """The sentences that a reader must know before the pictures."""
        cautions = list(self.warnings)
        repeated = self.scores.get("vce", {}).get("repeated")
        if repeated is not None and np.mean(repeated) < _NOISE:
            cautions.append(
                f"A random start repeats {np.mean(repeated):.2f} of a counterfactual's change on"
                " average (cosine; 1 is all of it): the changes are mostly noise, as those of"
                " networks without robust training are. Take a robust network, or an ensemble with"
                " one."
            )
        return cautions

    def _decisions(self) -> tuple[list[str], list[list[Any]]]:
        columns = ["image", "prediction", "probability", "target", "probability of the target"]
        rows = []
        for number, name in enumerate(self.names):
            decided, target = self.predictions[number], self.targets[number]
            probabilities = self.probabilities[number]
            rows.append(
                [
                    name,
                    self.classes[decided],
                    float(probabilities[decided]),
                    self.classes[target],
                    float(probabilities[target]),
                ]
            )
        return columns, rows

    def _add_counterfactuals(self, page: Report, folder: Path) -> None:
        methods = [name for name in self.pictures if ALL_METHODS[name].is_counterfactual]
        if not methods:
            return
        page.section(
            "Counterfactuals", "\n".join(f"- {n}: {ALL_METHODS[n].summary}" for n in methods)
        )
        for number, part in enumerate(self._parts()):
            rows = [self._counterfactual_row(image, methods) for image in part]
            path = counterfactual_grid(folder / f"counterfactuals_{number}.png", rows)
            page.figure(
                path,
                caption="Image, counterfactuals and what changed.",
                alt="Rows of images, each with its counterfactuals and the differences.",
            )
        for method in methods:
            page.table(*self._score_table(method), caption=f"{method}: scores.")

    def _counterfactual_row(self, number: int, methods: list[str]) -> CounterfactualRow:
        decided = self.predictions[number]
        panels = [
            CounterfactualPanel(
                image=self.pictures[method][number],
                target=self.classes[self.targets[number]],
                probability=float(self.scores[method]["probability"][number]),
                name=method,
            )
            for method in methods
        ]
        return CounterfactualRow(
            original=self.images[number],
            label="",
            predicted=self.classes[decided],
            probability=float(self.probabilities[number, decided]),
            counterfactuals=panels,
            name=self.names[number],
        )

    def _add_maps(self, page: Report, folder: Path) -> None:
        methods = [name for name in self.pictures if not ALL_METHODS[name].is_counterfactual]
        if not methods:
            return
        page.section("Maps", "\n".join(f"- {n}: {ALL_METHODS[n].summary}" for n in methods))
        columns = [MapColumn(model="", method=method) for method in methods]
        for number, part in enumerate(self._parts()):
            rows = [self._map_row(image, methods) for image in part]
            path = saliency_grid(folder / f"maps_{number}.png", rows, columns, style="heat")
            page.figure(
                path,
                caption="Signed maps, summed over channels.",
                alt="Rows of images, each with its maps in red and blue.",
            )
        for method in methods:
            if self.scores[method]:
                page.table(*self._score_table(method), caption=f"{method}: scores.")

    def _map_row(self, number: int, methods: list[str]) -> SaliencyRow:
        maps = [
            SaliencyMap(values=np.asarray(channel_sum(self.pictures[method][number])))
            for method in methods
        ]
        return SaliencyRow(
            original=self.images[number],
            maps=maps,
            label=self._decision(number),
            name=self.names[number],
        )

    def _score_table(self, method: str) -> tuple[list[str], list[list[Any]]]:
        scores = self.scores[method]
        columns = ["image", *(_HEADINGS.get(name, name) for name in scores)]
        rows = [
            [name, *(float(values[number]) for values in scores.values())]
            for number, name in enumerate(self.names)
        ]
        return columns, rows

    def _parts(self) -> list[range]:
        """The images of each figure."""
        count = len(self)
        return [
            range(first, min(first + _IMAGES_PER_FIGURE, count))
            for first in range(0, count, _IMAGES_PER_FIGURE)
        ]


def prepare_folder(folder: Path, *others: str, replace: bool) -> None:
    """Makes sure, before a long computation, that its results can be saved and nothing is lost.

    Args:
        folder: made where it is missing.
        others: names of files that are to be written beside the explanations.
        replace: whether files of these names may be there.

    Raises:
        InputError: a folder that cannot be written, or that holds explanations already.
    """
    held = [name for name in (_ARRAYS, _FACTS, *others) if (folder / name).exists()]
    if held and not replace:
        raise InputError(
            f"{folder}: expected a folder without explanations, found {held[0]}: choose another"
            " one, or give --replace"
        )
    _make(folder)
    with replacing(folder / ".writable") as path:
        path.touch()
    (folder / ".writable").unlink(missing_ok=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: expected a folder to write to: {error.strerror}") from error


def load_explanations(folder: str | os.PathLike[str]) -> Explanations:
    """Reads what ``Explanations.save`` kept.

    Args:
        folder: the folder.

    Returns:
        The explanations.

    Raises:
        InputError: no such files, or damaged ones.
    """
    folder = Path(folder)
    facts = read_json(folder / _FACTS, advice="explain the images again")
    try:
        if facts.get("arrays", "") not in ("", digest(folder / _ARRAYS)):
            raise InputError(
                f"{folder}: expected saved explanations of one run, got files of two, or a damaged"
                " one: explain the images again"
            )
        with np.load(folder / _ARRAYS, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        scores: dict[str, dict[str, np.ndarray]] = {}
        pictures = {}
        for name, values in arrays.items():
            kind, _, rest = name.partition("/")
            if kind == "picture":
                pictures[rest] = values
                scores.setdefault(rest, {})
            elif kind == "score":
                method, _, score = rest.partition("/")
                scores.setdefault(method, {})[score] = values
        return Explanations(
            images=arrays["images"],
            names=tuple(facts["names"]),
            classes=tuple(facts["classes"]),
            logits=arrays["logits"],
            targets=arrays["targets"],
            pictures=pictures,
            scores=scores,
            settings=Settings(**facts["settings"]),
            warnings=tuple(facts["warnings"]),
        )
    except InputError:
        raise
    except Exception as error:  # whatever NumPy and zipfile raise of a damaged file
        raise InputError(
            f"{folder}: expected saved explanations, got: {reason_of(error)}: explain the images"
            " again"
        ) from error


def _draw(axes: Any, picture: Float[np.ndarray, "h w c"], title: str, is_map: bool = False) -> None:
    axes.set_title(title, fontsize=8, parse_math=False)
    axes.set_axis_off()
    if is_map:
        values = np.asarray(channel_sum(picture))
        scale = float(np.abs(values).max()) or 1.0
        axes.imshow(values, cmap="RdBu_r", vmin=-scale, vmax=scale)
        return
    shown = picture[..., 0] if picture.shape[-1] == 1 else picture
    axes.imshow(shown, cmap="gray", vmin=0, vmax=1)
