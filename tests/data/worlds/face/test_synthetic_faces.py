import pickle
from functools import partial

import numpy as np
import pytest
from drawn_items import DrawnItems

from cfx_jax.data import SyntheticFaces, load_arrays
from cfx_jax.data.worlds.face import ATTRIBUTES
from cfx_jax.data.worlds.face.synthetic_faces import draw
from cfx_jax.errors import InputError

NUMBER = 60
ITEMS = DrawnItems(partial(draw, 7), NUMBER)
SMILING = DrawnItems(partial(draw, 7, prevalence=1.0), NUMBER)
MALE = ATTRIBUTES.index("male")


def assert_same_item(one, other):
    assert one.keys() == other.keys() and one["factors"] == other["factors"]
    for name in one.keys() - {"factors"}:
        np.testing.assert_array_equal(one[name], other[name])


def test_items_have_the_stated_form():
    for item in ITEMS:
        for name in ("image", "counterfactual"):
            assert item[name].shape == (64, 64, 3) and item[name].dtype == np.float32
            assert item[name].min() >= 0 and item[name].max() <= 1
        for name in ("lesion_mask", "counterfactual_lesion_mask"):
            assert item[name].shape == (64, 64) and item[name].dtype == bool
        for name in ("attributes", "counterfactual_attributes"):
            assert item[name].shape == (7,) and set(item[name]) <= {0, 1}
        assert item["label"] == item["attributes"][0] and all(
            np.isscalar(value) for value in item["factors"].values()
        )


def test_an_item_is_a_function_of_seed_and_index():
    assert_same_item(ITEMS[5], draw(7, 5))
    for other in (draw(7, 6), draw(8, 5)):
        assert np.abs(ITEMS[5]["image"] - other["image"]).mean() > 0.02


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_pair_is_equal_bit_for_bit_outside_the_change_and_differs_noticeably_inside(attribute):
    for index in range(12):
        item = draw(7, index, attribute=attribute)
        changed = item["lesion_mask"] | item["counterfactual_lesion_mask"]
        np.testing.assert_array_equal(item["image"][~changed], item["counterfactual"][~changed])
        assert (
            np.abs(item["image"] - item["counterfactual"]).max(-1)[changed] > 0.02
        ).all() and changed.any()
        assert (
            item["lesion_mask"].any()
            == bool(item["label"])
            != item["counterfactual_lesion_mask"].any()
        )


@pytest.mark.parametrize("attribute", ["smiling", "young", "black_hair", "bangs", "male"])
def test_counterfactual_is_the_picture_drawn_with_the_other_label(attribute):
    for index in range(6):
        without, having = (
            draw(7, index, attribute=attribute, prevalence=share) for share in (0.0, 1.0)
        )
        assert (without["label"], having["label"]) == (0, 1)
        np.testing.assert_array_equal(without["image"], having["counterfactual"])
        np.testing.assert_array_equal(having["image"], without["counterfactual"])
        np.testing.assert_array_equal(having["lesion_mask"], without["counterfactual_lesion_mask"])
        np.testing.assert_array_equal(having["attributes"], without["counterfactual_attributes"])


def test_smile_changes_the_lower_face_and_not_background_hair_or_forehead():
    change = np.mean([item["lesion_mask"] for item in SMILING], axis=0)
    assert change[42:49, 26:38].mean() > 0.5
    assert not change[:18].any() and not change[:, :8].any() and not change[:, -8:].any()


def test_factors_tell_the_smile_and_the_age():
    for item in ITEMS:
        assert (item["factors"]["mouth_smile"] > 0.15) == bool(item["label"])
    for index in range(20):
        item = draw(7, index, attribute="young")
        assert (item["factors"]["skin_age"] < 43) == bool(item["label"])


def test_severity_changes_the_smile_and_nothing_else():
    for index in range(8):
        faint, plain = draw(7, index, severity=0.4), ITEMS[index]
        assert faint["factors"]["mouth_smile"] == pytest.approx(
            0.4 * plain["factors"]["mouth_smile"]
        )
        different = {
            name for name, value in plain["factors"].items() if faint["factors"][name] != value
        }
        assert different <= {"mouth_smile", "mouth_opening"}
        np.testing.assert_array_equal(faint["attributes"], plain["attributes"])


def test_brightness_hardly_tells_who_smiles():
    having, without = (
        np.array([item[name].mean() for item in SMILING]) for name in ("image", "counterfactual")
    )
    assert 0.45 < np.mean(having[:, None] > without) < 0.55


def test_nothing_else_depends_on_the_label():
    labels = np.array([item["label"] for item in ITEMS])
    names = (
        "skin_age",
        "glasses_worn",
        "hair_long",
        "photo_side_light",
        "photo_blur",
        "anatomy_turn",
        "beard_density",
    )
    for name in names:
        values = np.array([item["factors"][name] for item in ITEMS], float)
        error = values.std() * np.sqrt(1 / labels.sum() + 1 / (1 - labels).sum())
        assert abs(values[labels == 1].mean() - values[labels == 0].mean()) < 4 * error


def test_same_face_at_another_resolution():
    item, fine = SMILING[0], draw(7, 0, size=128, prevalence=1.0)
    averaged = fine["image"].reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert fine["factors"] == item["factors"] and np.abs(averaged - item["image"]).mean() < 0.04


def test_confounder_makes_smiling_faces_mens_and_leaves_the_others_alone():
    for index in range(30):
        bound, plain = draw(7, index, confounder=1.0), ITEMS[index]
        assert bound["label"] == plain["label"]
        assert bound["attributes"][MALE] or not bound["label"]
        if not bound["label"] or plain["attributes"][MALE]:
            assert_same_item(bound, plain)
        assert bound["attributes"][MALE] == bound["counterfactual_attributes"][MALE]
    assert_same_item(draw(7, 3, confounder=0.0), ITEMS[3])


def test_source_gives_the_drawn_items():
    source = SyntheticFaces(4, seed=7)
    assert len(source) == 4 and source.class_names == ("not smiling", "smiling")
    for index in range(4):
        assert_same_item(source[index], ITEMS[index])
        assert source.labels[index] == ITEMS[index]["label"]
    assert SyntheticFaces(2000, prevalence=0.3).labels.mean() == pytest.approx(0.3, abs=0.045)


def test_source_can_be_sent_to_other_processes():
    assert_same_item(pickle.loads(pickle.dumps(SyntheticFaces(2, seed=7)))[1], ITEMS[1])


def test_options_reach_the_drawing():
    options = {
        "size": 48,
        "attribute": "young",
        "prevalence": 1.0,
        "severity": 0.5,
        "confounder": 0.9,
    }
    source = SyntheticFaces(2, seed=3, **options)
    assert_same_item(source[1], draw(3, 1, **options))
    assert source.class_names == ("not young", "young")


def test_items_can_be_read_into_arrays():
    arrays = load_arrays(SyntheticFaces(4), np.arange(4))
    assert arrays["attributes"].shape == (4, 7) and arrays["factors"]["mouth_smile"].shape == (4,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 31}, "size: expected at least 32 pixels, got 31"),
        (
            {"attribute": "sad"},
            "attribute: expected one of smiling, young, male, .*, got 'sad': choose one of them",
        ),
        ({"prevalence": 1.2}, r"prevalence: expected a share in \[0, 1\], got 1.2"),
        ({"severity": 0.0}, "severity: expected above 0, got 0.0"),
        ({"confounder": 1.5}, r"confounder: expected a share in \[0, 1\], got 1.5"),
        (
            {"confounder": 0.5, "attribute": "no_beard"},
            "confounder: expected None with attribute 'no_beard', which is bound to gender anyway,"
            " got 0.5: leave it out, or choose one of smiling, young, black_hair, bangs",
        ),
        ({"seed": -1}, "seed and index: expected 0 or more, got -1 and 0"),
        ({"num_images": 0}, "num_images: expected at least 1, got 0"),
    ],
)
def test_wrong_options_are_explained(options, message):
    with pytest.raises(InputError, match=message):
        SyntheticFaces(**({"num_images": 3} | options))
