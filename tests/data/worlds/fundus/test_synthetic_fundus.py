from functools import partial

import numpy as np
import pytest
from drawn_items import DrawnItems

from cfx_jax.data import ArraySource, SyntheticFundus, load_arrays, training_batches
from cfx_jax.data.worlds.fundus.synthetic_fundus import draw
from cfx_jax.errors import InputError

NUMBER = 150
ITEMS = DrawnItems(partial(draw, 7), NUMBER)
MASKS = ("lesion_mask", "eye_mask", "counterfactual_lesion_mask", "confounder_mask")


def assert_same_item(one, other):
    assert one.keys() == other.keys() and one["factors"] == other["factors"]
    for name in one.keys() - {"factors"}:
        np.testing.assert_array_equal(one[name], other[name])


def test_items_have_the_stated_form():
    for item in ITEMS[:20]:
        for name in ("image", "counterfactual"):
            assert item[name].shape == (64, 64, 3) and item[name].dtype == np.float32
            assert item[name].min() >= 0 and item[name].max() <= 1
        assert all(item[name].shape == (64, 64) and item[name].dtype == bool for name in MASKS)
        assert item["label"] in (0, 1) and all(
            np.isscalar(value) for value in item["factors"].values()
        )


def test_an_item_is_a_function_of_seed_and_index():
    assert_same_item(ITEMS[5], draw(7, 5))
    for other in (draw(7, 6), draw(8, 5)):
        assert np.abs(ITEMS[5]["image"] - other["image"]).mean() > 0.01


def test_pair_is_equal_bit_for_bit_outside_the_lesions():
    for item in ITEMS:
        same = ~(item["lesion_mask"] | item["counterfactual_lesion_mask"])
        np.testing.assert_array_equal(item["image"][same], item["counterfactual"][same])


def test_every_pixel_of_a_lesion_differs_noticeably():
    for item in ITEMS:
        lesions = item["lesion_mask"] | item["counterfactual_lesion_mask"]
        assert (np.abs(item["image"] - item["counterfactual"])[lesions].max(-1) > 0.02).all()


def test_only_the_diseased_member_has_lesions_and_they_lie_in_the_eye():
    for item in ITEMS:
        present, absent = "lesion_mask", "counterfactual_lesion_mask"
        if not item["label"]:
            present, absent = absent, present
        assert item[present].any() and not item[absent].any()
        assert not (item[present] & ~item["eye_mask"]).any()


def test_outside_the_eye_is_the_same_dark_background():
    for item in ITEMS[:20]:
        background = item["image"][~item["eye_mask"]]
        assert np.ptp(background) == 0 and background.max() < 0.02


def test_counterfactual_is_the_picture_drawn_with_the_other_label():
    for index in range(10):
        healthy, diseased = draw(7, index, prevalence=0.0), draw(7, index, prevalence=1.0)
        assert (healthy["label"], diseased["label"]) == (0, 1)
        np.testing.assert_array_equal(healthy["image"], diseased["counterfactual"])
        np.testing.assert_array_equal(diseased["image"], healthy["counterfactual"])
        np.testing.assert_array_equal(
            diseased["lesion_mask"], healthy["counterfactual_lesion_mask"]
        )


def test_lesions_cover_a_few_per_cent_of_a_diseased_picture():
    shares = np.array([item["lesion_mask"].mean() for item in ITEMS if item["label"] == 1])
    assert 0.02 < shares.mean() < 0.06 and np.quantile(shares, 0.1) > 0.003 and shares.max() < 0.2


def test_lesions_are_large_against_the_radius_of_robust_training():
    distances = [
        np.linalg.norm(item["image"] - item["counterfactual"])
        for item in ITEMS
        if item["label"] == 1
    ]
    assert np.median(distances) > 1.0  # against 0.25 to 0.5


@pytest.mark.parametrize("changes", [{"severity": 2.0}, {"prevalence": 0.01}, {"prevalence": 0.99}])
def test_healthy_eye_does_not_depend_on_severity_or_prevalence(changes):
    def healthy(item):
        return item["counterfactual"] if item["label"] else item["image"]

    for index in range(8):
        np.testing.assert_array_equal(healthy(draw(7, index, **changes)), healthy(ITEMS[index]))


def test_severity_changes_how_much_of_the_picture_is_diseased():
    mean = {
        severity: np.mean(
            [draw(7, i, severity=severity, prevalence=1.0)["lesion_mask"].mean() for i in range(40)]
        )
        for severity in (0.4, 1.0, 2.0)
    }
    assert mean[0.4] < 0.6 * mean[1.0] and mean[1.0] < 0.8 * mean[2.0]


def test_look_alikes_do_not_depend_on_the_label():
    labels = np.array([draw_label for draw_label in SyntheticFundus(2000, seed=7).labels[:NUMBER]])
    for name in (
        "num_drusen",
        "num_pigment_dots",
        "num_dust",
        "num_reflexes",
        "right_eye",
        "camera_blur",
    ):
        values = np.array([item["factors"][name] for item in ITEMS], float)
        error = values.std() * np.sqrt(1 / labels.sum() + 1 / (1 - labels).sum())
        assert abs(values[labels == 1].mean() - values[labels == 0].mean()) < 4 * error


def test_same_anatomy_at_another_resolution():
    item, fine = ITEMS[0], draw(7, 0, size=128)
    averaged = fine["image"].reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert fine["label"] == item["label"] and fine["factors"] == item["factors"]
    assert np.abs(averaged - item["image"])[item["eye_mask"]].mean() < 0.03


@pytest.mark.parametrize("prevalence", [0.0, 0.2, 0.5, 1.0])
def test_prevalence_is_the_share_of_diseased_pictures(prevalence):
    labels = SyntheticFundus(2000, prevalence=prevalence).labels
    assert abs(labels.mean() - prevalence) <= 4 * np.sqrt(prevalence * (1 - prevalence) / 2000)


def test_without_confounder_there_is_no_mark():
    assert not any(item["confounder_mask"].any() or item["factors"]["confounder"] for item in ITEMS)


def test_confounder_follows_the_label_and_leaves_the_rest_alone():
    marked = [draw(7, index, confounder=True) for index in range(NUMBER)]
    present = np.array([item["confounder_mask"].any() for item in marked])
    labels = np.array([item["label"] for item in marked])
    assert present[labels == 1].mean() > 0.85 and present[labels == 0].mean() < 0.15
    for item, plain in zip(marked, ITEMS, strict=True):
        assert item["factors"]["confounder"] == item["confounder_mask"].any()
        far = np.ones((64, 64), bool)
        far[:24, 40:] = not item["confounder_mask"].any()
        np.testing.assert_array_equal(item["image"][far], plain["image"][far])


def test_mark_is_in_both_pictures_of_a_pair_and_bright():
    item = next(
        item
        for item in (draw(7, i, confounder=True) for i in range(20))
        if item["factors"]["confounder"]
    )
    mask = item["confounder_mask"] & ~(item["lesion_mask"] | item["counterfactual_lesion_mask"])
    np.testing.assert_array_equal(item["image"][mask], item["counterfactual"][mask])
    assert item["image"][item["confounder_mask"]].max() > 0.7


SPOILED = DrawnItems(partial(draw, 7, ungradable=0.5), NUMBER)


def test_pictures_are_flawless_unless_asked_for():
    for item in ITEMS:
        flawless = {"defocus": 0, "exposure": 1, "haze": 0, "lid": 0, "shift_x": 0, "shift_y": 0}
        assert item["gradable"] == 1
        assert all(item["factors"][f"fault_{name}"] == value for name, value in flawless.items())


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_ungradable_is_the_share_of_pictures_that_cannot_be_graded(share):
    gradables = SyntheticFundus(2000, ungradable=share).gradables
    assert abs(gradables.mean() - (1 - share)) <= 4 * np.sqrt(share * (1 - share) / 2000)


def test_spoiled_pictures_have_the_stated_form():
    for item in SPOILED:
        for name in ("image", "counterfactual"):
            assert item[name].shape == (64, 64, 3) and item[name].dtype == np.float32
            assert item[name].min() >= 0 and item[name].max() <= 1
            background = item[name][~item["eye_mask"]]
            assert np.ptp(background) == 0 and background.max() < 0.02
        assert item["gradable"] in (0, 1) and not (item["lesion_mask"] & ~item["eye_mask"]).any()


def test_quality_depends_neither_on_the_label_nor_on_the_rest_of_the_eye():
    gradables = np.array([item["gradable"] for item in SPOILED])
    labels = np.array([item["label"] for item in SPOILED])
    error = 0.5 * np.sqrt(1 / labels.sum() + 1 / (1 - labels).sum())
    assert abs(gradables[labels == 1].mean() - gradables[labels == 0].mean()) < 4 * error
    for item, sharp in zip(SPOILED, ITEMS, strict=True):
        assert item["label"] == sharp["label"]
        names = [name for name in item["factors"] if not name.startswith("fault_")]
        assert all(item["factors"][name] == sharp["factors"][name] for name in names)
        np.testing.assert_array_equal(item["eye_mask"], sharp["eye_mask"])


def test_masks_of_spoiled_pictures_are_those_of_the_sharp_ones_and_faultless_ones_stay():
    still, faultless = 0, 0
    for item, sharp in zip(SPOILED, ITEMS, strict=True):
        if item["factors"]["fault_shift_x"] == 0:
            still += 1
            for name in MASKS:
                np.testing.assert_array_equal(item[name], sharp[name])
        if not np.any(item["image"] != sharp["image"]):
            faultless += 1
            np.testing.assert_array_equal(item["counterfactual"], sharp["counterfactual"])
    assert still > 50 and 0 < faultless < 30


def test_lesions_stand_out_less_where_a_picture_cannot_be_graded():
    def contrast(item):
        lesions = item["lesion_mask"] | item["counterfactual_lesion_mask"]
        return (
            np.abs(item["image"] - item["counterfactual"])[lesions].mean() if lesions.any() else 0.0
        )

    kept = np.array(
        [contrast(item) / contrast(sharp) for item, sharp in zip(SPOILED, ITEMS, strict=True)]
    )
    gradable = np.array([item["gradable"] for item in SPOILED], bool)
    assert np.median(kept[~gradable]) < 0.6 * np.median(kept[gradable])


def test_faults_are_the_same_whatever_the_share_of_ungradable_pictures():
    for index in range(20):
        one, other = draw(7, index, ungradable=0.4), draw(7, index, ungradable=0.6)
        if one["gradable"] == other["gradable"]:
            assert_same_item(one, other)


def test_source_gives_the_drawn_items():
    source = SyntheticFundus(4, seed=7)
    assert len(source) == 4 and source.class_names == ("healthy", "DR")
    for index in range(4):
        assert_same_item(source[index], ITEMS[index])
        assert source.labels[index] == ITEMS[index]["label"]
    with pytest.raises(IndexError):
        source[4]


def test_options_reach_the_drawing():
    options = {
        "size": 48,
        "prevalence": 1.0,
        "severity": 0.5,
        "confounder": True,
        "ungradable": 0.9,
    }
    source = SyntheticFundus(2, seed=3, **options)
    assert_same_item(source[1], draw(3, 1, **options))
    assert source.gradables[1] == source[1]["gradable"]


def test_feeds_the_pipeline_directly_and_from_memory():
    source = SyntheticFundus(12)
    arrays = load_arrays(source, np.arange(12))
    assert arrays["factors"]["stage"].shape == (12,) and arrays["lesion_mask"].dtype == bool
    memory = ArraySource(arrays["image"], arrays["label"], source.class_names)
    ours, theirs = (
        next(training_batches(s, np.arange(12), batch_size=4, seed=0)) for s in (source, memory)
    )
    np.testing.assert_array_equal(ours["image"], theirs["image"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 31}, "size: expected at least 32 pixels, got 31"),
        ({"prevalence": 1.2}, r"prevalence: expected a share in \[0, 1\], got 1.2"),
        ({"severity": 0.0}, "severity: expected above 0, got 0.0"),
        ({"ungradable": -0.1}, r"ungradable: expected a share in \[0, 1\], got -0.1"),
        ({"seed": -1}, "seed and index: expected 0 or more, got -1 and 0"),
        ({"num_images": 0}, "num_images: expected at least 1, got 0"),
    ],
)
def test_wrong_options_are_explained(options, message):
    with pytest.raises(InputError, match=message):
        SyntheticFundus(**({"num_images": 3} | options))
