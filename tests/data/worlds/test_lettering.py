import numpy as np
import pytest

from cfx_jax.data.worlds.drawing import Frame, unit_grid
from cfx_jax.data.worlds.lettering import letters


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("text", ["A", "D", "G", "L", "P", "R", "AP", "GD"])
def test_letters_are_centred_and_of_the_stated_height(text, size):
    frame = Frame(size, (0.5, 0.5), 0.4)
    x, y = unit_grid(frame)
    written = letters(frame, text, (0.2, -0.3), 0.4) > 0.25
    rows, columns = y[written.any(1), 0], x[0, written.any(0)]
    assert np.ptp(rows) == pytest.approx(0.45, abs=0.07)
    middle = 0.5 * (columns.min() + columns.max()), 0.5 * (rows.min() + rows.max())
    assert middle == pytest.approx((0.2, -0.3), abs=0.05)


def test_letters_differ():
    frame = Frame(64, (0.5, 0.5), 0.4)
    drawn = [letters(frame, letter, (0, 0), 0.5) for letter in "ADGLPR"]
    for number, one in enumerate(drawn):
        assert all(np.abs(one - other).sum() > 5 for other in drawn[:number])
