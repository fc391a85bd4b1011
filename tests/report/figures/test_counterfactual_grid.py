"""The figure of counterfactuals says what it was given, on one honest scale."""

import numpy as np
import pytest
from pages import assert_texts_are_apart, colour_at, texts
from PIL import Image

from cfx_jax.errors import InputError
from cfx_jax.report import CounterfactualPanel, CounterfactualRow, counterfactual_grid

LONG = "severe non-proliferative diabetic retinopathy with macular oedema $x_1$"


def row(size=16, channels=3, change=0.2, count=2, maps=True, mask=True, target="healthy", **more):
    original = np.full((size, size, channels), 0.5)
    image = original.copy()
    image[: size // 2] += change
    image[size // 2 :] -= change / 2
    kept = np.zeros((size, size))
    kept[: size // 4] = 1
    each = CounterfactualPanel(
        image=image,
        target=target,
        probability=0.923,
        name="l4, ε = 0.2",
        saliency=kept if maps else None,
        iou=0.25 if maps else None,
    )
    return CounterfactualRow(
        original=original,
        label="DR",
        predicted=more.pop("predicted", "DR"),
        probability=0.97,
        counterfactuals=[each] * count,
        mask=kept.astype(bool) if mask else None,
        **more,
    )


def differences(figure):
    """The difference panels: the images drawn with the signed colour map, without the colour
    bar's.
    """
    drawn = [image for axes in figure.axes for image in axes.get_images() if image.get_visible()]
    return [image for image in drawn if image.get_cmap().name == "RdBu_r"]


def test_figure_says_everything_it_was_told(tmp_path, drawn):
    counterfactual_grid(
        tmp_path / "a.png", [row(name="eye 5")], title="A title", note="synthetic data"
    )
    said = "\n".join(texts(drawn[0])).replace("\u00a0", " ")
    for expected in (
        "true: DR",
        "p(DR) = 0.97",
        "→ healthy: 0.92",
        "l4, ε = 0.2",
        "largest 0.20",
        "IoU 0.25",
    ):
        assert expected in said
    for expected in ("eye 5", "A title", "synthetic data", "Outlines: ground truth.", "±0.2"):
        assert expected in said


def test_all_differences_share_one_symmetric_scale(tmp_path, drawn):
    counterfactual_grid(tmp_path / "a.png", [row(change=0.02), row(change=0.4)])
    limits = {image.get_clim() for image in differences(drawn[0])}
    assert len(differences(drawn[0])) == 4 and len(limits) == 1
    low, high = limits.pop()
    assert low == -high and high == pytest.approx(0.4)


def test_difference_is_red_where_raised_and_blue_where_lowered(tmp_path, drawn):
    path = counterfactual_grid(tmp_path / "a.png", [row(mask=False, count=1, maps=False)])
    axes = differences(drawn[0])[0].axes
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    raised, lowered = colour_at(axes, 3, 8, pixels), colour_at(axes, 12, 8, pixels)
    assert raised[0] > raised[2] + 50 and lowered[2] > lowered[0] + 50


def test_few_outliers_do_not_fade_the_rest_but_are_reported(tmp_path, drawn):
    original = np.full((64, 64, 1), 0.2)
    image = original + 0.05
    image[0, 0] = 1.0
    each = CounterfactualPanel(image=image, target="a", probability=1.0)
    one = CounterfactualRow(
        original=original, label="", predicted="b", probability=0.5, counterfactuals=[each]
    )
    counterfactual_grid(tmp_path / "a.png", [one])
    assert differences(drawn[0])[0].get_clim()[1] == pytest.approx(0.05)
    assert "up to 0.8" in " ".join(texts(drawn[0]))


def test_change_of_a_single_pixel_sets_the_scale(tmp_path, drawn):
    original = np.full((64, 64, 1), 0.2)
    image = original.copy()
    image[5, 5] = 0.5
    each = CounterfactualPanel(image=image, target="a", probability=1.0)
    one = CounterfactualRow(
        original=original, label="", predicted="b", probability=0.5, counterfactuals=[each]
    )
    counterfactual_grid(tmp_path / "a.png", [one])
    assert differences(drawn[0])[0].get_clim()[1] == pytest.approx(0.3)


def test_unchanged_image_is_drawn(tmp_path, drawn):
    counterfactual_grid(tmp_path / "a.png", [row(change=0.0)])
    assert differences(drawn[0])[0].get_clim() == (-1 / 255, 1 / 255)


def test_given_scale_is_used(tmp_path, drawn):
    counterfactual_grid(tmp_path / "a.png", [row()], scale=0.8, reduce="max_abs")
    assert {image.get_clim() for image in differences(drawn[0])} == {(-0.8, 0.8)}
    assert "channel of largest change" in " ".join(texts(drawn[0]))


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (8, 3), (64, 1), (512, 3)])
def test_texts_are_apart_for_any_image(tmp_path, drawn, size, channels):
    counterfactual_grid(
        tmp_path / "a.png", [row(size, channels)], note="synthetic data", title="title"
    )
    assert_texts_are_apart(drawn[0])


def test_texts_are_apart_for_long_names_and_uneven_rows(tmp_path, drawn):
    uneven = [
        row(target=LONG, predicted=LONG, name=LONG),
        row(8, 1, count=1, maps=False, mask=False),
        row(32, count=3, target="_".join([LONG] * 3)),
    ]
    counterfactual_grid(tmp_path / "a.png", uneven, title=LONG * 4, note=LONG * 4)
    assert_texts_are_apart(drawn[0])
    assert ": 0.92" in "".join(texts(drawn[0])).replace("\u00a0", " ")


def test_rows_may_be_tall_or_wide(tmp_path, drawn):
    image = np.full((8, 32, 1), 0.5)
    each = CounterfactualPanel(image=image, target="a", probability=1.0)
    wide = CounterfactualRow(
        original=image, label="", predicted="b", probability=0.5, counterfactuals=[each]
    )
    counterfactual_grid(tmp_path / "a.png", [wide, row()])
    assert_texts_are_apart(drawn[0])


def test_same_input_gives_the_same_file(tmp_path):
    first = counterfactual_grid(tmp_path / "a.png", [row()])
    second = counterfactual_grid(tmp_path / "b.png", [row()])
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, "at least one of rows is needed"),
        ([row()], {"reduce": "sum"}, "unknown channel reduction 'sum': choose mean or max_abs"),
        ([row()], {"scale": 0.0}, "scale: expected a finite number above 0, got 0.0"),
        ([row()], {"panel_size": 0.0}, "panel_size must lie between"),
    ],
)
def test_wrong_options_are_refused(tmp_path, rows, options, message):
    with pytest.raises(InputError, match=message):
        counterfactual_grid(tmp_path / "a.png", rows, **options)
    assert list(tmp_path.iterdir()) == []
