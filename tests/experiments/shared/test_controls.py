"""Controls of maps on pictures whose answer is seen at once, and the level of made-up scores."""

import numpy as np
import pytest
from scipy import stats

from cfx_jax.report import Claim
from experiments.shared import add_levels, control_maps, find_level, find_level_of_runs, level_cells
from experiments.shared.controls import (
    BRIGHTEST,
    CHANGE,
    CONSTANT,
    DARKEST,
    EDGES,
    RANDOM,
    TRIVIAL,
    find_body,
    usual_place,
)


def disc(centre=(8, 8), radius=6, size=16):
    rows, columns = np.indices((size, size))
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def picture(seed=0):
    """A grey disc on black, with a dark pixel, a bright one, and a dark hole within it."""
    image = np.where(disc(), 0.5, 0.0)
    image[6, 6], image[10, 9], image[8, 8] = 0.2, 0.9, 0.0
    return np.repeat(image[..., None], 3, axis=-1).astype(np.float32)


def highest(saliency):
    return np.unravel_index(saliency.argmax(), saliency.shape)


def test_the_body_is_all_but_the_background_with_its_holes_filled():
    np.testing.assert_array_equal(find_body(picture()), disc())
    volume = np.stack([picture(), np.zeros_like(picture())])
    np.testing.assert_array_equal(find_body(volume), [disc(), np.zeros((16, 16), bool)])


def test_controls_point_where_their_names_say_and_never_out_of_the_organ():
    images = picture()[None]
    maps = control_maps(images, seed=0)
    assert tuple(maps) == TRIVIAL
    assert highest(maps[DARKEST][0]) == (8, 8) and highest(maps[BRIGHTEST][0]) == (10, 9)
    assert highest(maps[CONSTANT][0]) == (8, 8)
    for name, values in maps.items():
        assert values.shape == (1, 16, 16)
        assert not values[0][~disc()].any(), name
    # Without the sharp border of the disc, the steepest place is beside the bright pixel.
    inside = control_maps(images, seed=0, organs=disc(radius=3)[None])[EDGES][0]
    assert max(abs(np.subtract(highest(inside), (8, 8)))) <= 2
    everywhere = control_maps(images, seed=0, organs=np.ones((1, 16, 16), bool))[EDGES][0]
    assert everywhere[0, 0] < 1e-3 < everywhere[8, 2]  # flat background, border of the disc


def test_edges_are_taken_slice_by_slice():
    volume = np.zeros((1, 2, 8, 8, 1), np.float32)
    volume[0, 1] = 1  # the slices differ, and each is flat
    maps = control_maps(volume, seed=0, organs=np.ones((1, 2, 8, 8), bool))
    assert not maps[EDGES].any() and maps[BRIGHTEST][0, 1].min() > maps[BRIGHTEST][0, 0].max()


def test_random_pixels_are_of_the_seed_and_the_image_and_uniform_in_the_organ():
    images = np.stack([picture()] * 3)
    first, again, other = (control_maps(images, seed=seed)[RANDOM] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[:2], control_maps(images[:2], seed=0)[RANDOM])
    assert (first[0] != first[1]).any() and (first != other).any()
    ranks = 2 * first[0][disc()] - 1
    assert stats.kstest(ranks, "uniform").pvalue > 0.01


def test_a_constant_place_is_where_the_findings_of_others_are():
    annotations = np.zeros((4, 1, 4), bool)
    annotations[0, 0, 0] = annotations[1, 0, 0] = annotations[2, 0, 3] = True  # the last has none
    np.testing.assert_allclose(
        usual_place(annotations)[:, 0],
        [[0.5, 0, 0, 0.5], [0.5, 0, 0, 0.5], [1, 0, 0, 0], [2 / 3, 0, 0, 1 / 3]],
    )
    # Images of one patient are no others.
    one_patient = usual_place(annotations, np.array([7, 7, 8, 9]))
    np.testing.assert_allclose(one_patient[0, 0], [0, 0, 0, 1])
    alone = usual_place(annotations[:1])
    assert not alone.any()
    maps = control_maps(np.zeros((4, 1, 4, 1), np.float32), seed=0, annotations=annotations)
    np.testing.assert_allclose(maps[CONSTANT], usual_place(annotations), rtol=1e-6)


def test_the_true_change_is_the_difference_to_the_true_counterfactual():
    image = picture()
    turned = image.copy()
    turned[5, 5] -= 0.25
    change = control_maps(image[None], seed=0, counterfactuals=turned[None])[CHANGE][0]
    assert change[5, 5] == pytest.approx(0.75) and np.count_nonzero(change) == 1


def scores(lead, *, n=40, spread=0.1):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=n)
    noise = spread * (noise - noise.mean())
    return {
        "ours": 0.5 + lead + noise,
        EDGES: np.full(n, 0.5),
        DARKEST: np.full(n, 0.2),
        CHANGE: np.ones(n),
    }


@pytest.mark.parametrize(
    ("lead", "mark"),
    [
        (0.1, "above the controls"),
        (0.01, "at the level of edges"),
        (-0.1, "below edges"),
    ],
)
def test_a_method_is_above_the_controls_only_if_its_whole_interval_is(lead, mark):
    level = find_level("ours", scores(lead))
    assert level.mark == mark and level.control == EDGES
    assert level.lead.estimate == pytest.approx(lead) and level.best == 0.5
    assert level_cells(level) == [tuple(level.lead), mark]


def test_lower_is_better_where_the_sign_says_so():
    turned = {name: -values for name, values in scores(0.1).items()}
    level = find_level("ours", turned, sign=-1)
    assert level.is_above and level.control == EDGES and level.lead.estimate == pytest.approx(0.1)


def test_the_truth_is_no_control_and_a_control_has_no_level():
    made = scores(0.1)  # the true change is far above
    assert find_level("ours", made).is_above
    assert find_level(EDGES, made) is None and find_level(CHANGE, made) is None
    assert level_cells(None) == [None, ""]
    assert find_level("ours", {"ours": made["ours"]}) is None


def test_patients_are_drawn_together():
    made = scores(0.03, n=40)
    by_image = find_level("ours", made).lead
    ordered = {name: np.sort(values) for name, values in made.items()}
    by_patient = find_level("ours", ordered, groups=np.repeat(np.arange(10), 4)).lead
    assert by_patient.high - by_patient.low > 1.3 * (by_image.high - by_image.low)


def test_of_several_trainings_the_runs_count():
    noise = scores(0.0)["ours"] - 0.5
    runs = [0.5 + lead + noise for lead in (0.0, 0.1, 0.2)]
    level = find_level_of_runs(
        "ours", {"ours": runs, EDGES: [np.full(40, 0.5)] * 3}, controls=(EDGES,)
    )
    # The images alone would decide, the trainings do not.
    assert level.lead.estimate == pytest.approx(0.1) and level.mark == "at the level of edges"
    one = find_level_of_runs(
        "ours", {"ours": runs[2:], EDGES: [np.full(40, 0.5)]}, controls=TRIVIAL
    )
    assert one.mark == "undecided against edges" and not one.is_above


def test_a_claim_says_which_of_its_methods_are_at_the_level_of_a_control():
    claim = Claim(
        id="C",
        text="It is better.",
        paper={},
        ours={},
        interval=None,
        verdict="holds",
        note="Of one training.",
    )
    high, low = find_level("ours", scores(0.1)), find_level("ours", scores(0.01))
    assert add_levels(claim, [high, None]) == claim
    noted = add_levels(claim, [low]).note
    assert noted.startswith(
        "Of one training. ours: at the level of edges (a control), 0.51 against"
    )
