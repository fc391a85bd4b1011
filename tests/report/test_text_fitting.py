"""Fitted text is never wider than its place, and never loses its tail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfx_jax.report.text_fitting import HARD_SPACE, fit, wrap

TEXT = st.text(alphabet="abcdefg_-. \n→é", max_size=80)


@given(text=TEXT, width=st.integers(1, 30))
def test_no_line_is_wider_than_allowed(text, width):
    assert all(len(line) <= width for line in wrap(text, width, len))


@given(text=TEXT, width=st.integers(1, 30))
def test_wrapping_keeps_every_letter(text, width):
    assert "".join(wrap(text, width, len)).replace(" ", "") == text.replace("\n", "").replace(
        " ", ""
    )


@given(text=TEXT, width=st.integers(8, 30), lines=st.integers(1, 3))
def test_fitting_keeps_within_lines_and_width_and_keeps_the_tail(text, width, lines):
    fitted = fit(text, width, len, max_lines=lines, tail=": 0.97")
    assert len(fitted) <= lines
    assert all(len(line) <= width for line in fitted)
    assert "".join(fitted).endswith(f":{HARD_SPACE}0.97")


def test_text_that_fits_is_unchanged():
    assert fit("healthy", 20, len, tail=": 0.97") == [f"healthy:{HARD_SPACE}0.97"]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("a line\nbreak", 20, ["a line break"]),
        ("no_apparent_retinopathy", 14, ["no_apparent_", "retinopathy"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("", 5, [""]),
    ],
)
def test_lines_break_at_spaces_then_joints_then_anywhere(text, width, expected):
    assert wrap(text, width, len) == expected


def test_cut_is_marked():
    assert fit("a rather long name", 10, len, max_lines=1) == ["a rather…"]
