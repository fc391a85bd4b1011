"""A page is measured in inches, and text is measured as it will be drawn."""

import matplotlib
import numpy as np
import pytest
from PIL import Image

from cfx_jax.errors import InputError
from cfx_jax.report.figures.canvas import Canvas, fit_text, sensible_dpi, text_width


def test_file_has_the_size_of_the_page(tmp_path):
    path = Canvas(3, 2, dpi=150).save(tmp_path / "a.png", note="synthetic data")
    with Image.open(path) as image:
        assert image.size == (450, 300)
        assert image.info["Comment"] == "synthetic data"


def test_axes_lie_where_they_were_put():
    canvas = Canvas(4, 2, dpi=100)
    box = canvas.axes(0.5, 0.25, 1.0, 0.5).get_window_extent()
    np.testing.assert_allclose([box.x0, box.x1, box.y0, box.y1], [50, 150, 125, 175])


@pytest.mark.parametrize(
    "text", ["→ healthy: 0.97", "iiii", "WWWW", "a $dollar$ sign_1^2", "ε = 0.2"]
)
@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_drawn_text_is_no_wider_than_measured(text, weight):
    canvas = Canvas(4, 1, dpi=300)
    canvas.text(0.1, 0.1, [text], fontsize=7.0, fontweight=weight)
    drawn = (
        canvas.figure.texts[0].get_window_extent(canvas.figure.canvas.get_renderer()).width / 300
    )
    measured = text_width(text, weight=weight)
    assert 0.85 * measured <= drawn <= measured + 0.01


def test_text_lines_follow_one_another_downwards():
    canvas = Canvas(2, 2, dpi=100)
    canvas.text(0.1, 0.2, ["first", "second"])
    first, second = [
        t.get_window_extent(canvas.figure.canvas.get_renderer()) for t in canvas.figure.texts
    ]
    assert first.y1 <= 180 and second.y1 <= first.y0 + 1


def test_fitted_lines_fit():
    lines = fit_text("severe non-proliferative diabetic retinopathy", 1.2, max_lines=3)
    assert all(text_width(line) <= 1.2 for line in lines) and len(lines) > 1


def test_page_grows_coarser_before_it_grows_too_large():
    assert Canvas(10, 100, dpi=300).figure.dpi == pytest.approx(200, rel=0.01)
    with pytest.raises(
        InputError, match=r"a figure of 10 x 1000 inches is too large: use several with fewer rows"
    ):
        Canvas(10, 1000, dpi=300)


def test_resolution_shows_each_pixel_within_reason():
    assert [sensible_dpi(n, 1.5) for n in (8, 300, 512, 4000)] == [
        160,
        200,
        pytest.approx(341.3, abs=0.1),
        360,
    ]


def test_only_png_is_written(tmp_path):
    with pytest.raises(InputError, match=r"give a path that ends in \.png, got 'a.pdf'"):
        Canvas(1, 1, dpi=100).save("a.pdf")


def test_look_does_not_depend_on_the_users_settings(tmp_path):
    def page(name):
        canvas = Canvas(2, 1, dpi=100)
        canvas.text(0.1, 0.1, ["text"])
        return canvas.save(tmp_path / name).read_bytes()

    before = page("a.png")
    other = {
        "savefig.bbox": "tight",
        "font.family": "serif",
        "font.size": 20,
        "figure.facecolor": "red",
    }
    with matplotlib.rc_context(other):
        assert page("b.png") == before


def test_pyplot_is_not_touched(tmp_path):
    import matplotlib.pyplot as plt

    Canvas(1, 1, dpi=100).save(tmp_path / "a.png")
    assert plt.get_fignums() == []
