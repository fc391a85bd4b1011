from functools import partial

import numpy as np
import pytest
from drawn_items import DrawnItems

from cfx_jax.data import SyntheticBrain, load_arrays
from cfx_jax.data.worlds.brain.synthetic_brain import draw
from cfx_jax.errors import InputError

NUMBER = 100
ITEMS = DrawnItems(partial(draw, 7, prevalence=0.5), NUMBER)
DISEASED = DrawnItems(partial(draw, 7, prevalence=1.0), NUMBER)
MASKS = ("lesion_mask", "body_mask", "counterfactual_lesion_mask", "confounder_mask")


def assert_same_item(one, other):
    assert one.keys() == other.keys() and one["factors"] == other["factors"]
    for name in one.keys() - {"factors"}:
        np.testing.assert_array_equal(one[name], other[name])


def test_items_have_the_stated_form():
    for item in ITEMS[:20]:
        for name in ("image", "counterfactual"):
            assert item[name].shape == (64, 64, 1) and item[name].dtype == np.float32
            assert item[name].min() >= 0 and item[name].max() <= 1
        assert all(item[name].shape == (64, 64) and item[name].dtype == bool for name in MASKS)
        assert item["label"] in (0, 1) and all(
            np.isscalar(value) for value in item["factors"].values()
        )


def test_an_item_is_a_function_of_seed_and_index():
    assert_same_item(ITEMS[5], draw(7, 5, prevalence=0.5))
    for other in (draw(7, 6), draw(8, 5)):
        assert np.abs(ITEMS[5]["image"] - other["image"]).mean() > 0.01


def test_pair_is_equal_bit_for_bit_outside_the_tumour():
    for item in ITEMS:
        same = ~(item["lesion_mask"] | item["counterfactual_lesion_mask"])
        np.testing.assert_array_equal(item["image"][same], item["counterfactual"][same])


def test_tumours_can_be_seen():
    for item in DISEASED:
        assert np.abs(item["image"] - item["counterfactual"]).max() > 0.08


def test_only_the_diseased_member_has_a_tumour_and_it_lies_in_the_head():
    for item in ITEMS:
        present, absent = "lesion_mask", "counterfactual_lesion_mask"
        if not item["label"]:
            present, absent = absent, present
        assert (
            item[present].any()
            and not item[absent].any()
            and not (item[present] & ~item["body_mask"]).any()
        )


def test_tumours_are_whole_patches_of_the_published_share():
    shares = np.array([item["lesion_mask"].mean() for item in DISEASED])
    assert shares.min() > 0.005 and shares.max() < 0.055 and 0.014 < shares.mean() < 0.024
    for item in DISEASED[:30]:
        rows, columns = np.nonzero(item["lesion_mask"])
        extent = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert (
            item["lesion_mask"][round(rows.mean()), round(columns.mean())]
            and len(rows) > 0.5 * extent
        )


def test_body_is_bright_and_the_background_dark():
    for item in ITEMS[:20]:
        assert 0.25 < item["body_mask"].mean() < 0.65
        far = ~item["body_mask"]
        far[1:-1, 1:-1] &= ~(item["body_mask"][2:, 1:-1] | item["body_mask"][:-2, 1:-1])
        assert np.median(item["image"][item["body_mask"]]) > 4 * np.median(item["image"][far])


def test_counterfactual_is_the_slice_drawn_with_the_other_label():
    for index in range(10):
        healthy, diseased = draw(7, index, prevalence=0.0), DISEASED[index]
        assert (healthy["label"], diseased["label"]) == (0, 1)
        np.testing.assert_array_equal(healthy["image"], diseased["counterfactual"])
        np.testing.assert_array_equal(diseased["image"], healthy["counterfactual"])
        np.testing.assert_array_equal(
            diseased["lesion_mask"], healthy["counterfactual_lesion_mask"]
        )


def test_healthy_head_depends_on_neither_severity_nor_prevalence():
    for index in range(8):
        fainter = draw(7, index, prevalence=1.0, severity=0.4)
        np.testing.assert_array_equal(fainter["counterfactual"], DISEASED[index]["counterfactual"])
        np.testing.assert_array_equal(fainter["lesion_mask"], DISEASED[index]["lesion_mask"])


def test_severity_changes_how_much_a_tumour_stands_out():
    def contrast(severity):
        items = [draw(7, index, prevalence=1.0, severity=severity) for index in range(12)]
        return np.mean([np.abs(item["image"] - item["counterfactual"]).max() for item in items])

    assert contrast(0.4) < 0.6 * contrast(1.0) < contrast(1.0) < contrast(1.6)


def test_mean_brightness_hardly_tells_the_classes_apart():
    diseased, healthy = (
        np.array([item[name].mean() for item in DISEASED]) for name in ("image", "counterfactual")
    )
    area_under_curve = np.mean(diseased[:, None] > healthy)
    assert 0.45 < area_under_curve < 0.65


def test_look_alikes_and_anatomy_do_not_depend_on_the_label():
    labels = np.array([item["label"] for item in ITEMS])
    names = ("veins", "dots", "plexus", "cysts", "thickenings", "ripples")
    for name in (*(f"num_{each}" for each in names), "level", "atrophy", "scanner_noise"):
        values = np.array([item["factors"][name] for item in ITEMS], float)
        error = values.std() * np.sqrt(1 / labels.sum() + 1 / (1 - labels).sum())
        assert abs(values[labels == 1].mean() - values[labels == 0].mean()) < 4 * error


def test_same_head_at_another_resolution():
    item, fine = DISEASED[0], draw(7, 0, size=128, prevalence=1.0)
    averaged = fine["image"].reshape(64, 2, 64, 2, 1).mean((1, 3))
    assert fine["factors"] == item["factors"] and np.abs(averaged - item["image"]).mean() < 0.04
    assert abs(fine["lesion_mask"].mean() - item["lesion_mask"].mean()) < 0.003


def test_without_confounder_there_is_no_tag():
    assert not any(item["confounder_mask"].any() or item["factors"]["confounder"] for item in ITEMS)


def test_tag_follows_the_label_by_its_strength_and_leaves_the_rest_alone():
    for index in range(30):
        item, plain = draw(7, index, prevalence=0.5, confounder=1.0), ITEMS[index]
        assert item["factors"]["confounder"] == item["confounder_mask"].any() == item["label"]
        assert not (item["confounder_mask"] & item["body_mask"]).any()
        rest = ~item["confounder_mask"]
        np.testing.assert_array_equal(item["image"][rest], plain["image"][rest])
        np.testing.assert_array_equal(item["image"][~rest], item["counterfactual"][~rest])
        assert not item["label"] or item["image"][~rest].max() > 0.6


def test_source_gives_the_drawn_items():
    source = SyntheticBrain(4, seed=7, prevalence=0.5)
    assert len(source) == 4 and source.class_names == ("no tumour", "tumour")
    for index in range(4):
        assert_same_item(source[index], ITEMS[index])
        assert source.labels[index] == ITEMS[index]["label"]
    assert SyntheticBrain(2000).labels.mean() == pytest.approx(0.25, abs=0.04)


def test_options_reach_the_drawing():
    options = {"size": 48, "prevalence": 1.0, "severity": 0.5, "confounder": 0.9}
    assert_same_item(SyntheticBrain(2, seed=3, **options)[1], draw(3, 1, **options))


def test_items_can_be_read_into_arrays():
    arrays = load_arrays(SyntheticBrain(6), np.arange(6))
    assert arrays["lesion_mask"].shape == (6, 64, 64) and arrays["factors"]["level"].shape == (6,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 31}, "size: expected at least 32 pixels, got 31"),
        ({"prevalence": 1.2}, r"prevalence: expected a share in \[0, 1\], got 1.2"),
        ({"severity": -1.0}, "severity: expected above 0, got -1.0"),
        ({"confounder": 1.1}, r"confounder: expected None or a strength in \[0, 1\], got 1.1"),
        ({"seed": -1}, "seed and index: expected 0 or more, got -1 and 0"),
        ({"num_images": 0}, "num_images: expected at least 1, got 0"),
    ],
)
def test_wrong_options_are_explained(options, message):
    with pytest.raises(InputError, match=message):
        SyntheticBrain(**({"num_images": 3} | options))
