import numpy as np
import pytest

from cfx_jax.data.worlds.brain import head, head_cover, sample_anatomy
from cfx_jax.data.worlds.brain.skull import FLUID, brain_depth
from cfx_jax.data.worlds.drawing import outline_cover, unit_grid

HEAD = sample_anatomy(np.random.default_rng(0))._replace(tilt=0.0, level=0.0, skull=1.0)
FRAME = HEAD.frame(256)


def test_outside_is_air_and_inside_is_fluid():
    image = head(HEAD, FRAME)
    inside = outline_cover(FRAME, HEAD.ring(brain_depth(HEAD) + 0.02)) == 1
    assert image[outline_cover(FRAME, HEAD.ring(-0.03)) == 0].max() < 0.01
    np.testing.assert_allclose(image[inside], FLUID, atol=1 / 255)


def test_layers_from_outside_are_bright_dark_marrow_dark():
    x, y = unit_grid(FRAME)
    row = head(HEAD, FRAME)[np.abs(y[:, 0]).argmin()]
    depth = HEAD.aspect - np.abs(x[0])

    def brightness(place):
        return row[np.abs(depth - place).argmin()]

    fat, bone, marrow = brightness(0.035), brightness(0.062), brightness(0.085)
    assert fat > 0.6 and bone < 0.2 and bone < marrow < fat


def test_cover_is_the_share_inside_the_skin():
    cover = head_cover(HEAD, FRAME)
    corners = HEAD.ring(0.0) * HEAD.radius
    x, y = corners.T
    assert cover.mean() == pytest.approx(
        0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))), rel=0.01
    )


def test_thick_skulls_leave_less_room():
    thin, thick = (
        outline_cover(FRAME, HEAD.ring(brain_depth(HEAD._replace(skull=skull)))).sum()
        for skull in (0.85, 1.2)
    )
    assert thick < 0.92 * thin
