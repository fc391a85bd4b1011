import pickle
from functools import partial

import numpy as np
import pytest
from drawn_items import DrawnItems
from scipy import ndimage

from cfx_jax.data import SyntheticChest, load_arrays
from cfx_jax.data.worlds.chest.synthetic_chest import draw
from cfx_jax.errors import InputError

NUMBER = 100
ITEMS = DrawnItems(partial(draw, 7), NUMBER)
DISEASED = DrawnItems(partial(draw, 7, prevalence=1.0), NUMBER)
HEARTS = DrawnItems(partial(draw, 7, finding="cardiomegaly", prevalence=0.5), NUMBER)
MASKS = (
    "lesion_mask",
    "annotation_mask",
    "counterfactual_lesion_mask",
    "confounder_mask",
    "heart_mask",
    "lung_mask",
    "counterfactual_heart_mask",
)


def assert_same_item(one, other):
    assert one.keys() == other.keys() and one["factors"] == other["factors"]
    for name in one.keys() - {"factors"}:
        np.testing.assert_array_equal(one[name], other[name])


def boxes_of(item):
    return item["boxes"][: item["num_boxes"]]


def without_and_with(item, name):
    """A field of the pair's member without the finding, and of the one with it."""
    fields = item[name], item["counterfactual" if name == "image" else f"counterfactual_{name}"]
    return fields[::-1] if item["label"] else fields


def width(mask):
    return np.ptp(np.flatnonzero(mask.any(0))) + 1


def test_items_have_the_stated_form():
    for item in ITEMS[:20] + HEARTS[:20]:
        for name in ("image", "counterfactual"):
            assert item[name].shape == (64, 64, 1) and item[name].dtype == np.float32
            assert item[name].min() >= 0 and item[name].max() <= 1
        assert all(item[name].shape == (64, 64) and item[name].dtype == bool for name in MASKS)
        assert item["boxes"].shape == (3, 4) and np.issubdtype(item["boxes"].dtype, np.integer)
        assert item["label"] in (0, 1) and all(
            np.isscalar(value) for value in item["factors"].values()
        )


def test_an_item_is_a_function_of_seed_and_index():
    assert_same_item(ITEMS[5], draw(7, 5))
    for other in (draw(7, 6), draw(8, 5)):
        assert np.abs(ITEMS[5]["image"] - other["image"]).mean() > 0.01


def test_pair_is_equal_bit_for_bit_outside_the_finding_and_differs_noticeably_inside():
    for item in (*ITEMS, *HEARTS):
        changed = item["lesion_mask"] | item["counterfactual_lesion_mask"]
        np.testing.assert_array_equal(item["image"][~changed], item["counterfactual"][~changed])
        assert (np.abs(item["image"] - item["counterfactual"])[changed] > 0.02).all()


def test_opacities_brighten():
    for item in DISEASED:
        assert (item["image"] >= item["counterfactual"]).all()


def test_only_the_diseased_member_has_opacities_and_boxes():
    for item in ITEMS:
        present, absent = "lesion_mask", "counterfactual_lesion_mask"
        if not item["label"]:
            present, absent = absent, present
        assert item[present].any() and not item[absent].any()
        assert (item["num_boxes"] > 0) == item["annotation_mask"].any() == bool(item["label"])


def test_annotation_is_the_union_of_the_boxes_and_holds_the_opacities():
    for item in DISEASED:
        rows, columns = np.mgrid[:64, :64]
        inside = [
            (rows >= t) & (rows < b) & (columns >= le) & (columns < r)
            for t, le, b, r in boxes_of(item)
        ]
        np.testing.assert_array_equal(item["annotation_mask"], np.any(inside, axis=0))
        assert not (item["lesion_mask"] & ~item["annotation_mask"]).any()
        assert all((item["lesion_mask"] & each).any() for each in inside)
        assert not item["boxes"][item["num_boxes"] :].any()


def test_boxes_have_the_published_sizes():
    boxes = np.concatenate([boxes_of(item) for item in DISEASED]) * 224 / 64
    height, width = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert height.mean() == pytest.approx(71.8, rel=0.12) and np.median(height) == pytest.approx(
        67.8, rel=0.12
    )
    assert width.mean() == pytest.approx(47.5, rel=0.12) and np.median(width) == pytest.approx(
        46.8, rel=0.12
    )
    assert np.mean(height * width) / 224**2 == pytest.approx(0.068, rel=0.2)
    assert height.max() < 210 and width.max() < 115
    assert len(boxes) / NUMBER == pytest.approx(1.59, rel=0.15)
    assert 0.08 < np.mean([item["annotation_mask"].mean() for item in DISEASED]) < 0.12


def test_counterfactual_is_the_picture_drawn_with_the_other_label():
    for index in range(10):
        normal, diseased = draw(7, index, prevalence=0.0), DISEASED[index]
        assert (normal["label"], diseased["label"]) == (0, 1)
        np.testing.assert_array_equal(normal["image"], diseased["counterfactual"])
        np.testing.assert_array_equal(diseased["image"], normal["counterfactual"])
        np.testing.assert_array_equal(diseased["lesion_mask"], normal["counterfactual_lesion_mask"])


def test_normal_chest_depends_on_neither_severity_nor_prevalence():
    for index in range(8):
        stronger = draw(7, index, prevalence=1.0, severity=2.0)
        np.testing.assert_array_equal(stronger["counterfactual"], DISEASED[index]["counterfactual"])


def test_severity_changes_how_much_opacities_stand_out():
    def contrast(severity):
        items = [draw(7, index, prevalence=1.0, severity=severity) for index in range(12)]
        return np.mean([np.abs(item["image"] - item["counterfactual"]).max() for item in items])

    assert contrast(0.5) < 0.65 * contrast(1.0) < contrast(1.0) < 0.85 * contrast(2.0)


def test_mean_brightness_hardly_tells_the_classes_apart():
    diseased, healthy = (
        np.array([item[name].mean() for item in DISEASED]) for name in ("image", "counterfactual")
    )
    area_under_curve = np.mean(diseased[:, None] > healthy)
    assert 0.45 < area_under_curve < 0.65


def test_look_alikes_and_anatomy_do_not_depend_on_the_label():
    labels = np.array([item["label"] for item in ITEMS])
    names = ("nipples", "patches", "fat_pads", "wires", "tubes", "markers")
    for name in (*(f"num_{each}" for each in names), "heart", "breasts", "film_noise"):
        values = np.array([item["factors"][name] for item in ITEMS], float)
        error = values.std() * np.sqrt(1 / labels.sum() + 1 / (1 - labels).sum())
        assert abs(values[labels == 1].mean() - values[labels == 0].mean()) < 4 * error


def test_same_chest_at_another_resolution():
    item, fine = DISEASED[0], draw(7, 0, size=128, prevalence=1.0)
    averaged = fine["image"].reshape(64, 2, 64, 2, 1).mean((1, 3))
    assert fine["factors"] == item["factors"] and np.abs(averaged - item["image"]).mean() < 0.04
    assert fine["num_boxes"] == item["num_boxes"]
    np.testing.assert_allclose(boxes_of(fine) / 2, boxes_of(item), atol=1.5)


def test_chest_of_the_same_index_has_the_same_normal_heart_and_opacities_whatever_the_finding():
    for index, item in enumerate(HEARTS):
        clear, clouded = without_and_with(DISEASED[index], "image")
        normal = without_and_with(item, "image")[0]
        np.testing.assert_array_equal(
            normal, clouded if item["factors"]["num_opacities"] else clear
        )
        np.testing.assert_array_equal(item["lung_mask"], DISEASED[index]["lung_mask"])


def test_heart_is_wider_with_cardiomegaly_than_without():
    for item in HEARTS:
        normal, wide = without_and_with(item, "heart_mask")
        assert width(wide) > width(normal) and (normal & ~wide).sum() < 0.02 * normal.sum()
        darker, brighter = without_and_with(item, "image")
        assert (brighter - darker).sum() > 0


def test_cardiomegaly_changes_the_border_of_the_heart_only():
    for item in HEARTS:
        normal, wide = without_and_with(item, "heart_mask")
        changed = item["lesion_mask"] | item["counterfactual_lesion_mask"]
        assert changed.any() and item["lesion_mask"].any() == item["label"]
        near, core = (
            ndimage.binary_dilation(wide, iterations=3),
            ndimage.binary_erosion(normal, iterations=3),
        )
        assert not (changed & ~near).any() and not (changed & core).any()


def test_classes_overlap_in_the_size_of_the_heart():
    ratios = [
        [width(mask) / width(item["lung_mask"]) for mask in without_and_with(item, "heart_mask")]
        for item in HEARTS
    ]
    normal, wide = np.transpose(ratios)  # cardiothoracic ratios
    assert 0.45 < normal.mean() < 0.55 and 0.6 < wide.mean() < 0.75
    assert 0.93 < np.mean(normal[:, None] < wide) < 0.995


def test_heart_is_the_images_own_and_normal_where_opacities_are_the_finding():
    for item in HEARTS:
        assert item["factors"]["heart"] >= 1.05 or not item["label"]
        assert item["factors"]["heart"] <= 1.2 or item["label"]
    for item in ITEMS:
        np.testing.assert_array_equal(item["heart_mask"], item["counterfactual_heart_mask"])


def test_opacities_beside_cardiomegaly_do_not_depend_on_it():
    labels = np.array([item["label"] for item in HEARTS])
    clouded = np.array([item["factors"]["num_opacities"] > 0 for item in HEARTS])
    assert clouded.mean() == pytest.approx(0.4, abs=0.15)
    assert abs(clouded[labels == 1].mean() - clouded[labels == 0].mean()) < 4 * 0.5 * 2 / np.sqrt(
        NUMBER
    )
    for item in HEARTS:
        assert (
            (item["num_boxes"] > 0)
            == item["annotation_mask"].any()
            <= (item["factors"]["num_opacities"] > 0)
        )


def test_cardiomegaly_counterfactual_is_the_picture_drawn_with_the_other_label():
    for index in range(8):
        normal, wide = (
            draw(7, index, finding="cardiomegaly", prevalence=share) for share in (0.0, 1.0)
        )
        for name in ("image", "heart_mask", "lesion_mask"):
            for one, other in zip(
                without_and_with(normal, name), without_and_with(wide, name), strict=True
            ):
                np.testing.assert_array_equal(one, other)


def test_severity_makes_the_heart_wider_and_leaves_the_opacities_alone():
    options = {"finding": "cardiomegaly", "prevalence": 1.0}
    factors = [draw(7, 9, severity=severity, **options)["factors"] for severity in (0.5, 1.0, 9.0)]
    assert factors[0]["heart"] < factors[1]["heart"] < factors[2]["heart"] == 1.6
    assert len({each["strongest_opacity"] for each in factors}) == 1


def test_without_confounder_there_is_no_tag():
    assert not any(item["confounder_mask"].any() or item["factors"]["confounder"] for item in ITEMS)


def test_tag_follows_the_label_by_its_strength_and_leaves_the_rest_alone():
    for item, plain in ((draw(7, index, confounder=1.0), ITEMS[index]) for index in range(30)):
        assert item["factors"]["confounder"] == item["confounder_mask"].any() == item["label"]
        rest = ~item["confounder_mask"]
        np.testing.assert_array_equal(item["image"][rest], plain["image"][rest])
        if item["label"]:
            assert (
                item["image"][~rest].max() > 0.75
                and item["image"][~rest].mean() > plain["image"][~rest].mean() + 0.1
            )
            pair = item["confounder_mask"] & ~item["lesion_mask"]
            np.testing.assert_array_equal(item["image"][pair], item["counterfactual"][pair])


def test_source_gives_the_drawn_items():
    source = SyntheticChest(4, seed=7)
    assert len(source) == 4 and source.class_names == ("normal", "opacity")
    assert SyntheticChest(1, finding="cardiomegaly").class_names == ("normal heart", "cardiomegaly")
    for index in range(4):
        assert_same_item(source[index], ITEMS[index])
        assert source.labels[index] == ITEMS[index]["label"]
    assert SyntheticChest(2000).labels.mean() == pytest.approx(0.4, abs=0.045)


def test_source_can_be_sent_to_other_processes():
    assert_same_item(pickle.loads(pickle.dumps(SyntheticChest(2, seed=7)))[1], ITEMS[1])


def test_options_reach_the_drawing():
    options = {
        "size": 48,
        "finding": "cardiomegaly",
        "prevalence": 1.0,
        "severity": 0.5,
        "confounder": 0.9,
    }
    assert_same_item(SyntheticChest(2, seed=3, **options)[1], draw(3, 1, **options))


def test_items_can_be_read_into_arrays():
    arrays = load_arrays(SyntheticChest(6), np.arange(6))
    assert arrays["boxes"].shape == (6, 3, 4) and arrays["factors"]["heart"].shape == (6,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 31}, "size: expected at least 32 pixels, got 31"),
        ({"prevalence": -0.2}, r"prevalence: expected a share in \[0, 1\], got -0.2"),
        ({"severity": 0.0}, "severity: expected above 0, got 0.0"),
        ({"confounder": -1.0}, r"confounder: expected None or a strength in \[0, 1\], got -1.0"),
        ({"seed": -1}, "seed and index: expected 0 or more, got -1 and 0"),
        (
            {"finding": "fracture"},
            "finding: expected one of 'opacity', 'cardiomegaly', got 'fracture'",
        ),
        ({"num_images": 0}, "num_images: expected at least 1, got 0"),
    ],
)
def test_wrong_options_are_explained(options, message):
    with pytest.raises(InputError, match=message):
        SyntheticChest(**({"num_images": 3} | options))
