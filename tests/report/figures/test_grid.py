"""Panels and titles never meet, whatever their number and length."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import assert_texts_are_apart, overlap, own_texts

from cfx_jax.errors import InputError
from cfx_jax.report.figures.footer import SignedBar
from cfx_jax.report.figures.grid import Cell, Grid, GridRow
from cfx_jax.report.figures.panels import draw_image

WORDS = st.text(alphabet="abc _-", max_size=60)


def cell(title="title", tail=""):
    return Cell(draw=partial(draw_image, image=np.zeros((4, 4, 1))), titles=[(title, tail)])


def rows(count, columns, title="title", size=(4, 4)):
    return [
        GridRow(cells=[cell(title)] * columns, name=f"row {i}", size=size) for i in range(count)
    ]


@settings(max_examples=15, deadline=None)
@given(
    title=WORDS,
    heading=WORDS,
    name=WORDS,
    note=WORDS,
    columns=st.integers(1, 4),
    count=st.integers(1, 3),
)
def test_no_text_meets_another_or_a_panel(title, heading, name, note, columns, count):
    row = GridRow(cells=[cell(title, ": 0.97")] * columns + [None], name=name, size=(4, 4))
    bar = SignedBar(scale=0.1, clipped=True, label=title)
    grid = Grid(
        [row] * count,
        [(heading, columns), (name, 1)],
        panel_size=1.0,
        title=title,
        bar=bar,
        legend=heading,
        note=note,
    )
    assert_texts_are_apart(grid.draw().figure)


def test_panels_do_not_overlap_and_keep_the_shape_of_their_images():
    figure = Grid(rows(2, 3, size=(8, 4)), [("", 1), ("", 2)], panel_size=1.0).draw().figure
    boxes = [axes.get_window_extent() for axes in figure.axes]
    assert all(box.height == pytest.approx(2 * box.width) for box in boxes)
    assert all(overlap(a, b) < 0 for i, a in enumerate(boxes) for b in boxes[:i])


def test_groups_stand_further_apart_than_their_members():
    figure = Grid(rows(1, 3), [("", 1), ("", 2)], panel_size=1.0).draw().figure
    first, second, third = [axes.get_window_extent() for axes in figure.axes]
    assert second.x0 - first.x1 > third.x0 - second.x1 > 0


def test_empty_place_has_no_panel():
    row = GridRow(cells=[cell(), None, cell()], name="", size=(4, 4))
    assert len(Grid([row], [("", 3)], panel_size=1.0).draw().figure.axes) == 2


def test_titles_stand_on_their_panel():
    row = GridRow(cells=[cell("one"), cell("a title that needs two lines")], name="", size=(4, 4))
    figure = Grid([row], [("", 2)], panel_size=1.0).draw().figure
    renderer = figure.canvas.get_renderer()
    short = next(t for t in own_texts(figure) if t.get_text() == "one").get_window_extent(renderer)
    panel = figure.axes[0].get_window_extent()
    assert 0 <= short.y0 - panel.y1 < 0.1 * figure.dpi


@pytest.mark.parametrize("size", [0.1, 11])
def test_panel_size_out_of_range_is_refused(size):
    with pytest.raises(InputError, match=r"panel_size must lie between 0\.5 and 10 inches"):
        Grid(rows(1, 1), [("", 1)], panel_size=size)


def test_too_many_rows_are_refused_with_a_way_out():
    with pytest.raises(InputError, match="too large: use several with fewer rows"):
        Grid(rows(700, 1), [("", 1)], panel_size=1.5).draw()
