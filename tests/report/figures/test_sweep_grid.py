"""The figure of progressive explanations: what was asked for and what was reached stand above each
image.
"""

import dataclasses

import numpy as np
import pytest
from pages import assert_texts_are_apart, texts

from cfx_jax.errors import InputError
from cfx_jax.report import Outlines, Sweep, sweep_grid

RNG = np.random.default_rng(0)


def sweep(count=3, size=16, channels=3, **more):
    made = Sweep(
        images=RNG.random((count, size, size, channels)),
        original=RNG.random((size, size, channels)),
        probabilities=np.linspace(0.1, 0.7, count),
        desired=(np.arange(count) + 0.5) / count,
        source_bin=1,
        probability=0.41,
        name="face 7",
    )
    return dataclasses.replace(made, **more)


def test_each_image_says_what_was_asked_for_and_what_was_reached(tmp_path, drawn):
    sweep_grid(tmp_path / "a.png", [sweep(), sweep()], class_name="smiling", note="synthetic data")
    said = [each.replace("\u00a0", " ") for each in texts(drawn[0])]
    assert {
        "0.17",
        "[0.50]",
        "0.83",
        "0.10",
        "0.40",
        "0.70",
        "p = 0.41",
        "smiling",
        "face 7",
        "synthetic data",
    } <= set(said)
    assert said.count("extremes") == 2


def test_the_last_panel_is_where_the_extremes_differ(tmp_path, drawn):
    given = sweep(channels=1)
    sweep_grid(tmp_path / "a.png", [given], class_name="smiling")
    shown = drawn[0].axes[-1].get_images()[0].get_array()
    np.testing.assert_allclose(shown, np.abs(given.images[2] - given.images[0])[..., 0], rtol=1e-6)


def hearts(count=3, size=16):
    masks = np.zeros((count, size, size), bool)
    for number in range(count):
        masks[number, 4 : 6 + number, 5:9] = True
    return Outlines(
        query=masks[0], images=masks, query_size=0.21, sizes=np.array([0.2, np.nan, 0.4])
    )


def test_outlines_are_drawn_along_their_masks_with_their_sizes(tmp_path, drawn):
    options = {"class_name": "large heart", "outlined": "the heart"}
    sweep_grid(tmp_path / "a.png", [sweep(channels=1)], outlines=[hearts()], **options)
    said = [each.replace("\u00a0", " ") for each in texts(drawn[0])]
    assert {"p = 0.41 (0.21)", "0.10 (0.20)", "0.40", "0.70 (0.40)"} <= set(said)
    assert "its size in parentheses: the heart." in " ".join(said)
    # The third image's mask is of rows 4 to 7: the edges that run down are there, twice for the
    # rim, and the query's of 2.
    heights = [
        {y for line in axes.collections for path in line.get_segments() for _, y in path}
        for axes in drawn[0].axes
    ]
    assert [(min(each), max(each)) for each in heights if each] == [
        (3.5, 5.5),
        (3.5, 5.5),
        (3.5, 6.5),
        (3.5, 7.5),
    ]


def test_texts_are_apart(tmp_path, drawn):
    sweep_grid(
        tmp_path / "a.png",
        [sweep(10, 64)],
        class_name="a long name of a class " * 3,
        title="title " * 30,
    )
    assert_texts_are_apart(drawn[0])


def test_wrong_input_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least one of sweeps is needed"):
        sweep_grid(tmp_path / "a.png", [], class_name="smiling")
    with pytest.raises(InputError, match=r"must have the same number of images, got \[3, 4\]"):
        sweep_grid(tmp_path / "a.png", [sweep(3), sweep(4)], class_name="smiling")
    with pytest.raises(InputError, match="outlines: expected those of 2 sweeps, got 1"):
        sweep_grid(
            tmp_path / "a.png", [sweep(), sweep()], class_name="smiling", outlines=[hearts()]
        )
    with pytest.raises(
        InputError,
        match=r"outlines: expected masks \(4, 16, 16\) of a sweep and \(16, 16\) of its query",
    ):
        sweep_grid(tmp_path / "a.png", [sweep(4)], class_name="smiling", outlines=[hearts()])
