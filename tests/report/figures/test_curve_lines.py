"""Lines and plots are checked when they are made."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.report import CurvePanel, Line

X = np.arange(4.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": X[:, None]}, r"a line's x must have shape \(n,\), got \(4, 1\)"),
        ({"x": []}, r"a line's x must have shape \(n,\), got \(0,\)"),
        ({"x": X * np.nan}, "line 'a': x must be finite"),
        ({"y": X[1:]}, r"a line's y must have shape \(4,\), got \(3,\)"),
        ({"low": X}, "line 'a': a band needs both low and high"),
        ({"low": X, "high": X[1:]}, r"a line's high must have shape \(4,\)"),
        ({"low": X, "high": X - 1}, "line 'a': low must not exceed high"),
    ],
)
def test_broken_line_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        Line(**{"name": "a", "x": X, "y": X, **changes})


def test_broken_panel_is_refused():
    with pytest.raises(InputError, match="at least one of a panel's lines is needed"):
        CurvePanel(lines=[], x_label="x", y_label="y")
    with pytest.raises(
        InputError, match=r"y_range must be \(lower, upper\) with lower < upper, got \(1, 0\)"
    ):
        CurvePanel(lines=[Line(name="a", x=X, y=X)], x_label="x", y_label="y", y_range=(1, 0))


def test_gap_in_a_line_is_allowed():
    Line(name="a", x=X, y=[0, np.nan, 1, 2])
