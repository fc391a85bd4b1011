"""Line plots show their lines, bands and names."""

import numpy as np
import pytest
from pages import assert_texts_are_apart, overlap, texts

from cfx_jax.errors import InputError
from cfx_jax.report import CurvePanel, Line, curve

X = np.array([0.1, 0.2, 0.3, 0.4])


def line(name="robust", y=X, **more):
    return Line(name=name, x=X, y=y, **more)


def panel(*lines, **more):
    return CurvePanel(
        lines=lines or [line()], **{"x_label": "radius", "y_label": "probability", **more}
    )


def test_lines_and_bands_are_drawn_as_given(tmp_path, drawn):
    curve(tmp_path / "a.png", [panel(line(low=X - 0.05, high=X + 0.1))], band="95 % interval")
    axes = drawn[0].axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), np.stack([X, X], axis=1))
    corners = axes.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(0.05) and corners[:, 1].max() == pytest.approx(0.5)
    assert "Bands: 95 % interval." in texts(drawn[0])


def test_one_name_has_one_look_in_all_panels_and_one_entry(tmp_path, drawn):
    panels = [panel(line("a"), line("b")), panel(line("b"), line("c"))]
    curve(tmp_path / "a.png", panels)
    first, second, legend = drawn[0].axes
    assert first.lines[1].get_color() == second.lines[0].get_color()
    assert first.lines[1].get_marker() == second.lines[0].get_marker()
    assert [t.get_text() for t in legend.get_legend().get_texts()] == ["a", "b", "c"]


def test_many_lines_all_look_different(tmp_path, drawn):
    curve(tmp_path / "a.png", [panel(*[line(str(i), X + i) for i in range(14)])])
    looks = {(each.get_color(), each.get_linestyle()) for each in drawn[0].axes[0].lines}
    assert len(looks) == 14


def test_range_is_shown_whole(tmp_path, drawn):
    curve(tmp_path / "a.png", [panel(y_range=(0, 1))])
    low, high = drawn[0].axes[0].get_ylim()
    assert -0.1 < low < 0 and 1 < high < 1.1


@pytest.mark.parametrize(("count", "columns"), [(1, 3), (2, 3), (5, 2)])
def test_nothing_overlaps(tmp_path, drawn, count, columns):
    panels = [
        panel(
            line("plain $x_1$ model", X * 1e-5),
            line("a name that is long enough to need room of its own in the legend"),
            title="a long title of one of the small panels " * (i + 1),
            y_label="a label of the y axis that is too long for its axis",
            x_label="radius of the ball in which the image may change, in pixels",
        )
        for i in range(count)
    ]
    curve(
        tmp_path / "a.png",
        panels,
        columns=columns,
        title="title",
        band="some",
        note="synthetic data",
    )
    figure = drawn[0]
    assert_texts_are_apart(figure)
    boxes = [axes.get_tightbbox(figure.canvas.get_renderer()) for axes in figure.axes]
    assert all(overlap(a, b) < 1 for i, a in enumerate(boxes) for b in boxes[:i])
    width, height = figure.canvas.get_width_height()
    assert all(
        box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height for box in boxes
    )


@pytest.mark.parametrize(
    ("panels", "options", "message"),
    [
        ([], {}, "at least one of panels is needed"),
        ([panel()], {"columns": 0}, "columns: expected an integer of at least 1, got 0"),
        ([panel()], {"panel_size": (0.1, 1)}, "panel_size must lie between 0.5 and 20 inches"),
    ],
)
def test_wrong_input_is_refused(tmp_path, panels, options, message):
    with pytest.raises(InputError, match=message):
        curve(tmp_path / "a.png", panels, **options)
