"""The figure of maps: models above, methods and overlaps below."""

import numpy as np
import pytest
from pages import assert_texts_are_apart, texts

from cfx_jax.errors import InputError
from cfx_jax.report import MapColumn, SaliencyMap, SaliencyRow, saliency_grid

COLUMNS = [
    MapColumn(model=model, method=method)
    for model in ("plain", "robust")
    for method in ("GBP", "IG")
]
RNG = np.random.default_rng(0)


def row(size=16, channels=3, mask=True, signed=False, columns=COLUMNS, **more):
    values = (
        RNG.normal(size=(size, size)) if signed else np.maximum(RNG.random((size, size)) - 0.9, 0)
    )
    return SaliencyRow(
        original=RNG.random((size, size, channels)),
        maps=[SaliencyMap(values=values, iou=0.1 * i) for i, _ in enumerate(columns)],
        mask=np.eye(size, dtype=bool) if mask else None,
        **more,
    )


def test_each_model_is_named_once_and_each_method_in_every_row(tmp_path, drawn):
    saliency_grid(tmp_path / "a.png", [row(name="eye"), row()], COLUMNS, note="synthetic data")
    said = texts(drawn[0])
    assert said.count("plain") == said.count("robust") == 1
    assert said.count("GBP") == 4 and said.count("ground truth") == 2
    assert {"IoU\u00a00.30", "eye", "synthetic data"} <= {
        s.replace("IoU ", "IoU\u00a0") for s in said
    }


def test_overlay_shows_the_kept_pixels_in_colour(tmp_path, drawn):
    given = row(channels=1, mask=False)
    saliency_grid(tmp_path / "a.png", [given], COLUMNS)
    shown = drawn[0].axes[-1].get_images()[0].get_array()
    coloured = np.abs(shown[..., 0] - shown[..., 2]) > 1e-6
    np.testing.assert_array_equal(coloured, given.maps[-1].values > 0)


def test_heat_draws_signed_maps_around_zero(tmp_path, drawn):
    saliency_grid(tmp_path / "a.png", [row(signed=True)], COLUMNS, style="heat")
    low, high = drawn[0].axes[-1].get_images()[0].get_clim()
    assert low == -high


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (512, 3)])
def test_texts_are_apart(tmp_path, drawn, size, channels):
    names = [
        MapColumn(model="a long name of an ensemble of models", method="Score-CAM with a long name")
    ]
    columns = names * 2 + [MapColumn(model="a model with an even longer name, alone", method="IG")]
    given = row(
        size, channels, columns=columns, label="no apparent retinopathy " * 4, name="an eye " * 9
    )
    saliency_grid(
        tmp_path / "a.png", [given, row(columns=columns, mask=False)], columns, title="title " * 40
    )
    assert_texts_are_apart(drawn[0])


@pytest.mark.parametrize(
    ("rows", "columns", "options", "message"),
    [
        ([], COLUMNS, {}, "at least one of rows is needed"),
        ([row()], [], {}, "at least one of columns is needed"),
        ([row()], COLUMNS[:1], {}, "a row needs one map for each of the 1 columns, got 4"),
        ([row()], COLUMNS, {"style": "jet"}, "unknown style 'jet': choose overlay or heat"),
        ([row(signed=True)], COLUMNS, {}, r"a thresholded map \(style 'overlay'\) must be 0 where"),
        ([row()], COLUMNS, {"panel_size": 99}, "panel_size must lie between"),
    ],
)
def test_wrong_input_is_refused(tmp_path, rows, columns, options, message):
    with pytest.raises(InputError, match=message):
        saliency_grid(tmp_path / "a.png", rows, columns, **options)
