"""Animations show their frames in order, at the given times, in colours close to the given ones."""

import numpy as np
import pytest
from PIL import Image, ImageSequence

from cfx_jax.errors import InputError
from cfx_jax.report import AnimationPanel, animate, signed_colours

RNG = np.random.default_rng(0)
GREY = np.linspace(0, 1, 5)[:, None, None, None] * RNG.random((5, 8, 8, 1))


def frames(path):
    with Image.open(path) as image:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]


def times(path):
    with Image.open(path) as image:
        return [frame.info["duration"] for frame in ImageSequence.Iterator(image)]


def test_grey_pixels_are_enlarged_exactly(tmp_path):
    path = animate(
        tmp_path / "a.gif", [AnimationPanel(frames=GREY)], height=32, back_and_forth=False
    )
    for shown, given in zip(frames(path), GREY, strict=True):
        expected = np.kron(np.rint(given[..., 0] * 255).astype(np.uint8), np.ones((4, 4), np.uint8))
        np.testing.assert_array_equal(
            shown[12:44, 12:44], np.repeat(expected[..., None], 3, axis=-1)
        )


def test_loop_goes_back_and_forth_and_rests_at_its_ends(tmp_path):
    path = animate(tmp_path / "a.gif", [AnimationPanel(frames=GREY)], frame_ms=50, hold_ms=500)
    shown = frames(path)
    assert times(path) == [500, 50, 50, 50, 500, 50, 50, 50]
    for back, forth in ((5, 3), (6, 2), (7, 1)):
        np.testing.assert_array_equal(shown[back], shown[forth])
    with Image.open(path) as image:
        assert image.info["loop"] == 0


def test_loop_starts_again_when_told(tmp_path):
    path = animate(
        tmp_path / "a.gif",
        [AnimationPanel(frames=GREY)],
        frame_ms=50,
        hold_ms=500,
        back_and_forth=False,
    )
    assert times(path) == [500, 50, 50, 50, 500]


def test_rare_colours_survive_among_many_browns(tmp_path):
    brown = (
        np.linspace(0.1, 0.6, 128)[None, :, None]
        * np.array([0.9, 0.45, 0.2])
        * np.ones((128, 1, 1))
    )
    change = np.zeros((6, 128, 128))
    change[:, 60:64, 60:64] = np.linspace(-0.2, 0.2, 6)[:, None, None]
    red = signed_colours(change, scale=0.2)
    panels = [AnimationPanel(frames=np.stack([brown] * 6)), AnimationPanel(frames=red)]
    path = animate(tmp_path / "a.gif", panels, height=128, back_and_forth=False)
    left = 12 + 128 + 12
    for shown, given in zip(frames(path), red, strict=True):
        error = np.abs(shown[12:140, left : left + 128].astype(float) - 255 * given).max()
        assert error < 16


def test_pixels_that_do_not_change_do_not_flicker(tmp_path):
    still = RNG.random((64, 64, 3))
    moving = RNG.random((4, 64, 64, 3))
    panels = [AnimationPanel(frames=np.stack([still] * 4)), AnimationPanel(frames=moving)]
    shown = frames(animate(tmp_path / "a.gif", panels, height=64, back_and_forth=False))
    for frame in shown[1:]:
        np.testing.assert_array_equal(frame[12:76, 12:76], shown[0][12:76, 12:76])


def test_text_changes_with_its_frame_only_where_it_stands(tmp_path):
    same = np.full((3, 32, 32, 1), 0.5)
    panel = AnimationPanel(frames=same, title="a title", captions=["p = 0.1", "p = 0.5", "p = 0.9"])
    shown = frames(
        animate(tmp_path / "a.gif", [panel], height=96, back_and_forth=False, note="synthetic")
    )
    changed = (shown[0] != shown[1]).any(axis=(1, 2))
    first = int(np.flatnonzero(changed)[0])
    assert first > shown[0].shape[0] // 2
    assert shown[0][:12].min() == 255


def test_long_captions_stay_inside_the_page(tmp_path):
    panel = AnimationPanel(frames=GREY, title="severe non-proliferative diabetic retinopathy " * 3)
    shown = frames(
        animate(tmp_path / "a.gif", [panel], height=64, captions=["word " * 40] * 5, note="n" * 200)
    )
    for frame in shown:
        assert (frame[:, :12] == 255).all() and (frame[:, -12:] == 255).all()


def test_smooth_enlargement_has_more_levels_than_pixels(tmp_path):
    step = np.zeros((1, 8, 8, 1))
    step[:, :, 4:] = 1
    sharp = frames(animate(tmp_path / "a.gif", [AnimationPanel(frames=step)], height=64))[0]
    smooth = frames(
        animate(tmp_path / "b.gif", [AnimationPanel(frames=step)], height=64, smooth=True)
    )[0]
    assert len(np.unique(sharp[12:76, 12:76])) == 2
    assert len(np.unique(smooth[12:76, 12:76])) > 4


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (33, 3), (512, 3)])
def test_any_size_is_shown(tmp_path, size, channels):
    images = RNG.random((2, size, size // 2 + 1, channels))
    shown = frames(animate(tmp_path / "a.gif", [AnimationPanel(frames=images)], height=100))
    assert shown[0].shape[0] >= 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "a.mp4"}, "give a path that ends in .gif, got 'a.mp4'"),
        ({"panels": []}, "at least one of panels is needed"),
        ({"captions": ["x"]}, "one caption is needed for each of the 5 frames, got 1"),
        ({"height": 5}, "height must lie between 16 and 2048 pixels, got 5"),
        ({"frame_ms": 1}, "shown for at least 20 ms, got 1"),
        (
            {"panels": [AnimationPanel(frames=GREY), AnimationPanel(frames=GREY[:2])]},
            r"equally many frames, got \[5, 2\]",
        ),
    ],
)
def test_what_cannot_be_animated_is_refused(change, message):
    options = {"path": "a.gif", "panels": [AnimationPanel(frames=GREY)], **change}
    with pytest.raises(InputError, match=message):
        animate(options.pop("path"), options.pop("panels"), **options)


def test_panel_needs_a_caption_for_each_frame():
    with pytest.raises(InputError, match="one caption for each of its 5 frames, got 2"):
        AnimationPanel(frames=GREY, captions=["a", "b"])
    with pytest.raises(InputError, match="a panel's frames must lie in"):
        AnimationPanel(frames=GREY * 255)
