"""Animations: an image that changes along an optimisation or a growing radius, as a looping GIF.

A GIF has 256 colours. One palette is chosen for the whole animation and nothing is dithered, so
that what does not change does not flicker; a change smaller than a step of the palette is not
visible, and animations are for looking, not for measuring. Grey images keep all their 256 levels.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from cfx_jax.checks import (
    check_flag,
    check_integer,
    check_positive,
    check_text,
    check_texts,
)
from cfx_jax.errors import InputError, import_extra
from cfx_jax.files import as_path, replacing
from cfx_jax.report.checks import check_filled, check_images
from cfx_jax.report.text_fitting import fit

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_MARGIN, _GAP = 12, 12
_TRACK = 4  # pixels, height of the progress line
_INK, _FAINT, _PALE = (26, 26, 26), (89, 89, 89), (217, 217, 217)
# Never approximated: the page, black, and the white of signed colours.
_PAGE = ((255, 255, 255), (0, 0, 0), (247, 247, 247), _INK, _FAINT, _PALE)
_PALETTE_FRAMES = 12
# Browsers play frames shorter than this at a slow default speed instead.
_LEAST_MS = 20


@dataclass(frozen=True, kw_only=True)
class AnimationPanel:
    """An image that changes from frame to frame."""

    frames: Float[np.ndarray, "n h w c"]
    """``(n, h, w, c)`` in [0, 1], c = 1 or 3: the states in order."""
    title: str = ""
    """Line above the image, the same for all frames."""
    captions: Sequence[str] = ()
    """One line below the image per frame, e.g. ``"p(DR) = 0.97"``; or none."""

    def __post_init__(self) -> None:
        count = len(check_images(self.frames, "a panel's frames"))
        if len(self.captions) not in (0, count):
            raise InputError(
                f"a panel needs one caption for each of its {count} frames, got"
                f" {len(self.captions)}"
            )


def animate(
    path: str | os.PathLike[str],
    panels: Sequence[AnimationPanel],
    *,
    captions: Sequence[str] = (),
    height: int = 224,
    smooth: bool = False,
    frame_ms: int = 120,
    hold_ms: int = 1000,
    back_and_forth: bool = True,
    note: str = "",
) -> Path:
    """Draws several changing images side by side and writes them as a GIF that loops for ever.

    Args:
        path: the file, ending in ``.gif``; written in one move.
        panels: one or more, with equally many frames.
        captions: one line below all panels per frame, e.g. ``"radius 0.2"``; or none.
        height: height of a panel in pixels; without ``smooth`` the nearest whole multiple of the
            image's height.
        smooth: enlarge by cubic interpolation; otherwise pixels stay square.
        frame_ms: how long a frame is shown, at least 20 ms.
        hold_ms: how long the first and the last frame are shown, at least 20 ms.
        back_and_forth: go back through the frames after the last one; otherwise start again with
            the first.
        note: drawn below every frame, such as "synthetic data".

    Returns:
        The path.

    Raises:
        InputError: another ending, no panels, unequal numbers of frames or captions, options out of
            range, or a file that cannot be written.

    >>> import tempfile
    >>> frames = np.linspace(0, 1, 3 * 16).reshape(3, 4, 4, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     animate(f"{folder}/change.gif", [AnimationPanel(frames=frames, title="change")]).name
    'change.gif'
    """
    check_filled(panels, "panels", AnimationPanel)
    check_text(note, name="note")
    check_flag(smooth, name="smooth")
    check_flag(back_and_forth, name="back_and_forth")
    check_positive(frame_ms, name="frame_ms")
    check_positive(hold_ms, name="hold_ms")
    _check_options(path, panels, captions, height, min(frame_ms, hold_ms))
    page = _Page(panels, captions, height, note, smooth=smooth)
    count = len(panels[0].frames)
    images = _reduce_colours([page.draw(number) for number in range(count)], grey=_all_grey(panels))
    order = _order(count, back_and_forth=back_and_forth)
    times = [hold_ms if number in (0, count - 1) else frame_ms for number in order]
    _save(path, [images[number] for number in order], times, note)
    return Path(path)


def _check_options(
    path: str | os.PathLike[str],
    panels: Sequence[AnimationPanel],
    captions: Sequence[str],
    height: int,
    shortest: int,
) -> None:
    if as_path(path).suffix.lower() != ".gif":
        raise InputError(
            f"animations are written as GIF: give a path that ends in .gif, got '{path}'"
        )
    check_texts(captions, name="captions")
    check_integer(height, name="height", at_least=1)
    check_integer(shortest, name="frame_ms and hold_ms", at_least=1)
    counts = [len(panel.frames) for panel in panels]
    if len(set(counts)) > 1:
        raise InputError(f"all panels need equally many frames, got {counts}")
    if len(captions) not in (0, counts[0]):
        raise InputError(
            f"one caption is needed for each of the {counts[0]} frames, got {len(captions)}"
        )
    if not 16 <= height <= 2048:
        raise InputError(f"height must lie between 16 and 2048 pixels, got {height}")
    if shortest < _LEAST_MS:
        raise InputError(f"a frame must be shown for at least {_LEAST_MS} ms, got {shortest}")


def _order(count: int, *, back_and_forth: bool) -> list[int]:
    """Lists the frame numbers of one loop; the two ends are shown once each."""
    forth = list(range(count))
    return forth + forth[-2:0:-1] if back_and_forth else forth


def _all_grey(panels: Sequence[AnimationPanel]) -> bool:
    return all(np.shape(panel.frames)[-1] == 1 for panel in panels)


def _reduce_colours(images: "list[Image]", *, grey: bool) -> "list[Image]":
    if grey:
        return [image.convert("L") for image in images]
    library = import_extra("PIL.Image", "writing animations")
    palette = library.new("P", (1, 1))
    palette.putpalette(_palette(images))
    return [image.quantize(palette=palette, dither=library.Dither.NONE) for image in images]


def _palette(images: "list[Image]") -> list[int]:
    """Chooses 256 colours: the page's own, and the rest cut from the colours that occur.

    A colour counts with the logarithm of its pixels: counted by pixels, a few red ones lose to a
    thousand shades of brown, and come out brown.
    """
    library = import_extra("PIL.Image", "writing animations")
    chosen = np.linspace(0, len(images) - 1, min(len(images), _PALETTE_FRAMES)).round().astype(int)
    pixels = np.concatenate([np.asarray(images[i]).reshape(-1, 3) for i in chosen])
    code = (pixels >> 2).astype(np.int32) @ np.array([1 << 12, 1 << 6, 1], np.int32)
    _, first, counts = np.unique(code, return_index=True, return_counts=True)
    sheet = np.repeat(pixels[first], 1 + np.log2(counts).astype(int), axis=0)
    free = 256 - len(_PAGE)
    cut = library.fromarray(sheet[None]).quantize(free, library.Quantize.MEDIANCUT)
    return [value for colour in _PAGE for value in colour] + cut.getpalette()[: 3 * free]


def _save(path: str | os.PathLike[str], images: "list[Image]", times: list[int], note: str) -> None:
    options: dict[str, Any] = {"comment": note.encode()} if note else {}
    with replacing(path) as temporary:
        images[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=images[1:],
            duration=times,
            loop=0,
            optimize=False,
            **options,
        )


class _Page:
    """The layout of a frame: sizes and places in pixels from its top left corner."""

    def __init__(
        self,
        panels: Sequence[AnimationPanel],
        captions: Sequence[str],
        height: int,
        note: str,
        *,
        smooth: bool,
    ) -> None:
        self.panels, self.smooth = panels, smooth
        self.font = _font(min(max(height // 16, 11), 22))
        self.step = round(self.font.size * 1.35)
        self.sizes = [
            _enlarged_size(np.shape(panel.frames)[1:3], height, smooth=smooth) for panel in panels
        ]
        self.inner = sum(width for width, _ in self.sizes) + _GAP * (len(panels) - 1)
        self.titles = [
            self._fit(panel.title, size[0], 2)
            for panel, size in zip(panels, self.sizes, strict=True)
        ]
        self.below = [
            [self._fit(caption, size[0], 2) for caption in panel.captions]
            for panel, size in zip(panels, self.sizes, strict=True)
        ]
        self.captions = [self._fit(caption, self.inner, 2) for caption in captions]
        self.note = self._fit(note, self.inner, 3)
        self.tops = self._tops()

    def draw(self, number: int) -> "Image":
        library = import_extra("PIL.Image", "writing animations")
        page = library.new("RGB", (self.inner + 2 * _MARGIN, self.tops["end"]), "white")
        pen = import_extra("PIL.ImageDraw", "writing animations").Draw(page)
        left = _MARGIN
        for index, size in enumerate(self.sizes):
            self._draw_panel(page, pen, index, number, left)
            left += size[0] + _GAP
        if self.captions:
            self._write(
                pen, self.captions[number], _MARGIN, self.tops["captions"], width=self.inner
            )
        self._draw_track(pen, number)
        self._write(pen, self.note, _MARGIN, self.tops["note"])
        return page

    def _tops(self) -> dict[str, int]:
        """Computes where each strip of the page begins; strips without text have no height."""
        heights = {
            "titles": self._lines_height(self.titles),
            "images": max(height for _, height in self.sizes) + 4,
            "below": self._lines_height([lines for panel in self.below for lines in panel]),
            "captions": self._lines_height(self.captions),
            "track": _TRACK + 8 if len(self.panels[0].frames) > 1 else 0,
            "note": self._lines_height([self.note]),
        }
        tops, top = {}, _MARGIN
        for name, strip in heights.items():
            tops[name] = top
            top += strip
        return {**tops, "end": top + _MARGIN}

    def _lines_height(self, texts: Sequence[list[str]]) -> int:
        return max(map(len, texts), default=0) * self.step

    def _fit(self, text: str, width: int, max_lines: int) -> list[str]:
        return fit(text, width, self.font.getlength, max_lines=max_lines) if text else []

    def _draw_panel(
        self, page: "Image", pen: "ImageDraw", index: int, number: int, left: int
    ) -> None:
        library = import_extra("PIL.Image", "writing animations")
        width, height = self.sizes[index]
        image = library.fromarray(_eight_bit(self.panels[index].frames[number]))
        how = library.Resampling.BICUBIC if self.smooth else library.Resampling.NEAREST
        page.paste(image.resize((width, height), how), (left, self.tops["images"]))
        self._write(pen, self.titles[index], left, self.tops["titles"], width=width)
        if self.below[index]:
            self._write(pen, self.below[index][number], left, self.tops["below"], width=width)

    def _write(
        self,
        pen: "ImageDraw",
        lines: Sequence[str],
        left: int,
        top: int,
        *,
        width: int | None = None,
    ) -> None:
        for row, line in enumerate(lines):
            shift = 0.0 if width is None else (width - self.font.getlength(line)) / 2
            pen.text((left + round(shift), top + row * self.step), line, fill=_INK, font=self.font)

    def _draw_track(self, pen: "ImageDraw", number: int) -> None:
        """Draws a line that fills up from the first frame to the last, and so shows the time."""
        count = len(self.panels[0].frames)
        if count > 1:
            top = self.tops["track"] + 4
            pen.rectangle((_MARGIN, top, _MARGIN + self.inner - 1, top + _TRACK - 1), fill=_PALE)
            done = round((self.inner - 1) * number / (count - 1))
            pen.rectangle((_MARGIN, top, _MARGIN + done, top + _TRACK - 1), fill=_FAINT)


def _enlarged_size(size: tuple[int, ...], height: int, *, smooth: bool) -> tuple[int, int]:
    """Computes width and height in pixels that an image of size ``(h, w)`` is drawn in."""
    factor = height / size[0]
    if not smooth:
        factor = max(1, round(factor))
    return max(1, round(size[1] * factor)), max(1, round(size[0] * factor))


def _eight_bit(image: Any) -> np.ndarray:
    values = np.rint(np.clip(np.asarray(image, np.float32), 0, 1) * 255).astype(np.uint8)
    return np.repeat(values, 3, axis=-1) if values.shape[-1] == 1 else values


def _font(size: int) -> Any:
    """Loads the font of the figures: it comes with Matplotlib and has arrows and Greek letters."""
    folder = import_extra("matplotlib", "the font of animations").get_data_path()
    file = Path(folder) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return import_extra("PIL.ImageFont", "writing animations").truetype(str(file), size)
