"""The claims of the first experiment on results made by hand: direction, bound, unit, and whose
they are.
"""

from functools import partial

import numpy as np
import pytest
from fundus_results import data, evaluations, explained, image_set, localised, study

from cfx_jax.metrics import balanced_accuracy, paired_difference_interval
from experiments.fundus_vce import claims as module
from experiments.fundus_vce import published
from experiments.fundus_vce.config import Config, ExplanationConfig
from experiments.shared import claims as shared_claims
from experiments.shared import intervals
from experiments.shared.controls import EDGES


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """Enough for verdicts that are not close."""
    for place, names in (
        (shared_claims, ("bootstrap_interval", "paired_difference_interval")),
        (intervals, ("bootstrap_interval", "paired_difference_interval")),
        (module, ("bootstrap_interval",)),
    ):
        for name in names:
            monkeypatch.setattr(place, name, partial(getattr(place, name), num_resamples=200))


CONFIG = Config(explanations=ExplanationConfig(sweep=(0.1, 0.2)))
LABELS = np.repeat([0, 1], 20)
PAPER = {"plain": (90, 15), "robust": (75, 70), "ensemble": (90, 20)}
TABLE_2 = {name: tuple(mean for mean, _ in row.values()) for name, row in published.TABLE_2.items()}


def judge(images, measured, shown=None, maps=None):
    shown = explained(LABELS) if shown is None else shown
    return module.make_claims(study(CONFIG, images, measured, shown, maps))


def claimed(*, shares=None, found=None, maps=None, images=None, **options):
    measured = evaluations(**(shares or PAPER), **options)
    test = images or image_set(LABELS)
    made = judge(data(test), measured, found, maps)
    return {each.id: each for each in made}


def verdicts(found):
    return {name: each.verdict for name, each in found.items()}


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        (
            {},
            {
                "1a": "holds",
                "1b": "holds",
                "2a": "holds",
                "2b": "holds",
                "3a": "holds",
                "3b": "holds",
            },
        ),
        # Ensemble and robust model exchanged.
        (
            {"robust": PAPER["ensemble"], "ensemble": PAPER["robust"]},
            {
                "1a": "fails",
                "1b": "fails",
                "2a": "fails",
                "2b": "holds",
                "3a": "undecided",
                "3b": "fails",
            },
        ),
        # Plain and robust model exchanged.
        (
            {"plain": PAPER["robust"], "robust": PAPER["plain"]},
            {
                "1a": "holds",
                "1b": "holds",
                "2a": "fails",
                "2b": "fails",
                "3a": "fails",
                "3b": "fails",
            },
        ),
        # Each bound from its other side: 5 points lost, 15 points of robustness gained, 5 points
        # less accurate.
        ({"ensemble": (85, 20)}, {"1a": "fails", "1b": "fails"}),
        ({"robust": (75, 30)}, {"2a": "fails"}),
        ({"robust": (85, 70)}, {"3a": "holds", "3b": "fails"}),
    ],
)
def test_accuracies_are_compared_in_the_right_direction_with_the_right_bound(shares, expected):
    found = verdicts(claimed(shares=PAPER | shares))
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("place", ["test", "external"])
def test_the_papers_own_accuracies_do_not_fail_its_claims(place):
    shares = {
        name: (row["accuracy"], row["robust"]) for name, row in published.TABLE_1[place].items()
    }
    measured = evaluations(**PAPER) | evaluations(place, n=2000, **shares)
    test = image_set(LABELS)
    made = judge(data(test, external=test if place != "test" else None), measured)
    found = {
        each.id: each.verdict
        for each in made
        if each.id[0] in "123" and ("external" in each.id) == (place != "test")
    }
    assert len(found) == 6 and "fails" not in found.values()
    close = {"3b"}  # 11.1 points on Kaggle, claimed to be more than 10
    assert all(found[name] == "holds" for name in found if name[0] in "23" and name not in close)


def test_each_accuracy_claim_is_about_its_own_measure():
    found = claimed()
    assert found["1a"].ours == {"ensemble": 0.9, "plain": 0.9} and found["1a"].paper == {
        "ensemble": 0.897,
        "plain": 0.895,
    }
    assert found["2a"].ours == {"robust": 0.7, "ensemble": 0.2} and found["2b"].ours == {
        "ensemble": 0.2,
        "plain": 0.15,
    }
    assert found["3b"].ours == {"plain": 0.9, "robust": 0.75}
    assert found["3b"].interval == tuple(
        paired_difference_interval(np.arange(400) < 360, np.arange(400) < 300)
    )


def test_balanced_accuracy_weighs_the_classes_alike():
    measured = evaluations(**PAPER)
    label = np.repeat([0, 1], [300, 100])
    for name, missed in (("plain", 0), ("ensemble", 40)):
        one = measured["test", name]
        right = np.ones(400, bool)
        right[300 : 300 + missed] = False  # of the rarer class alone
        decided = np.where(right, label, 1 - label)
        measured["test", name] = one._replace(
            labels=label, probability=np.stack([1 - decided, decided], axis=1)
        )
    measured["test", "robust"] = measured["test", "plain"]._replace(
        robust=measured["test", "robust"].robust
    )
    made = judge(data(image_set(LABELS)), measured)
    found = {each.id: each for each in made}
    assert found["1a"].interval[0] == pytest.approx(-0.1)
    assert found["1b"].interval[0] == pytest.approx(-0.2)
    right = measured["test", "ensemble"].correct
    assert (
        found["1b"].ours["ensemble"]
        == pytest.approx(balanced_accuracy(right, label))
        == pytest.approx(0.8)
    )


def test_the_external_set_has_claims_of_its_own():
    test = image_set(LABELS)
    measured = evaluations(**PAPER) | evaluations("external", **(PAPER | {"ensemble": (70, 20)}))
    found = {each.id: each for each in judge(data(test, external=test), measured)}
    assert (found["1a"].verdict, found["1a (external)"].verdict) == ("holds", "fails")
    assert found["1a (external)"].paper == {"ensemble": 0.879, "plain": 0.895}


def test_eyes_of_one_patient_are_drawn_together():
    alone = claimed()["2b"]
    patients = np.repeat(np.arange(200), 2)  # both eyes alike
    together = claimed(patients=patients)["2b"]
    assert together.interval[2] - together.interval[1] > 1.2 * (
        alone.interval[2] - alone.interval[1]
    )
    assert "400 images of 200 patients" in together.statistic and "400 images" in alone.statistic


def test_copies_are_no_patients():
    labels = np.arange(400) % 2
    alike = {
        key: each._replace(groups=np.arange(400) // 40, group_unit="different images")
        for key, each in evaluations(plain=(90, 20), robust=(75, 65), ensemble=(90, 30)).items()
    }
    maps = localised(TABLE_2)
    maps.images.source.copies = np.arange(41) // 2
    found = judge(data(image_set(labels), published=False), alike, maps=maps)
    told = [each.statistic + each.note for each in found]
    assert not any("patient" in each for each in told)
    assert sum("of 10 different images" in each for each in told) == 6
    assert any("41 images of 21 different images" in each for each in told)


@pytest.mark.parametrize("better", [0.0, 0.05])
def test_a_better_ensemble_is_as_good_as_the_robust_model(better):
    means = {name: tuple(row) for name, row in TABLE_2.items()}
    means["ensemble"] = tuple(each + better for each in means["ensemble"])
    found = claimed(maps=localised(means))
    assert {
        each.verdict
        for name, each in found.items()
        if name.startswith("4 ") and name.endswith(" equal")
    } == {"holds"}
    worse = means | {"ensemble": tuple(each - 0.05 for each in TABLE_2["robust"])}
    found = claimed(maps=localised(worse))
    assert {
        each.verdict
        for name, each in found.items()
        if name.startswith("4 ") and name.endswith(" equal")
    } == {"fails"}


def test_maps_are_compared_as_the_paper_compares_them():
    found = verdicts(claimed(maps=localised(TABLE_2)))
    assert all(found[name] == "holds" for name in found if name[0] == "4")
    assert all(
        found[f"9 VCE l1.5 {other} {name}"] == "holds"
        for other in ("GBP", "IG")
        for name in TABLE_2
    )
    assert found["5 GBP IG robust"] == found["5 VCE l1.5 VCE l2 ensemble"] == "holds"


def test_claims_say_which_maps_are_at_the_level_of_a_control():
    maps = localised({"plain": (0.1,) * 5, "robust": (0.2,) * 5, "ensemble": (0.3,) * 5})
    noise = maps.iou["plain", "GBP"] - 0.1
    found = claimed(maps=maps._replace(controls={EDGES: 0.2 + np.roll(noise, 5)}))
    both = found["4 GBP robust"].note
    assert "GBP of the robust model: at the level of edges (a control), 0.2 against 0.2" in both
    assert "GBP of the plain model: below edges" in both
    assert "control" not in found["9 VCE l1.5 GBP ensemble"].note
    assert "control" not in found["1a"].note


def test_exchanged_models_fail_the_claims_about_maps():
    swapped = {"plain": TABLE_2["robust"], "robust": TABLE_2["plain"], "ensemble": TABLE_2["plain"]}
    found = verdicts(claimed(maps=localised(swapped)))
    better = [name for name in found if name.startswith("4") and not name.endswith("equal")]
    assert len(better) == 14 and all(found[name] == "fails" for name in better)
    assert all(found[name] == "holds" for name in found if name.endswith("equal"))
    unequal = TABLE_2 | {"ensemble": tuple(mean - 0.03 for mean in TABLE_2["ensemble"])}
    found = verdicts(claimed(maps=localised(unequal)))
    assert all(found[name] == "fails" for name in found if name.endswith("equal"))


def test_exchanged_methods_fail_the_order():
    reverse = {name: row[::-1] for name, row in TABLE_2.items()}
    found = claimed(maps=localised(reverse, spread=0.005))
    order = {name: each.verdict for name, each in found.items() if name[0] == "5"}
    assert len(order) == 8
    equal = {"5 GBP IG robust", "5 GBP IG ensemble"}  # 0.12 and 0.12
    assert {name: verdict for name, verdict in order.items() if name not in equal} == dict.fromkeys(
        order.keys() - equal, "fails"
    )
    assert {order[name] for name in equal} == {"undecided"}


@pytest.mark.parametrize(
    ("gap", "expected"), [(0.01, "holds"), (0.05, "fails"), (0.03, "undecided"), (-0.05, "fails")]
)
def test_on_par_means_within_the_margin_on_both_sides(gap, expected):
    means = {name: (0.2, 0.2, 0.2, 0.2 - gap, 0.2) for name in TABLE_2}
    found = claimed(maps=localised(means, norm=2.0))
    assert {each.verdict for name, each in found.items() if name[0] == "9"} == {expected}
    assert "VCE l2" in found["9 VCE l2 GBP ensemble"].ours  # the norm that was chosen


def test_maps_of_one_patients_images_are_drawn_together():
    patients = np.repeat(np.arange(21), 2)[:41]
    found = claimed(maps=localised(TABLE_2, patients=patients))
    assert "41 images of 21 patients" in found["4 IG ensemble"].statistic


@pytest.mark.parametrize(("step", "expected"), [(0.05, "undecided"), (-0.05, "fails")])
def test_confidence_that_falls_is_no_confidence_that_grows(step, expected):
    sample = explained(LABELS, sweep=lambda radius, target: np.full(40, 0.6 + step * radius))
    claim = claimed(found=sample)["6a"]
    assert (
        claim.verdict == expected
    )  # of 40 images alone, 40 without a fall leave the share above 0.91
    assert claim.interval[0] == (1.0 if step > 0 else 0.0)


def test_one_target_that_falls_is_enough():
    sample = explained(
        LABELS, sweep=lambda radius, target: np.full(40, 0.6 + (0.1 - 0.2 * target) * radius)
    )
    assert claimed(found=sample)["6a"].interval[0] == 0.0


@pytest.mark.parametrize(
    ("enhanced", "flipped", "expected"), [(0.99, 0.7, "holds"), (0.7, 0.99, "fails")]
)
def test_enhancing_is_compared_with_flipping_at_the_smallest_radius(enhanced, flipped, expected):
    def sweep(radius, target):
        value = (enhanced if target == 1 else flipped) if radius == 0 else 0.5
        return value + 0.001 * (1 - 2 * target) * np.arange(40) / 40

    claim = claimed(found=explained(LABELS, sweep=sweep))["6b"]
    assert claim.verdict == expected and "paired over 20 images" in claim.statistic
    assert claim.ours["enhanced"] == pytest.approx(enhanced, abs=1e-3)


def test_flips_are_those_of_the_last_norm_towards_healthy():
    def vce(name, p, target):
        of = {("ensemble", 4.0, 0): 0.9}
        return of.get((name, p, target), 1.0) + 0.001 * np.arange(40) / 40 - 0.001

    claim = claimed(found=explained(LABELS, vce=vce))["6c"]
    assert claim.verdict == "holds" and claim.ours["mean"] == pytest.approx(0.9, abs=2e-3)
    claim = claimed(found=explained(LABELS, vce=lambda *_: 1 - 0.001 * np.arange(40) / 40))["6c"]
    assert claim.verdict == "fails"


def test_images_that_are_wrongly_classified_are_no_examples_of_flips():
    predicted = LABELS.copy()
    predicted[20:28] = 0
    found = claimed(found=explained(LABELS, predicted=predicted))
    assert (
        "paired over 12 images" in found["6b"].statistic
        and "over 12 images" in found["6c"].statistic
    )


@pytest.mark.parametrize(("sizes", "expected"), [((0.1, 0.2), "holds"), ((0.2, 0.1), "fails")])
def test_the_change_is_compared_between_the_ends_of_the_sweep(sizes, expected):
    claim = claimed(found=explained(LABELS, sizes=sizes))["7a"]
    assert claim.verdict == expected and tuple(claim.ours) == ("ε = 0.2", "ε = 0.1")
    length = sizes[1] * np.sqrt(4 * 4 * 3) * np.mean(1 + 0.01 * np.arange(40))
    assert claim.ours["ε = 0.2"] == pytest.approx(length, rel=1e-5)
    assert "paired over 40 images" in claim.statistic  # not 80, though each has two targets


def test_a_pixel_is_changed_by_more_than_one_grey_level():
    found = claimed(found=explained(LABELS, sizes=(0.9 / 255 / 1.4, 2 / 255)))["7b"]
    assert found.ours == {"ε = 0.2": 1.0, "ε = 0.1": 0.0}


def test_sparser_is_more_energy_in_fewer_pixels():
    found = claimed()
    assert found["7c l1.5 l2"].ours == {"l1.5": pytest.approx(1.0), "l2": pytest.approx(1 / 8)}
    assert found["7c l2 l4"].ours == {"l2": pytest.approx(1 / 8), "l4": pytest.approx(1 / 16)}


@pytest.mark.parametrize(("reached", "expected"), [(0.99, "holds"), (0.9, "fails")])
def test_confidence_of_the_plain_model_is_that_of_the_plain_model(reached, expected):
    def vce(name, p, target):
        return (reached if (name, p) == ("plain", 1.5) else 0.5) + 0.001 * np.arange(40) / 40

    claim = claimed(found=explained(LABELS, vce=vce))["8"]
    assert claim.verdict == expected and "over 40 images" in claim.statistic


def test_certainty_in_every_image_is_no_certainty_about_all():
    claim = claimed(found=explained(LABELS, vce=lambda *_: np.ones(40)))["8"]
    assert claim.interval[0] == claim.interval[2] == 1 and claim.interval[1] == pytest.approx(
        0.912, abs=1e-3
    )
    assert claim.verdict == "undecided"


def test_failures_that_figures_show_are_not_in_the_sample():
    labels = np.append(LABELS, 1)
    sample = explained(
        labels, extra=1, vce=lambda *_: np.append(np.full(40, 0.99) - 1e-4 * np.arange(40), 0.0)
    )
    claim = claimed(found=sample)["8"]
    assert "over 40 images" in claim.statistic and claim.ours["mean"] > 0.98


def test_few_images_decide_nothing():
    labels = np.repeat([0, 1], 4)
    found = claimed(found=explained(labels), maps=localised(TABLE_2, n=9))
    for name in ("4 IG robust", "6a", "6b", "7a", "8", "9 VCE l1.5 IG robust"):
        assert found[name].verdict == "undecided", name
        assert "too few to decide" in found[name].note and np.isnan(found[name].interval[1])
    assert found["1a"].verdict == "holds"


def test_claims_of_the_paper_are_told_from_orderings_and_targets():
    found = claimed(maps=localised(TABLE_2))
    kinds = {name: (each.kind, each.place) for name, each in found.items()}
    assert kinds["1a"] == kinds["2b"] == ("statement", "section 3.1, second paragraph")
    assert kinds["3b"] == kinds["4 GBP robust"] == ("statement", "section 3.1, first paragraph")
    assert kinds["4 VCE l2 ensemble"] == ("statement", "Table 2, caption")
    assert kinds["9 VCE l1.5 GBP ensemble"] == ("statement", "section 2.5, last paragraph")
    assert kinds["5 GBP IG robust"] == ("ordering", "Table 2")
    assert kinds["4 GBP, stem only robust"] == kinds["6c"] == kinds["8"] == ("target", "")


def test_on_images_of_ones_own_there_are_targets_without_the_papers_figures():
    test = image_set(LABELS, class_names=("no_tumor", "tumor"))
    made = judge(data(test, published=False), evaluations(**PAPER))
    assert {(each.kind, each.place) for each in made} == {("target", "")} and not any(
        each.paper for each in made
    )
    assert {each.id for each in made} >= {"1a", "2b", "6b", "7a", "8"}
    assert not any("DR" in each.text or "lesion" in each.text for each in made)
