"""Title and footer take the height they say."""

import pytest
from pages import assert_texts_are_apart, own_texts

from cfx_jax.report.figures.canvas import Canvas
from cfx_jax.report.figures.footer import MARGIN, Footer, SignedBar, Title


def bar(**changes):
    return SignedBar(**{"scale": 0.125, "clipped": False, "label": "a difference", **changes})


@pytest.mark.parametrize("width", [2.0, 5.0])
@pytest.mark.parametrize("legend", ["", "how to read it " * 10])
@pytest.mark.parametrize("note", ["", "synthetic data " * 10])
def test_everything_lies_within_the_stated_height(width, legend, note):
    footer = Footer(width, bar=bar(label="what the colours are " * 4), legend=legend, note=note)
    canvas = Canvas(width + 2 * MARGIN, footer.height + 0.02, dpi=100)
    footer.draw(canvas, 0.01)
    assert_texts_are_apart(canvas.figure)


def test_footer_without_contents_has_no_height():
    assert Footer(3.0).height == 0


@pytest.mark.parametrize("clipped", [False, True])
def test_bar_states_its_scale_and_whether_larger_values_occur(clipped):
    canvas = Canvas(5, 1, dpi=100)
    Footer(4.0, bar=bar(clipped=clipped)).draw(canvas, 0.1)
    axes = canvas.figure.axes[0]
    canvas.figure.canvas.draw()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["\u22120.125", "0", "+0.125"]
    assert axes._colorbar.extend == ("both" if clipped else "neither")


def test_long_title_is_cut_to_three_lines():
    canvas = Canvas(3, 1, dpi=100)
    title = Title("a very long title " * 20, 3 - 2 * MARGIN)
    title.draw(canvas)
    assert len(own_texts(canvas.figure)) == 3
    assert Title("", 3).height == 0 < Title("short", 3).height < title.height
