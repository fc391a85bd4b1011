"""Explanations of many images, in memory or in a folder, with their page."""

import base64
import csv
import io
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.errors import InputError
from cfx_jax.explain.explanation import DECISION, ByName, Explanation
from cfx_jax.explain.generator_methods import ALL_METHODS
from cfx_jax.explain.page import write_explanations_page
from cfx_jax.explain.result_folder import StoredItems, load_store, open_store
from cfx_jax.explain.run_manifest import Run
from cfx_jax.explain.settings import Settings
from cfx_jax.files import write_text
from cfx_jax.objectives import decision

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Explanations(Sequence[Explanation]):
    """Explanations of n images.

    ``answers[i]`` is the explanation of one image. Of those in a folder it is read when it is asked
    for; ``images`` and ``pictures[method]`` put all images together, in memory.

    Attributes:
        run: what they share: methods, settings, warnings, and the names of all images.
        skipped: why an image has no explanation, by its name.
    """

    def __init__(
        self, run: Run, items: Sequence[Explanation], *, skipped: Mapping[str, str] | None = None
    ) -> None:
        """Keeps explanations of one run.

        Args:
            run: what they share.
            items: the explanations, in the order of their images.
            skipped: why an image has no explanation, by its name.
        """
        self.run, self._items, self.skipped = run, items, dict(skipped or {})

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Explanation: ...
    @overload
    def __getitem__(self, index: slice) -> "Explanations": ...
    def __getitem__(self, index: int | slice) -> "Explanation | Explanations":
        if isinstance(index, slice):
            return Explanations(self.run, self._items[index])
        return self._items[index]

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self._items)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the k classes."""
        return self.run.classes

    @property
    def settings(self) -> Settings:
        """How the methods were run."""
        return self.run.settings

    @property
    def warnings(self) -> tuple[str, ...]:
        """Lines of a diagnosis on what may be wrong."""
        return self.run.warnings

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the images in their run, which differ from places where one is skipped."""
        return tuple(item.number for item in self)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images."""
        return tuple(self._columns["image"])

    @property
    def images(self) -> Float[np.ndarray, "n h w c"]:
        """All images, (n, h, w, c), as the classifier was given them."""
        return np.stack([item.image for item in self])

    @cached_property
    def logits(self) -> Float[np.ndarray, "n k"]:
        """The images' logits, (n, k)."""
        return np.stack([item.logits for item in self])

    @cached_property
    def targets(self) -> Int[np.ndarray, " n"]:
        """The class that counterfactuals were made for, (n,)."""
        return np.array([item.target for item in self])

    @property
    def predictions(self) -> Int[np.ndarray, " n"]:
        """The classes that the classifier decides on, (n,), by ``objectives.decision``."""
        return np.asarray(decision(self.logits))

    @property
    def probabilities(self) -> Float[np.ndarray, "n k"]:
        """The classes' probabilities, (n, k), each row with the sum 1."""
        shifted = np.exp(self.logits - self.logits.max(1, keepdims=True))
        return shifted / shifted.sum(1, keepdims=True)

    @property
    def pictures(self) -> Mapping[str, Float[np.ndarray, "n h w c"]]:
        """Counterfactuals in [0, 1], or signed maps of the predicted class, by method."""
        return ByName(
            self.run.methods, lambda method: np.stack([item.pictures[method] for item in self])
        )

    @cached_property
    def scores(self) -> Mapping[str, Mapping[str, Float[np.ndarray, " n"]]]:
        """Numbers by method and name of the score, (n,)."""
        scores: dict[str, dict[str, np.ndarray]] = {method: {} for method in self.run.methods}
        for column, values in self._columns.items():
            method, colon, name = column.partition(": ")
            if colon:
                scores[method][name] = np.array(values, np.float32)
        return scores

    @property
    def accuracy(self) -> float | None:
        """The share of images with a label that are predicted right; None where there is none.

        A label that names no class of the model counts as none.
        """
        pairs = zip(self._columns["label"], self._columns["prediction"], strict=True)
        classes = frozenset(self.classes)
        hits = [label == prediction for label, prediction in pairs if label in classes]
        return float(np.mean(hits)) if hits else None

    def table(self) -> dict[str, list[Any]]:
        """All numbers, a row for each image, as ``pandas.DataFrame`` takes them.

        Returns:
            By name of the column, a value for each image: ``image``, ``label``, ``prediction``,
            ``probability``, ``target``, ``probability of the target``, and the scores as
            ``METHOD: SCORE``.
        """
        return dict(self._columns)

    def write_table(self, path: str | os.PathLike[str]) -> Path:
        """Writes the table as a CSV file, in one move.

        Args:
            path: the file, such as ``table.csv``.

        Returns:
            The path.

        Raises:
            InputError: the file cannot be written.
        """
        columns = self.table()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        return write_text(path, text.getvalue())

    def report(self, path: str | os.PathLike[str], *, most: int = 2000) -> Path:
        """Writes the page: a gallery of all images, with filters, sliders and all numbers.

        Few images make one self-contained file. Of more than 24 the pictures and further pages lie
        in a folder beside it.

        Args:
            path: the file, such as ``page.html``.
            most: how many images the page shows; the first of them.

        Returns:
            The path.

        Raises:
            InputError: the file cannot be written.
        """
        return write_explanations_page(path, self, most=most)

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
        columns = 1 + len(self.run.methods)
        figure = Figure(figsize=(2.2 * columns, 2.4 * len(rows)), layout="constrained")
        axes = figure.subplots(len(rows), columns, squeeze=False)
        for line, number in zip(axes, rows, strict=True):
            _draw_row(line, self[number], self.classes)
        return figure

    def _repr_html_(self) -> str:
        """The first images as a notebook shows them."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "figure.png"
            self.show().savefig(path, dpi=80)
            picture = base64.b64encode(path.read_bytes()).decode()
        source = f"data:image/png;base64,{picture}"
        return f'<img alt="Explanations of the first images" src="{source}">'

    def save(self, folder: str | os.PathLike[str], *, replace: bool = False) -> Path:
        """Keeps everything in a folder, for ``load_explanations``.

        Args:
            folder: made where it is missing.
            replace: whether explanations that are there may be removed.

        Returns:
            The folder.

        Raises:
            InputError: the folder cannot be written, or holds explanations of another run.
        """
        store = open_store(Path(folder), self.run, replace=replace)
        for item in self:
            store.write(item)
        return Path(folder)

    @cached_property
    def _columns(self) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {name: [] for name in DECISION}  # of no image too
        for item in self:
            for name, value in item.row(self.classes).items():
                columns.setdefault(name, []).append(value)
        return columns


def load_explanations(folder: str | os.PathLike[str]) -> Explanations:
    """Opens the explanations in a folder, of ``explain(folder=)`` or ``Explanations.save``.

    Files are read when an explanation is asked for. Images that are still to be computed are left
    out.

    Args:
        folder: the folder.

    Returns:
        The explanations.

    Raises:
        InputError: there are none, or a damaged file.
    """
    store = load_store(Path(folder))
    numbers, skipped = store.find_results()
    if not numbers:
        raise InputError(f"{folder}: expected explanations, found none: explain images first")
    reasons = {store.run.names[number]: reason for number, reason in skipped.items()}
    return Explanations(store.run, StoredItems(store, numbers), skipped=reasons)


def _draw_row(line: Sequence[Any], item: Explanation, classes: Sequence[str]) -> None:
    decision = f"{classes[item.prediction]} {item.probabilities[item.prediction]:.2f}"
    _draw(line[0], item.image, f"{item.name}: {decision}")
    for place, (method, picture) in zip(line[1:], item.pictures.items(), strict=True):
        is_map, title = not ALL_METHODS[method].is_counterfactual, ALL_METHODS[method].title
        title = title if is_map else f"{title} → {classes[item.target]}"
        _draw(place, picture, title, is_map=is_map)


def _draw(axes: Any, picture: Float[np.ndarray, "h w c"], title: str, is_map: bool = False) -> None:
    axes.set_title(title, fontsize=8, parse_math=False)
    axes.set_axis_off()
    if is_map:
        values = picture.sum(-1)  # (h, w), signed
        scale = float(np.abs(values).max()) or 1.0
        axes.imshow(values, cmap="RdBu_r", vmin=-scale, vmax=scale)
        return
    shown = picture[..., 0] if picture.shape[-1] == 1 else picture
    axes.imshow(shown, cmap="gray", vmin=0, vmax=1)
