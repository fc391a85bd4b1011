"""The chapter on hearts: its parts on made-up numbers and masks, and the images it is asked of."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from chexpert_layouts import write_chexpert
from flax import nnx
from scipy import stats

from cfx_jax.counterfactuals import Exaggeration
from cfx_jax.errors import InputError
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.chapters.heart import Heart, heart_sizes
from experiments.progressive_exaggeration.chapters.heart.chapter import all_series
from experiments.progressive_exaggeration.chapters.heart.claims import make_claims
from experiments.progressive_exaggeration.chapters.heart.figures import heart_outlines
from experiments.progressive_exaggeration.chapters.heart.group_comparisons import (
    ENLARGED,
    GROUPS,
    NORMAL,
    TO_ENLARGED,
    TO_NORMAL,
    comparisons,
    difference,
    groups,
)
from experiments.progressive_exaggeration.chapters.heart.heart_sizes import (
    REGISTERED,
    SEGMENTED,
    WAYS,
    Hearts,
    find_hearts,
    move,
)
from experiments.progressive_exaggeration.chapters.heart.organ_masks import (
    classes_of,
    has_hearts,
    largest,
    organs_of,
    sizes_of,
)
from experiments.progressive_exaggeration.chapters.heart.size_statistics import (
    MEASURES,
    Series,
    correlation,
    correlation_per_query,
    errors,
)
from experiments.progressive_exaggeration.chapters.heart.tables import (
    bin_table,
    comparison_table,
    dice_table,
    group_table,
    size_table,
)
from experiments.progressive_exaggeration.data import Data, Part, load_images
from experiments.progressive_exaggeration.label_study import Subject, Sweeps
from experiments.progressive_exaggeration.presets import PRESETS, SMOKE
from experiments.progressive_exaggeration.setup import Setup
from experiments.shared import ImageSet, PaperReport, StoredImages, Workspace

BINS = (np.arange(10) + 0.5) / 10


def made_up(rise, *, number=40, probability=(0.05, 0.95), achieved=0.97, noise=0.004):
    """Hearts of 0.2 that are normal and of 0.3 that are enlarged, whose explanations grow by
    ``rise`` over the bins.
    """
    rng = np.random.default_rng(0)
    labels = np.arange(number) % 2
    own = np.where(labels == 1, 0.3, 0.2) + noise * rng.normal(size=number)
    start = own - rise * labels
    explanations = (
        start[:, None] + rise * np.linspace(0, 1, 10) + noise * rng.normal(size=(number, 10))
    )
    other = np.where(labels == 1, 0.2, 0.3) + noise * rng.normal(size=number)
    reached = np.tile(np.linspace(1 - achieved, achieved, 10), (number, 1))
    desired = np.tile(BINS, (number, 1))
    return Series(
        own,
        explanations,
        other,
        other + 0.01,
        desired,
        np.asarray(probability)[labels],
        reached,
        labels,
    )


def verdicts(series):
    return {each.id: each.verdict for each in make_claims({SEGMENTED: series, REGISTERED: series})}


def squares(*corners, size=16, side=4):
    mask = np.zeros((size, size), bool)
    for row, column in corners:
        mask[row : row + side, column : column + side] = True
    return mask


def test_only_the_largest_parts_of_a_mask_are_kept():
    mask = squares((0, 0), (8, 8))
    mask[0, 15] = True
    np.testing.assert_array_equal(largest(mask, 2), squares((0, 0), (8, 8)))
    mask[4, 0] = True  # the upper square is the larger one now
    assert largest(mask, 1).sum() == 17 and largest(mask, 1)[:5, :4].sum() == 17
    # A single pixel is no second lung.
    alone = squares((0, 0))
    alone[12, 12] = True
    np.testing.assert_array_equal(largest(alone, 2), squares((0, 0)))
    nothing = np.zeros((4, 4), bool)
    np.testing.assert_array_equal(largest(nothing, 1), nothing)


def test_the_heart_hides_the_lungs_and_strays_are_cleared():
    heart, lungs = squares((6, 6)), squares((6, 2), (6, 8))
    arrays = {"heart_mask": heart[None], "lung_mask": lungs[None]}
    classes = classes_of(arrays)
    assert classes[0, 7, 7] == 2 and classes[0, 7, 11] == 1 and classes[0, 0, 0] == 0
    astray = classes.copy()
    astray[0, 0, 0], astray[0, 15, 15] = 2, 1
    organs = organs_of(astray)
    np.testing.assert_array_equal(organs[0, ..., 1], heart)
    np.testing.assert_array_equal(organs[0, ..., 0], lungs & ~heart)
    # The box around the lungs spans 4 rows and columns 2 to 11.
    assert sizes_of(organs).area[0] == pytest.approx(16 / 40)
    assert sizes_of(organs).cardiothoracic_ratio[0] == pytest.approx(0.4)
    assert (
        np.isnan(sizes_of(organs & [False, True]).area).all()
        and sizes_of(organs & [True, False]).area[0] == 0
    )


def test_corners_of_a_lung_that_the_heart_cuts_off_stay():
    classes = np.zeros((1, 8, 12), int)
    classes[0, 2:6, 1:4], classes[0, 2:6, 7:11], classes[0, 4, 3:11] = 1, 1, 2
    classes[0, 7, 0] = 1
    organs = organs_of(classes)
    np.testing.assert_array_equal(organs[..., 0], (classes == 1) & (np.arange(8) < 7)[:, None])


def test_organs_stay_where_an_image_is_registered_to_itself():
    image = np.exp(-((np.indices((16, 16)) - 8) ** 2).sum(0) / 18)[None, ..., None].astype(
        np.float32
    )
    organs = np.stack([squares((4, 1), (4, 11)), squares((6, 6))], axis=-1)[None]
    np.testing.assert_array_equal(
        move(image, organs, np.stack([image, image], axis=1))[:, 0], organs
    )


def test_correlation_is_that_of_ranks_over_all_pairs_and_within_queries():
    series = made_up(0.1)
    pairs = stats.spearmanr(series.desired.ravel(), series.explanations.ravel()).statistic
    found = correlation(series)
    assert found.estimate == pytest.approx(pairs) and found.low < pairs < found.high
    within = np.mean([stats.spearmanr(BINS, each).statistic for each in series.explanations])
    assert correlation_per_query(series).estimate == pytest.approx(within)
    flat = series._replace(explanations=np.full_like(series.explanations, 0.2))
    assert correlation(flat).estimate == correlation_per_query(flat).estimate == 0
    one = series.of(np.arange(40) == 0)
    assert correlation(one) is None and correlation_per_query(one) is None


def test_queries_without_a_size_are_left_out():
    series = made_up(0.1)
    series.explanations[3, 4], series.queries[5] = np.nan, np.nan
    assert series.complete.number == 38
    columns, rows = size_table({(SEGMENTED, "area"): series.complete}, series.number)
    assert rows[0][columns.index("left out")] == 2


def test_errors_are_those_of_queries_that_were_decided_rightly():
    exact = made_up(0.1, noise=0.0)
    found = errors(exact)
    np.testing.assert_allclose(found.explanation, 0, atol=1e-12)
    np.testing.assert_allclose(found.query, 0.1)
    np.testing.assert_allclose(found.way, 0.01)
    assert len(errors(exact._replace(labels=1 - exact.labels)).query) == 0


def test_groups_are_of_those_that_the_classifier_is_sure_of():
    series = made_up(0.1, noise=0.0)
    found = groups(series)
    assert tuple(found) == GROUPS and {len(each) for each in found.values()} == {20}
    np.testing.assert_allclose([each.mean() for each in found.values()], [0.2, 0.3, 0.3, 0.2])
    unsure = groups(made_up(0.1, probability=(0.15, 0.95)))
    assert [len(unsure[name]) for name in GROUPS] == [0, 0, 20, 20]
    # Explanations that do not reach the other extreme are not in a group; their queries are.
    short = groups(made_up(0.1, achieved=0.85))
    assert [len(short[name]) for name in GROUPS] == [20, 0, 20, 0]


def test_comparisons_are_the_t_tests_of_scipy():
    series = made_up(0.08)
    low, high = series.labels == 0, series.labels == 1
    grown, shrunk = series.explanations[low, -1], series.explanations[high, 0]
    expected = [
        stats.ttest_rel(grown, series.queries[low]),
        stats.ttest_rel(shrunk, series.queries[high]),
        stats.ttest_ind(shrunk, series.queries[low], equal_var=False),
        stats.ttest_ind(grown, series.queries[high], equal_var=False),
        stats.ttest_ind(shrunk, series.queries[low]),
        stats.ttest_ind(grown, series.queries[high]),
    ]
    found = list(comparisons(series))
    np.testing.assert_allclose(
        [each.result.t for each in found], [each.statistic for each in expected]
    )
    np.testing.assert_allclose(
        [each.result.p_value for each in found], [each.pvalue for each in expected]
    )
    pairs = [(TO_ENLARGED, NORMAL), (TO_NORMAL, ENLARGED)] + 2 * [
        (TO_NORMAL, NORMAL),
        (TO_ENLARGED, ENLARGED),
    ]
    assert [(each.first, each.second) for each in found] == pairs
    interval = difference(shrunk, series.queries[low])
    np.testing.assert_allclose(interval[1:], expected[2].confidence_interval(0.95))
    # Sizes without any spread do not show how far their means may be off.
    assert (
        np.isnan(difference(np.ones(3), np.zeros(3))[1:]).all()
        and difference(np.ones(1), np.ones(3)) is None
    )


def test_tables_have_a_row_for_every_way_and_cells_for_what_is_missing():
    series = {(way, measure): made_up(0.1, achieved=0.85) for way in WAYS for measure in MEASURES}
    assert [row[:2] for row in size_table(series, 40)[1]] == [
        ["segmented", "area"],
        ["segmented", "cardiothoracic ratio"],
        ["registered", "area"],
        ["registered", "cardiothoracic ratio"],
    ]
    columns, rows = bin_table(series, BINS)
    assert columns[2] == "desired 0.05" and rows[0][2] == pytest.approx(
        series[WAYS[0], "area"].explanations[:, 0].mean()
    )
    empty = {key: each.of(np.zeros(40, bool)) for key, each in series.items()}
    assert bin_table(empty, BINS)[1][0][2:] == [None] * 10
    assert [row[1:3] for row in group_table(series)[1] if row[0] == TO_NORMAL] == [[0, None]]
    columns, rows = comparison_table(series, "area")
    assert len(rows) == 12 and all(row[4:9] == [None] * 5 for row in rows)
    filled = comparison_table({(SEGMENTED, "area"): made_up(0.1)}, "area")[1]
    assert filled[0][5] == 19 and filled[0][8:] == ["20 and 20", "far below 0.001"]
    assert dice_table(np.tile([0.9, 0.8], (4, 1)))[1][1][0] == "heart"


def test_claims_hold_where_hearts_grow_to_the_other_size():
    assert set(verdicts(made_up(0.1)).values()) == {"holds"}


def test_claims_fail_where_hearts_move_the_wrong_way():
    found = verdicts(made_up(-0.1))
    assert set(found.values()) == {"fails"}


def test_hearts_that_hardly_grow_are_not_those_of_the_other_class():
    found = verdicts(made_up(0.02))
    assert (
        found["Figure 4a segmented"]
        == found["Figure 4b grow"]
        == found["Figure 4b shrink"]
        == "holds"
    )
    assert found["Figure 4b as normal"] == found["Figure 4b as enlarged"] == "fails"


def test_claims_without_images_are_undecided():
    found = verdicts(made_up(0.1, achieved=0.85))
    assert {name for name, verdict in found.items() if verdict == "undecided"} == {
        "Figure 4b grow",
        "Figure 4b shrink",
        "Figure 4b as normal",
        "Figure 4b as enlarged",
    }
    nobody = made_up(0.1).of(np.zeros(40, bool))
    assert set(verdicts(nobody).values()) == {"undecided"}


def chest_data(tmp_path, **options):
    """A few radiographs of the chest world."""
    settings = {
        "data": "chest",
        "num_images": 20,
        "image_size": 32,
        "validation": 0.2,
        "test": 0.4,
        **options,
    }
    return load_images(dataclasses.replace(SMOKE, **settings), Workspace(tmp_path))


def test_the_chest_world_has_one_label_and_hearts(tmp_path):
    data = chest_data(tmp_path)
    assert (data.names, data.label, data.class_names) == (
        ("cardiomegaly",),
        "cardiomegaly",
        ("normal heart", "cardiomegaly"),
    )
    assert data.note.startswith(
        "Synthetic chest radiographs: drawn by a program, of no patient. Test images are of a world"
    )
    assert has_hearts(data.test.images) and data.test.pixels.shape == (8, 32, 32, 1)
    np.testing.assert_array_equal(data.test.labels[:, 0], data.test.images.labels)
    stored = StoredImages(
        {"image": np.zeros((1, 2, 2, 1), np.float32), "label": np.zeros(1, int)}, ("a", "b")
    )
    assert not has_hearts(ImageSet.whole(stored, "made up"))


def perfect(data):
    """The chapter of an explainer that draws the true counterfactuals."""
    queries = data.test.images
    arrays, labels = queries.arrays, queries.labels
    other = organs_of(classes_of(arrays, heart="counterfactual_heart_mask"))
    own = organs_of(classes_of(arrays))

    def pair(query, counterfactual):
        chosen = (labels == 0)[:, None, None, None]
        return np.stack(
            [np.where(chosen, query, counterfactual), np.where(chosen, counterfactual, query)],
            axis=1,
        )

    organs = np.concatenate([pair(own, other), other[:, None]], axis=1)
    images, reached = (
        pair(arrays["image"], arrays["counterfactual"]),
        np.tile([0.05, 0.95], (len(labels), 1)),
    )
    probability = np.where(labels == 1, 0.95, 0.05)
    found = Sweeps(
        "made up", Exaggeration(images, reached, reached, labels, probability), None, None
    )
    hearts = Hearts(np.ones((8, 2)), own, dict.fromkeys(WAYS, organs), None)
    subject = Subject(Setup(SMOKE, data, None), None, 0, queries)
    return Heart(subject, found, hearts, all_series(subject, found, hearts), 2)


def test_explanations_that_are_true_counterfactuals_have_no_error(tmp_path):
    data = chest_data(tmp_path)
    chapter = perfect(data)
    for each in chapter.series.values():
        np.testing.assert_array_equal(errors(each).explanation, 0)
        np.testing.assert_allclose(errors(each).way, 0, atol=0.02)
    assert errors(chapter.series[SEGMENTED, "area"]).query.mean() > 0.02
    made = list(chapter.claims())
    note = "Mean Dice of the segmentation on 8 test images: lungs 1.000, heart 1.000."
    assert all(each.note == f"{data.note} {note}" for each in made)
    assert {each.id: each.verdict for each in made}["heart counterfactual"] == "holds"


class ByShade(nnx.Module):
    """Segments by shade: lungs are dark, hearts bright."""

    def __call__(self, images):
        shade = images[..., 0]
        return jnp.stack([-jnp.abs(shade - level) for level in (0.5, 0.2, 0.9)], axis=-1)


def test_every_explanation_is_segmented_and_the_true_counterfactual_last(tmp_path, monkeypatch):
    """Of four radiographs the first explanation is the radiograph itself and the second has a heart
    of another place.
    """
    monkeypatch.setattr(heart_sizes, "_train", lambda *args: ByShade())
    lungs = np.stack([squares((6, 1), (6, 12))] * 4)
    own, other, true = (
        np.stack([squares((6, 6 + shift), side=3 + number % 2) for number in range(4)])
        for shift in (-1, 1, 0)
    )

    def radiograph(heart):
        return np.where(heart, 0.9, np.where(lungs, 0.2, 0.5))[..., None].astype(np.float32)

    arrays = {
        "image": radiograph(own),
        "counterfactual": radiograph(true),
        "label": np.arange(4) % 2,
        "heart_mask": own,
        "lung_mask": lungs,
        "counterfactual_heart_mask": true,
    }
    images = ImageSet.whole(StoredImages(arrays, ("normal", "enlarged")), "by hand")
    part = Part(images, arrays["label"][:, None])
    data = Data(part, part, part, ("enlarged",), ("normal", "enlarged"), 0, "by hand")
    series = np.stack([radiograph(own), radiograph(other)], axis=1)
    probabilities = np.tile([0.05, 0.95], (4, 1))
    found = Sweeps(
        "by hand",
        Exaggeration(series, probabilities, probabilities, arrays["label"], probabilities[:, 0]),
        1,
        None,
    )
    subject = Subject(Setup(SMOKE, data, Workspace(tmp_path)), None, 0, images)
    hearts = find_hearts(SMOKE.heart.segmentation, subject, found)
    np.testing.assert_array_equal(hearts.queries[..., 1], own)
    np.testing.assert_array_equal(hearts.queries[..., 0], lungs & ~own)
    np.testing.assert_array_equal(
        hearts.explanations[SEGMENTED][..., 1], np.stack([own, other, true], axis=1)
    )
    np.testing.assert_array_equal(hearts.dice, 1)
    # Registered to itself, a radiograph keeps its heart.
    np.testing.assert_array_equal(hearts.explanations[REGISTERED][:, 0, ..., 1], own)
    assert hearts.explanations[REGISTERED].shape == (4, 3, 16, 16, 2)


def test_hearts_in_the_figure_are_those_that_registration_moves(tmp_path):
    found = perfect(chest_data(tmp_path))
    moved = {
        **found.hearts.explanations,
        REGISTERED: np.flip(found.hearts.explanations[REGISTERED], axis=2),
    }
    hearts = found.hearts._replace(explanations=moved)
    outlines = heart_outlines(hearts, 2)
    np.testing.assert_array_equal(outlines.images, moved[REGISTERED][2, :-1, ..., 1])
    np.testing.assert_array_equal(outlines.query, hearts.queries[2, ..., 1])
    np.testing.assert_allclose(outlines.sizes, sizes_of(moved[REGISTERED][2, :-1]).area)


def test_every_table_and_figure_says_how_well_hearts_are_found(tmp_path):
    report = PaperReport(tmp_path / "report", "Made up", introduction="", note="Synthetic faces.")
    perfect(chest_data(tmp_path)).write(report)
    report.finish([], SMOKE)
    tables = {path.stem: path.read_text() for path in report.folder.glob("*.md")}
    assert tables.keys() == {
        "figure_4a_heart",
        "table_heart_size",
        "table_heart_groups",
        "table_heart_t_tests_area",
        "table_heart_t_tests_cardiothoracic_ratio",
        "table_heart_segmentation",
    }
    assert all(
        "Synthetic chest" in text and "lungs 1.000, heart 1.000" in text for text in tables.values()
    )
    assert {path.name for path in report.folder.glob("*.png")} == {
        "figure_4_heart.png",
        "figure_2_heart_sweeps.png",
    }


def test_chexpert_keeps_patients_together_and_names_its_findings(tmp_path):
    rows = {
        f"patient{patient:05d}/study1/view{view}_frontal.jpg": {
            "Cardiomegaly": str(float(patient % 2)),
            "Edema": "-1.0",
        }
        for patient in range(12)
        for view in (1, 2)
    }
    folder = write_chexpert(tmp_path / "set", rows, None)
    config = dataclasses.replace(
        SMOKE, data=f"chexpert:{folder}", label="Cardiomegaly", image_size=32, validation=0.25
    )
    data = load_images(config, Workspace(tmp_path / "work"))
    assert len(data.names) == 14 and data.label == "Cardiomegaly"
    assert data.class_names == ("no cardiomegaly", "cardiomegaly")
    parts = (data.train, data.validation, data.test)
    people = [
        {each.images.source.patients[index] for index in each.images.indices} for each in parts
    ]
    assert sum(map(len, people)) == len(set.union(*people)) == 12
    for each in parts:
        np.testing.assert_array_equal(each.labels[:, data.explained], each.images.labels)
        assert not each.labels[:, data.names.index("Edema")].any()
    with pytest.raises(
        InputError,
        match=r"--label: expected one of 'No Finding', .*'Cardiomegaly', .*, got 'smiling'",
    ):
        load_images(dataclasses.replace(config, label="smiling"), Workspace(tmp_path / "work"))


@pytest.mark.parametrize("data", ["chest", "chexpert:x"])
def test_class_folders_are_refused(tmp_path, data):
    with pytest.raises(
        InputError,
        match=f"--classes: expected none with --data {data}, which has its own: leave it out",
    ):
        load_images(dataclasses.replace(SMOKE, data=data, classes=("a", "b")), Workspace(tmp_path))


def test_published_figures_are_those_of_the_explained_label():
    assert published.distances("cardiomegaly", published.PRESENT) == (368.6, 82.9)
    assert published.closeness("Cardiomegaly") == pytest.approx((0.022, 0.279))
    assert published.verification("Cardiomegaly") is None
    assert published.of_chest("cardiomegaly") and not published.of_chest("Smiling")


def test_presets_with_the_chapter_have_a_true_sized_segmentation():
    for name in ("smoke", "demo"):
        own = PRESETS[name].heart
        assert "heart" in PRESETS[name].chapters
        assert own.image_size % 2 ** (len(own.segmentation.filters) - 1) == 0
