import pickle
from functools import partial

import numpy as np
import pytest
from drawn_items import DrawnItems

from cfx_jax.data import SyntheticCT, load_arrays
from cfx_jax.data.worlds.ct import TERRITORIES
from cfx_jax.data.worlds.ct.synthetic_ct import draw
from cfx_jax.errors import InputError

KINDS = ("stroke", "lung")
NUMBER = 24
ITEMS = {kind: DrawnItems(partial(draw, 7, kind=kind), NUMBER) for kind in KINDS}
DISEASED = {kind: DrawnItems(partial(draw, 7, kind=kind, prevalence=1.0), NUMBER) for kind in KINDS}
MASKS = {
    "stroke": ("lesion_mask", "counterfactual_lesion_mask", "region_mask"),
    "lung": ("lesion_mask", "counterfactual_lesion_mask", "lung_mask"),
}
both_kinds = pytest.mark.parametrize("kind", KINDS)


def assert_same_item(one, other):
    assert one.keys() == other.keys() and one["factors"] == other["factors"]
    for name in one.keys() - {"factors"}:
        np.testing.assert_array_equal(one[name], other[name])


def single_numbers(item):
    return {name for name, value in item.items() if np.ndim(value) == 0 and name != "factors"}


def share_of_lung(item):
    return item["lesion_mask"].sum() / item["lung_mask"].sum()


@both_kinds
def test_items_have_the_stated_form(kind):
    for item in ITEMS[kind][:10]:
        for name in ("image", "counterfactual"):
            assert item[name].shape == (11, 64, 64, 1) and item[name].dtype == np.float32
            assert item[name].min() >= 0 and item[name].max() <= 1
        assert all(
            item[name].shape == (11, 64, 64) and item[name].dtype == bool for name in MASKS[kind]
        )
        assert all(np.isscalar(value) for value in item["factors"].values())
        own = {"stroke": {"side", "infarct_size", "territory"}, "lung": {"grade"}}
        assert single_numbers(item) == {"label"} | own[kind]


@both_kinds
def test_an_item_is_a_function_of_seed_and_index(kind):
    assert_same_item(ITEMS[kind][5], draw(7, 5, kind=kind))
    for other in (draw(7, 6, kind=kind), draw(8, 5, kind=kind)):
        assert np.abs(ITEMS[kind][5]["image"] - other["image"]).mean() > 0.01


@both_kinds
def test_pair_is_equal_bit_for_bit_outside_the_finding(kind):
    for item in ITEMS[kind]:
        same = ~(item["lesion_mask"] | item["counterfactual_lesion_mask"])
        np.testing.assert_array_equal(item["image"][same], item["counterfactual"][same])


@both_kinds
def test_only_the_diseased_member_has_a_finding(kind):
    for item in ITEMS[kind]:
        present, absent = "lesion_mask", "counterfactual_lesion_mask"
        if not item["label"]:
            present, absent = absent, present
            assert all(item[name] == 0 for name in single_numbers(item))
        assert item[present].any() and not item[absent].any()


def test_infarcts_darken_and_ground_glass_brightens():
    for item in DISEASED["stroke"]:
        assert (item["image"] <= item["counterfactual"] + 1e-6).all()
    for item in DISEASED["lung"]:
        assert (item["image"] >= item["counterfactual"] - 1e-6).all()


@both_kinds
def test_counterfactual_is_the_scan_drawn_with_the_other_label(kind):
    for index in range(4):
        healthy, diseased = draw(7, index, kind=kind, prevalence=0.0), DISEASED[kind][index]
        assert (healthy["label"], diseased["label"]) == (0, 1)
        np.testing.assert_array_equal(healthy["image"], diseased["counterfactual"])
        np.testing.assert_array_equal(diseased["image"], healthy["counterfactual"])
        np.testing.assert_array_equal(
            diseased["lesion_mask"], healthy["counterfactual_lesion_mask"]
        )


@both_kinds
def test_severity_changes_the_contrast_of_the_finding_only(kind):
    def contrast(severity):
        items = [draw(7, index, kind=kind, prevalence=1.0, severity=severity) for index in range(4)]
        for item, plain in zip(items, DISEASED[kind], strict=False):
            np.testing.assert_array_equal(item["counterfactual"], plain["counterfactual"])
            np.testing.assert_array_equal(item["lesion_mask"], plain["lesion_mask"])
        return np.mean(
            [
                np.abs(item["image"] - item["counterfactual"])[item["lesion_mask"]].mean()
                for item in items
            ]
        )

    assert contrast(0.5) < 0.75 * contrast(1.0) < contrast(1.0) < 0.9 * contrast(1.6)


@both_kinds
def test_look_alikes_do_not_depend_on_the_label(kind):
    names = {
        "stroke": ("scars", "vessel_disease", "atrophy"),
        "lung": ("collapse", "uneven", "nodules"),
    }[kind]
    sick = np.array([item["factors"]["scanner_noise"] for item in DISEASED[kind]])
    well = [draw(7, index, kind=kind, prevalence=0.0)["factors"] for index in range(5)]
    np.testing.assert_array_equal(sick[:5], [factors["scanner_noise"] for factors in well])
    for name in names:
        assert [item["factors"][name] for item in DISEASED[kind][:5]] == [
            factors[name] for factors in well
        ]


@both_kinds
def test_same_body_at_another_size(kind):
    item, fine = DISEASED[kind][0], draw(7, 0, kind=kind, prevalence=1.0, size=128)
    averaged = fine["image"].reshape(11, 64, 2, 64, 2, 1).mean((2, 4))
    assert fine["factors"] == item["factors"] and np.abs(averaged - item["image"]).mean() < 0.04


@both_kinds
def test_same_body_in_another_number_of_slices(kind):
    coarse, fine = (
        draw(7, 0, kind=kind, num_slices=number, severity=1e-6)["image"] for number in (5, 15)
    )
    assert coarse.shape == (5, 64, 64, 1) and fine.shape == (15, 64, 64, 1)
    error = np.abs(coarse[:, None] - fine[None]).mean((2, 3, 4))
    assert (np.abs(error.argmin(1) - np.array([1, 4, 7, 10, 13])) <= 1).all()
    assert draw(7, 0, kind=kind, num_slices=1, prevalence=1.0)["image"].shape == (1, 64, 64, 1)


def test_side_is_that_of_the_lesion_and_the_left_is_on_the_right_of_the_picture():
    for shares, side in (((1, 0, 0), 1), ((0, 1, 0), 2), ((0, 0, 1), 3)):
        for index in range(4):
            item = draw(7, index, prevalence=1.0, finding_shares=shares)
            in_left, in_right = (
                item["lesion_mask"][..., 36:].sum(),
                item["lesion_mask"][..., :28].sum(),
            )
            assert item["side"] == side
            assert (
                (in_left > 10 * in_right)
                if side == 1
                else (in_right > 10 * in_left)
                if side == 2
                else True
            )
            if side == 3:
                assert min(in_left, in_right) > 0


def test_infarcts_lie_in_their_territory():
    for item in DISEASED["stroke"]:
        assert item["side"] == 3 or (item["territory"] > len(TERRITORIES) // 2) == (
            item["side"] == 2
        )
        assert item["region_mask"][item["lesion_mask"]].all()
        assert (item["territory_mask"] == item["territory"])[item["region_mask"]].all() or item[
            "side"
        ] == 3
        assert item["region_mask"].sum() > item["lesion_mask"].sum()


def test_region_of_two_infarcts_is_the_union_of_two_territories():
    item = draw(7, 3, prevalence=1.0, finding_shares=(0, 0, 1))
    inside = np.unique(item["territory_mask"][item["region_mask"]])
    assert len(inside) == 2 and inside[0] <= 3 < inside[1] and item["territory"] in inside
    np.testing.assert_array_equal(item["region_mask"], np.isin(item["territory_mask"], inside))


def test_infarcts_grow_with_their_size():
    sizes = np.array([item["infarct_size"] for item in DISEASED["stroke"]])
    voxels = np.array([item["lesion_mask"].sum() for item in DISEASED["stroke"]])
    medians = [np.median(voxels[sizes == size]) for size in (1, 2, 3, 4)]
    assert (
        set(sizes) == {1, 2, 3, 4} and medians == sorted(medians) and medians[3] > 20 * medians[0]
    )


@pytest.mark.parametrize(
    ("grade", "least", "most"), [(1, 0.0, 0.25), (2, 0.25, 0.5), (3, 0.5, 0.75), (4, 0.75, 1.0)]
)
def test_grade_is_the_share_of_the_lung(grade, least, most):
    shares = np.eye(4)[grade - 1]
    for index in range(3):
        item = draw(7, index, kind="lung", prevalence=1.0, finding_shares=shares)
        assert (item["grade"], item["label"]) == (grade, 1) and least < share_of_lung(item) <= most
        assert not (item["lesion_mask"] & ~item["lung_mask"]).any()


def test_findings_are_as_frequent_as_in_the_data_sets():
    stroke, lung = SyntheticCT(1500), SyntheticCT(1500, kind="lung")
    np.testing.assert_allclose(
        np.bincount(stroke.findings, minlength=4) / 1500,
        [0.4631, 0.2880, 0.2403, 0.0086],
        atol=0.04,
    )
    np.testing.assert_allclose(
        np.bincount(lung.findings, minlength=5) / 1500,
        np.array([254, 0, 125, 45, 2]) / 426,
        atol=0.04,
    )
    np.testing.assert_array_equal(stroke.labels, stroke.findings > 0)


@both_kinds
def test_source_gives_the_drawn_items(kind):
    source = SyntheticCT(3, kind=kind, seed=7)
    for index in range(3):
        item = source[index]
        assert_same_item(item, ITEMS[kind][index])
        assert source.labels[index] == item["label"]
        assert source.findings[index] == item["side" if kind == "stroke" else "grade"]


def test_source_names_classes_and_findings():
    stroke, lung = SyntheticCT(1), SyntheticCT(1, kind="lung")
    assert stroke.class_names == ("no infarct", "infarct") and lung.class_names == (
        "clear",
        "ground glass",
    )
    assert stroke.finding_names == ("none", "left", "right", "both")
    assert lung.finding_names == ("CT-0", "CT-1", "CT-2", "CT-3", "CT-4")


def test_source_can_be_sent_to_other_processes():
    assert_same_item(pickle.loads(pickle.dumps(SyntheticCT(2, seed=7)))[1], ITEMS["stroke"][1])


def test_options_reach_the_drawing():
    options = {
        "size": 32,
        "num_slices": 4,
        "prevalence": 1.0,
        "finding_shares": [1, 0, 0, 1],
        "severity": 0.5,
    }
    assert_same_item(
        SyntheticCT(2, kind="lung", seed=3, **options)[1], draw(3, 1, kind="lung", **options)
    )


@both_kinds
def test_items_can_be_read_into_arrays(kind):
    arrays = load_arrays(SyntheticCT(4, kind=kind), np.arange(4))
    assert arrays["image"].shape == (4, 11, 64, 64, 1) and arrays["label"].dtype == np.int64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "knee"}, "kind: expected one of 'stroke', 'lung', got 'knee'"),
        ({"size": 31}, "size: expected at least 32 pixels, got 31"),
        ({"num_slices": 0}, "num_slices: expected an integer of at least 1, got 0"),
        ({"prevalence": 1.2}, r"prevalence: expected a share in \[0, 1\], got 1.2"),
        ({"severity": 0.0}, "severity: expected above 0, got 0.0"),
        ({"seed": -1}, "seed and index: expected 0 or more, got -1 and 0"),
        ({"num_images": 0}, "num_images: expected at least 1, got 0"),
        (
            {"finding_shares": (1, 1)},
            r"finding_shares: expected 3 numbers of 0 or more, not all 0, for left, right, both,"
            r" got \(1, 1\)",
        ),
        ({"finding_shares": (0, 0, 0)}, r"not all 0, for left, right, both, got \(0, 0, 0\)"),
        (
            {"finding_shares": (1, -1, 3), "kind": "stroke"},
            r"got \(1, -1, 3\): give e.g. \(28.8, 24.03, 0.86\)",
        ),
        (
            {"finding_shares": (1, 2, 3), "kind": "lung"},
            "expected 4 numbers .* for CT-1, CT-2, CT-3, CT-4, got",
        ),
    ],
)
def test_wrong_options_are_explained(options, message):
    with pytest.raises(InputError, match=message):
        SyntheticCT(**({"num_images": 3} | options))
