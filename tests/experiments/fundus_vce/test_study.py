"""The stages of the first experiment on linear classifiers and results made by hand, whose answers
are known exactly.
"""

import warnings
from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fundus_results import (
    SIDE,
    Photographs,
    data,
    evaluations,
    explained,
    image_set,
    localised,
    study,
)
from jax.tree_util import Partial

from cfx_jax.counterfactuals import Counterfactual
from cfx_jax.metrics import paired_difference_interval, wilson_interval
from experiments.fundus_vce import accuracy, figures, localisation, quality_filter, tables
from experiments.fundus_vce import classifiers as training
from experiments.fundus_vce.accuracy import Evaluation, evaluate
from experiments.fundus_vce.classifiers import Classifiers, best_training, warn_at_edge
from experiments.fundus_vce.config import (
    Config,
    ExplanationConfig,
    LocalisationConfig,
    RobustAccuracyConfig,
)
from experiments.fundus_vce.controls import score_controls
from experiments.fundus_vce.counterfactuals import Search, choose_positions, explain
from experiments.fundus_vce.data import Sources, split_data
from experiments.fundus_vce.localisation import (
    choose_quantiles,
    choose_radii,
    localise,
)
from experiments.fundus_vce.quality_filter import filter_gradable, is_useful
from experiments.fundus_vce.setup import Setup
from experiments.fundus_vce.typical_image import choose_typical
from experiments.shared import (
    ImageSet,
    Workspace,
    balanced_difference_interval,
    keep_notices,
    notify,
)
from experiments.shared.controls import BRIGHTEST, CHANGE, CONSTANT, DARKEST, EDGES, TRIVIAL
from experiments.shared.report import provenance

SHAPE = (SIDE, SIDE, 3)
NAMES = ("plain", "robust", "ensemble")
RNG = np.random.default_rng(0)
WEIGHTS = {name: RNG.normal(size=SHAPE).astype(np.float32) for name in NAMES}


def linear(weights, image):
    """Two logits whose difference is linear in the image, 0 for a grey one."""
    return jnp.stack([jnp.zeros(()), jnp.sum(weights * (image - 0.5))])


def classifiers(weights=None):
    made = {name: Partial(linear, jnp.asarray(each)) for name, each in (weights or WEIGHTS).items()}
    return Classifiers(made, made, made, {"plain": 1.0, "robust": 1.0}, {}, {}, "linear")


def images_of(n, seed=1, **fields):
    image = 0.5 + 0.1 * np.random.default_rng(seed).uniform(-1, 1, (n, *SHAPE)).astype(np.float32)
    return image_set(np.arange(n) % 2, image=image, **fields)


def margins(name, images):
    """By how much the true class leads, for each image."""
    signs = 2 * images.labels - 1
    return signs * np.sum(WEIGHTS[name] * (images.arrays["image"] - 0.5), axis=(1, 2, 3))


# ---- Table 1


def test_each_classifier_is_measured_on_each_set_and_attacked_within_the_radius(tmp_path):
    test, external = images_of(24), images_of(24, seed=2)
    settings = RobustAccuracyConfig(radius=0.05, num_steps=10, num_restarts=1)
    config = Config(robust_accuracy=settings, batch_size=8)
    found = evaluate(
        Setup(config, data(test, external=external), Workspace(tmp_path)), classifiers()
    )
    assert set(found) == {(place, name) for place in ("test", "external") for name in NAMES}
    for (place, name), one in found.items():
        images = test if place == "test" else external
        distance = margins(name, images) / np.linalg.norm(WEIGHTS[name])  # to the decision's plane
        np.testing.assert_array_equal(one.correct, distance > 0)
        np.testing.assert_array_equal(one.robust, distance > 0.05)
        lead = np.sum(WEIGHTS[name] * (images.arrays["image"] - 0.5), axis=(1, 2, 3))
        np.testing.assert_allclose(one.probability[:, 1], 1 / (1 + np.exp(-lead)), rtol=1e-4)


def test_a_decision_at_one_half_is_for_the_finding():
    tied = Evaluation(np.array([0, 1]), np.full((2, 2), 0.5), np.ones(2, bool))
    assert tied.correct.tolist() == [False, True]


def test_the_attack_is_all_that_robust_accuracy_is_computed_by():
    names = accuracy.ATTACK
    assert {"cfx_jax.metrics.robustness", "cfx_jax.models.views.ensemble"} <= set(names)
    without = ("cfx_jax.checks", "cfx_jax.errors", "cfx_jax.parallel")  # give no numbers
    used = {
        str(getattr(value, "__module__", "")) for value in vars(import_module(names[0])).values()
    }
    used = {name for name in used if name.startswith("cfx_jax.") and not name.startswith(without)}
    assert len(used) > 3 and all(name.startswith(names) for name in used)


@pytest.mark.parametrize(("asked", "attacked"), [(6, 6), (1000, 20), (0, 20)])
def test_patients_go_from_the_source_to_the_evaluation(tmp_path, monkeypatch, asked, attacked):
    monkeypatch.setattr(
        accuracy, "robustly_correct", lambda *given, **_: np.ones(len(given[2]), bool)
    )
    images = images_of(24)
    source = Photographs(dict(images.arrays), images.class_names, np.arange(24) // 2)
    test = ImageSet.whole(source, "with patients").take(np.arange(4, 24))
    config = Config(robust_accuracy=RobustAccuracyConfig(num_images=asked), batch_size=8)
    found = evaluate(Setup(config, data(test), Workspace(tmp_path)), classifiers())["test", "plain"]
    np.testing.assert_array_equal(found.groups, np.arange(4, 24) // 2)
    np.testing.assert_array_equal(found.attacked.groups, (np.arange(4, 24) // 2)[:attacked])
    assert (
        images.patients is None and test.take(np.arange(0, 20, 2)).patients is None
    )  # one image of each


def test_a_split_by_patient_is_by_patient_after_the_filter_too():
    patients = np.repeat(np.arange(60), 2)
    labels = np.repeat(np.arange(60) % 2, 2)
    main = ImageSet.whole(
        Photographs(
            {"image": np.zeros((120, *SHAPE)), "label": labels}, ("healthy", "DR"), patients
        ),
        0,
    )
    kept = np.flatnonzero(np.arange(120) % 5 != 0)
    config = Config(validation=0.25, temperature=0.15, test=0.25)
    parts = split_data(config, Sources(main), kept)
    held = [set(patients[part.indices]) for part in parts[:4]]
    assert sum(map(len, held)) == len(set.union(*held)) == 60
    assert sorted(np.concatenate([part.indices for part in parts[:4]])) == sorted(kept)
    assert parts.test.patients is not None


@pytest.mark.parametrize("patients", [None, np.arange(80)])
def test_answers_that_are_all_alike_have_an_interval_of_their_balanced_difference(patients):
    label, right = np.repeat([0, 1], 40), np.tile(np.arange(40) < 30, 2)
    half = paired_difference_interval(right[:40], right[:40]).high  # Newcombe's, of one class
    found = balanced_difference_interval(right, right, label, patients)
    assert found == pytest.approx(
        (0, -half / np.sqrt(2), half / np.sqrt(2))
    )  # the mean of two alike
    other = np.where(label == 1, right, np.roll(right, 20))
    shifted = balanced_difference_interval(right, other & (np.arange(80) != 60), label, patients)
    assert shifted.estimate == pytest.approx((0 + 1 / 40 * right[60]) / 2)


# ---- The quality filter


def test_a_filter_that_is_no_better_than_chance_is_not_useful():
    label = np.repeat([0, 1], [20, 80])
    assert not is_useful(
        label == 1, label, None
    )  # everything gradable: right for 80 %, balanced one half
    assert is_useful(np.ones(100, bool), label, None)
    assert is_useful(np.arange(100) % 5 != 0, label, None)  # 80 % of each


@pytest.mark.parametrize("sign", [1, -1])
def test_the_filter_keeps_what_it_calls_gradable_where_it_is_useful(
    tmp_path, monkeypatch, sign, capsys
):
    labelled, main = images_of(80), images_of(30, seed=3)
    labels = (
        np.sum(WEIGHTS["plain"] * (labelled.arrays["image"] - 0.5), axis=(1, 2, 3)) > 0
    ).astype(int)
    labelled = image_set(
        labels, image=labelled.arrays["image"], class_names=("ungradable", "gradable")
    )
    member = Partial(linear, jnp.asarray(sign * WEIGHTS["plain"]))
    monkeypatch.setattr(quality_filter, "_train", lambda *_: ([member, member], "linear"))
    found = filter_gradable(Config(), Sources(main, quality=labelled), Workspace(tmp_path))
    gradable = np.flatnonzero(
        np.sum(WEIGHTS["plain"] * (main.arrays["image"] - 0.5), axis=(1, 2, 3)) > 0
    )
    assert found.useful == (sign > 0)
    np.testing.assert_array_equal(found.kept, gradable if sign > 0 else np.arange(30))
    np.testing.assert_array_equal(found.correct, np.full(16, sign > 0))
    assert ("was not applied" in capsys.readouterr().out) == (sign < 0)


# ---- The choice of the plain network, temperatures, warnings


@pytest.mark.parametrize(
    ("scores", "taken"),
    [((0.92, 0.91), "first"), ((0.91, 0.92), "fine-tuned"), ((0.9, 0.9), "first")],
)
def test_the_plain_network_is_that_of_best_balanced_validation_accuracy(monkeypatch, scores, taken):
    given = dict(zip(("plain", "fine-tuned"), scores, strict=True))
    asked = []

    class Training:
        def __init__(self, **settings):
            self.setup = Setup(Config(**settings), data(image_set([0, 1])), None)

        def run(self, name, trainer, chosen, *, start=None):
            asked.append((name, chosen.select, start))
            return name

    monkeypatch.setattr(training, "_balanced_accuracy", lambda model, images: given[model])
    model, found = training._train_plain(Training())
    assert {"plain": "first", "fine-tuned": "fine-tuned"}[model] == best_training(found) == taken
    assert found == {"first": scores[0], "fine-tuned": scores[1]}
    assert asked == [
        ("plain", "balanced_accuracy", None),
        ("fine-tuned", "balanced_accuracy", "plain"),
    ]
    asked.clear()
    assert training._train_plain(Training(plain_weights="last")) == ("fine-tuned", {})
    assert asked[1] == ("fine-tuned", "none", "plain")
    assert training._train_plain(Training(fine_tune=False)) == ("plain", {})


@pytest.mark.parametrize(
    ("temperature", "warned"), [(np.exp(-3), True), (np.exp(3), True), (1.0, False), (0.06, False)]
)
def test_a_temperature_at_the_edge_of_its_grid_is_warned_of(temperature, warned):
    with keep_notices() as texts:
        warn_at_edge("plain", float(temperature), 61, method="ece")
    assert [("plain network" in each, "61 calibration images" in each) for each in texts] == [
        (True, True)
    ] * warned


def test_warnings_of_a_run_are_kept_once_and_still_shown(capsys):
    with keep_notices() as texts, pytest.warns(UserWarning, match="three files"):
        notify("warning: flat logits")
        notify("warning: flat logits")
        with keep_notices() as inner:
            warnings.warn("three files could not be read", UserWarning, stacklevel=1)
            warnings.warn("old name", DeprecationWarning, stacklevel=1)
    notify("later")
    assert texts == ["flat logits", "three files could not be read"] and inner == texts[1:]
    assert capsys.readouterr().out == "warning: flat logits\nwarning: flat logits\nlater\n"


def test_a_report_says_what_made_it():
    text = provenance()
    assert f"JAX {jax.__version__}" in text and "UTC" in text and "python -m" in text


# ---- Searches


@pytest.mark.parametrize("p", [1.5, 2.0, 4.0])
def test_a_search_changes_its_own_image_towards_its_own_target_within_its_own_radius(tmp_path, p):
    images = images_of(6, eye_mask=np.ones((6, SIDE, SIDE), bool))
    images.arrays["eye_mask"][3, 0] = False
    config = Config(explanations=ExplanationConfig(num_steps=40), batch_size=4)
    search = Search(Setup(config, data(images), Workspace(tmp_path)), classifiers())
    positions, targets, radii = (
        np.array([0, 3, 3]),
        np.array([1, 1, 0]),
        np.array([0.1, 0.05, 0.08]),
    )
    found = search.find("test", images, positions, targets, classifier="robust", p=p, radii=radii)
    for row, (position, target, radius) in enumerate(zip(positions, targets, radii, strict=True)):
        inside = images.arrays["eye_mask"][position][..., None]
        ascent = (2 * target - 1) * WEIGHTS["robust"] * inside
        best = np.sign(ascent) * np.abs(ascent) ** (
            1 / (p - 1)
        )  # maximises <ascent, change> in the ball
        best *= radius / np.sum(np.abs(best) ** p) ** (1 / p)
        change = found.image[row] - images.arrays["image"][position]
        assert np.sum(np.abs(change) ** p) ** (1 / p) <= radius * (1 + 1e-4)
        assert np.sum(ascent * change) > 0.98 * np.sum(ascent * best)
        assert not np.asarray(change)[~np.broadcast_to(inside, SHAPE)].any()


def test_the_released_order_of_mask_and_oracle_spends_the_radius_on_the_whole_image(tmp_path):
    mask = np.zeros((3, SIDE, SIDE), bool)
    mask[:, :2] = True
    images = images_of(3, eye_mask=mask)
    used = {}
    for after in (False, True):
        settings = ExplanationConfig(num_steps=40, mask_after_oracle=after)
        config = Config(explanations=settings, batch_size=4)
        search = Search(Setup(config, data(images), Workspace(tmp_path)), classifiers())
        for p in (2.0, 4.0):  # of the same shapes as above, which are compiled already
            found = search.find(
                "test",
                images,
                np.arange(3),
                np.ones(3, int),
                classifier="plain",
                p=p,
                radii=np.full(3, 0.1),
            )
            change = np.asarray(found.image) - images.arrays["image"]
            used[after, p] = np.sum(np.abs(change) ** p, axis=(1, 2, 3)) ** (1 / p)
            assert not change[:, 2:].any()
    np.testing.assert_allclose(used[False, 4.0], 0.1, rtol=1e-3)
    np.testing.assert_allclose(used[True, 2.0], used[False, 2.0])  # APGD has no oracle
    inside, everywhere = (np.sum(np.abs(WEIGHTS["plain"][:rows]) ** (4 / 3)) for rows in (2, SIDE))
    np.testing.assert_allclose(used[True, 4.0], 0.1 * (inside / everywhere) ** (1 / 4), rtol=0.02)


class Recorder:
    """A search whose counterfactuals' probabilities tell what was asked: 1000 i + 100 c + 10 p +
    radius + target / 100.
    """

    def __init__(self, setup, change=None):
        self.calls, self._change = [], change
        self.setup, self.classifiers = setup, classifiers()

    def find(self, stage, images, positions, targets, *, classifier, p, radii):
        self.calls.append(
            (stage, classifier, p, np.asarray(positions), np.asarray(targets), np.asarray(radii))
        )
        image = images.arrays["image"][positions]
        if self._change is not None:
            image = image + self._change(classifier, p, radii, positions)
        said = (
            100 * NAMES.index(classifier) + 10 * p + np.asarray(radii) + np.asarray(targets) / 100
        )
        return Counterfactual(
            image, said + 1000 * np.asarray(positions), np.full(len(positions), 0.5), said[:, None]
        )


def test_every_counterfactual_studied_is_filed_under_what_it_is():
    test = images_of(8)
    config = Config(
        explanations=ExplanationConfig(
            norms=(1.5, 4.0), radii=(7.0, 8.0), sweep=(0.1, 0.2), num_studied=2
        )
    )
    measured = evaluations(n=8, **dict.fromkeys(NAMES, (100, 0)))
    found = explain(Recorder(Setup(config, data(test), None)), measured)
    assert found.radii == {1.5: 7.0, 4.0: 8.0} and found.sample == 4
    np.testing.assert_array_equal(found.images.indices, [0, 2, 1, 3])
    for (name, p, target), one in found.vce.items():
        said = 100 * NAMES.index(name) + 10 * p + found.radii[p] + target / 100
        np.testing.assert_allclose(one.probability, said + 1000 * np.arange(4))
    for (radius, target), one in found.sweep.items():
        np.testing.assert_allclose(
            one.probability, 200 + 40 + radius + target / 100 + 1000 * np.arange(4)
        )
    assert set(found.vce) == {
        (name, p, target) for name in NAMES for p in (1.5, 4.0) for target in (0, 1)
    }


def test_counterfactuals_that_are_swept_are_not_searched_for_twice():
    config = Config(
        explanations=ExplanationConfig(
            norms=(1.5, 4.0), radii=(0.1, 0.2), sweep=(0.1, 0.2), num_studied=2
        )
    )
    recorder = Recorder(Setup(config, data(images_of(8)), None))
    found = explain(recorder, evaluations(n=8, **dict.fromkeys(NAMES, (100, 0))))
    # The radius of l1.5 is one of the sweep's too, but the sweep is of l4.
    assert sorted(call[1:3] for call in recorder.calls) == sorted(
        [(name, 1.5) for name in NAMES] + [(name, 4.0) for name in NAMES]
    )
    for target in (0, 1):
        np.testing.assert_array_equal(
            found.vce["ensemble", 4.0, target].probability, found.sweep[0.2, target].probability
        )
        np.testing.assert_allclose(
            found.vce["ensemble", 4.0, target].probability,
            200 + 40 + 0.2 + target / 100 + 1000 * np.arange(4),
        )


def test_images_are_studied_by_their_order_and_failures_come_after_them():
    label = np.array([1, 0, 1, 0, 1, 0, 1, 0])
    right = np.array([True, True, False, True, False, False, True, False])
    decided = np.where(right, label, 1 - label)
    one = Evaluation(label, np.stack([1 - decided, decided], axis=1), right)
    positions, sample = choose_positions(one, 2)
    assert (
        positions.tolist() == [1, 3, 0, 2, 5] and sample == 4
    )  # 2 is missed and studied already, 5 is a false alarm


# ---- Maps


def test_radii_are_chosen_for_each_norm_and_the_norm_by_its_best_radius():
    overlaps = {
        (1.5, 1.0): 0.1,
        (1.5, 2.0): 0.3,
        (1.5, 4.0): 0.2,
        (2.0, 1.0): 0.35,
        (2.0, 2.0): 0.1,
        (4.0, 1.0): 0.2,
    }
    assert choose_radii(overlaps) == ({1.5: 2.0, 2.0: 1.0, 4.0: 1.0}, 2.0)
    assert choose_radii({(1.5, 1.0): 0.2, (1.5, 2.0): 0.2}) == ({1.5: 1.0}, 1.5)


def test_thresholds_are_chosen_for_each_gradient_method_and_for_all_counterfactuals_together():
    settings = LocalisationConfig(quantiles=(0.8, 0.9, 0.95))
    curves = {
        "GBP": np.array([1, 2, 3]),
        "IG": np.array([3, 2, 1]),
        "VCE l1.5": np.array([3, 2, 0]),
        "VCE l2": np.array([0, 2, 2]),
    }
    found = choose_quantiles(settings, tuple(curves), curves)
    assert found == {
        "GBP": 0.95,
        "IG": 0.8,
        "VCE l1.5": 0.9,
        "VCE l2": 0.9,
        "GBP, stem only": 0.95,
        "IG, mean gradient": 0.8,
    }
    given = choose_quantiles(settings, ("GBP", "IG", "VCE l2"), {})
    assert (given["GBP"], given["IG"], given["VCE l2"]) == (0.98, 0.96, 0.96)


def test_a_choice_at_the_edge_of_what_was_offered_is_said():
    tuned = {
        (1.5, 15.0): 0.1,
        (1.5, 30.0): 0.2,
        (1.5, 60.0): 0.1,
        (2.0, 6.0): 0.3,
        (2.0, 12.0): 0.1,
        (4.0, 0.2): 0.1,
    }
    found = localised(
        {"ensemble": (0.1,) * 5},
        tuned=tuned,
        norm=2.0,
        tuned_quantiles={"GBP": np.zeros(3), "IG": np.zeros(3)},
    )
    found = found._replace(quantiles=dict(found.quantiles) | {"IG": 0.98, "VCE l2": 0.98})
    assert found.edges == [
        "VCE l2, ε = 6",
        "threshold 0.98 of IG",
    ]  # one offer alone is no choice; VCE l2 was not measured
    rows = {row[0]: row[2] for row in tables.tuning_table(found)[1]}
    assert rows["l1.5, ε = 30"] == "chosen" and rows["l1.5, ε = 15"] == ""
    assert rows["l2, ε = 6"] == "chosen, and the best norm; at the edge of what was offered"


def test_chance_is_the_expected_intersection_over_the_expected_union():
    kept, masks, lesions = (np.zeros((1, 4, 4), bool) for _ in range(3))
    masks[0, :2] = True  # 8 pixels
    kept[0, 0] = True  # 4 of them
    lesions[0, :, 0] = True  # 4 pixels, 2 within the mask
    assert localisation.chance(kept, masks, lesions) == pytest.approx([1 / (4 + 4 - 1)])


def test_maps_are_thresholded_and_scored_on_images_that_nothing_was_chosen_on(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(localisation, "_NODES_AT_ONCE", 4)
    n, tuning = 6, 2
    eye = np.ones((n, SIDE, SIDE), bool)
    eye[:, -1] = False
    lesions = np.zeros((n, SIDE, SIDE), bool)
    lesions[:, 0, :2] = True
    images = image_set(
        np.ones(n, int), image=images_of(n).arrays["image"], eye_mask=eye, lesion_mask=lesions
    )
    places = {
        "plain": (3, 3),
        "robust": (2, 2),
        "ensemble": (0, 0),
    }  # where each model's counterfactuals change

    def change(name, p, radii, positions):
        best = (name, p) == ("ensemble", 2.0) and np.allclose(radii, 2.0)
        mark = np.zeros((len(positions), *SHAPE), np.float32)
        mark[(slice(None), *places[name])] = 0.1 + 0.01 * p
        mark[:, 0, 1] += 0.05 * best
        mark[:, 1, 1] += 0.02 * (not best)
        return mark

    config = Config(
        explanations=ExplanationConfig(norms=(1.5, 2.0), radii=(1.0, 1.0), integration_steps=4),
        localisation=LocalisationConfig(
            num_tuning=tuning, num_scored=4, radius_factors=(1.0, 2.0), quantiles=(0.9, 0.5)
        ),
    )
    images_with_lesions = data(images_of(4), lesions=images)
    search = Recorder(Setup(config, images_with_lesions, Workspace(tmp_path)), change)
    found = localise(search)
    assert found.norm == 2.0 and found.radii[2.0] == 2.0
    # Figure 1 shows the counterfactuals of the radius that is configured, not of the map's.
    shown = search.calls[-len(NAMES) :]
    assert [(call[1], call[2], call[5][0]) for call in shown] == [(n, 2.0, 1.0) for n in NAMES]
    assert all(set(call[3].tolist()) == {tuning + found.typical.row} for call in shown)
    assert all(len(reached.image) == 1 for reached in found.typical.vce.values())
    np.testing.assert_array_equal(found.images.indices, [2, 3, 4, 5])
    tuned = search.calls[:4]
    assert all(call[1] == "ensemble" and call[3].tolist() == [0, 1] for call in tuned)
    assert [(call[2], call[5][0]) for call in tuned] == [
        (1.5, 1.0),
        (1.5, 2.0),
        (2.0, 1.0),
        (2.0, 2.0),
    ]
    assert all((call[4] == 1).all() for call in search.calls)  # towards the finding
    assert found.iou["ensemble", "VCE l2"] == pytest.approx(1.0) and found.iou[
        "plain", "VCE l2"
    ] == pytest.approx(0.0)
    assert not found.kept["plain", "VCE l2"][:, -1].any()  # outside the eye
    image = images.arrays["image"][tuning:]
    for name in NAMES:
        for method, saliency in (
            ("GBP", np.ones_like(image)),
            ("IG", image),
            ("IG, mean gradient", np.ones_like(image)),
        ):
            values = np.abs(saliency * WEIGHTS[name]).sum(axis=-1)
            edge = np.quantile(values, found.quantiles[method], axis=(1, 2), keepdims=True)
            kept = (values >= edge * (1 - 1e-6)) & eye[tuning:]
            np.testing.assert_array_equal(found.kept[name, method], kept)
            both, either = (
                (kept & lesions[tuning:]).sum((1, 2)),
                (kept | lesions[tuning:]).sum((1, 2)),
            )
            np.testing.assert_allclose(found.iou[name, method], both / either)


# ---- Tables and figures


def test_the_table_of_accuracies_has_every_classifiers_own_numbers():
    found = evaluations(n=200, plain=(90, 20), robust=(70, 60), ensemble=(80, 30))
    measured = study(Config(), data(image_set([0, 1])), found)
    columns, rows = tables.accuracy_table(measured, "test")
    ours = {row[0]: row[1:] for row in rows}
    assert columns == [
        "classifier",
        "accuracy",
        "balanced accuracy",
        "robust accuracy",
        "balanced robust accuracy",
    ]
    assert ours["robust"][0] == tuple(wilson_interval(140, 200)) and ours["robust"][2] == tuple(
        wilson_interval(120, 200)
    )
    assert [ours["plain"][column][0] for column in range(4)] == pytest.approx([0.9, 0.9, 0.2, 0.2])
    assert ours["always the commoner class"] == [0.5, 0.5, 0.5, 0.5]
    assert ours["paper: ensemble"] == pytest.approx([0.897, 0.852, 0.194, None], abs=1e-9)
    users = study(Config(), data(image_set([0, 1]), published=False), found)
    assert len(tables.accuracy_table(users, "test")[1]) == 4


def test_the_console_shows_the_tables_of_what_was_measured():
    found = evaluations(**dict.fromkeys(NAMES, (80, 30)))
    alone = study(Config(), data(image_set([0, 1])), found)
    maps = localised({"plain": (0.1,) * 5, "robust": (0.2,) * 5, "ensemble": (0.3,) * 5})
    assert tables.summary_tables(alone) == [tables.accuracy_table(alone, "test")]
    both = tables.summary_tables(alone._replace(localised=maps))
    assert [columns[0] for columns, _ in both] == ["classifier", "IoU"]


def test_the_table_of_images_counts_classes_and_patients():
    test = image_set([0, 1, 1, 1], patients=["a", "a", "b", "c"])
    columns, rows = tables.images_table(study(Config(), data(test), {}))
    assert columns == ["images", "healthy", "DR", "patients"] and rows[-1] == ["test", 1, 3, 3]
    columns, rows = tables.images_table(study(Config(), data(image_set([0, 1])), {}))
    assert columns == ["images", "healthy", "DR"] and rows[0] == ["training", 1, 1]
    test.source.copies, test.source.patients = np.array([0, 0, 2, 3]), None
    assert tables.images_table(study(Config(), data(test), {}))[0][-1] == "different images"


def test_the_table_of_overlaps_has_mean_and_deviation_of_every_map():
    means = {"plain": (0.1, 0.2, 0.3, 0.4, 0.5), "robust": (0.2,) * 5, "ensemble": (0.3,) * 5}
    found = localised(means)
    columns, rows = tables.overlap_table(found)
    assert columns[1:] == list(found.methods)
    assert [cell[0] for cell in rows[0][1:]] == pytest.approx(means["plain"], abs=1e-3)
    assert rows[1][1][1] == pytest.approx(np.std(found.iou["robust", "GBP"]))
    assert rows[3][0] == "pixels at random" and rows[3][1] == pytest.approx(0.01)
    assert rows[-1] == [
        "paper: ensemble",
        (0.15, 0.06),
        (0.14, 0.06),
        (0.13, 0.06),
        (0.12, 0.06),
        (0.12, 0.05),
    ]
    variants = tables.ablation_table(found)
    assert variants[0] == ["IoU", "GBP", "GBP, stem only", "IG", "IG, mean gradient"]


def test_maps_at_the_level_of_a_control_are_said_to_be_there():
    found = localised({"plain": (0.1,) * 5, "robust": (0.2,) * 5, "ensemble": (0.3,) * 5})
    noise = found.iou["plain", "GBP"] - 0.1
    controls = {EDGES: 0.2 + np.roll(noise, 5), DARKEST: 0.05 + noise, CHANGE: np.ones(41)}
    found = found._replace(controls=controls)
    for table in (tables.overlap_table(found), tables.ablation_table(found)):
        rows = {row[0]: row[1:] for row in table[1]}
        assert set(controls) <= set(rows) and rows[CHANGE][0] == (1.0, 0.0)
        # One threshold for all columns.
        assert len(set(rows[EDGES])) == 1 and rows[EDGES][0][0] == pytest.approx(0.2)
        assert {*rows["plain: level"]} == {"below edges"}
        assert {*rows["robust: level"]} == {"at the level of edges"}
        assert {*rows["ensemble: level"]} == {"above the controls"}
        lead = rows["ensemble: lead on the controls"][0]
        assert lead[0] == pytest.approx(0.1, abs=0.001) and lead[1] < 0.1 < lead[2]


def test_controls_have_thresholds_of_their_own_from_the_tuning_images():
    n, tuning, scored = 6, np.arange(2), np.arange(2, 6)
    lesions = np.zeros((n, SIDE, SIDE), bool)
    lesions[:, 0, :2] = True
    pixels = np.full((n, *SHAPE), 0.5, np.float32)
    pixels[:, 0, :2] = 0.1  # lesions are the darkest pixels
    images = image_set(
        np.ones(n, int), image=pixels, eye_mask=np.ones_like(lesions), lesion_mask=lesions
    )
    config = Config(localisation=LocalisationConfig(num_tuning=2, quantiles=(0.5, 0.95)))
    asked = []

    def overlap(maps, positions, quantile):
        asked.append((positions.tolist(), quantile))
        kept = maps >= np.quantile(maps, quantile, axis=(1, 2), keepdims=True)
        both = (kept & lesions[positions]).sum((1, 2))
        return both / (kept | lesions[positions]).sum((1, 2))

    found = score_controls(config, images, tuning, scored, overlap)
    assert set(found) == set(TRIVIAL)
    assert found[DARKEST] == pytest.approx(np.ones(4)) and found[BRIGHTEST].max() < 0.1
    assert found[CONSTANT] == pytest.approx(np.ones(4))  # the lesions of the other images
    assert all(positions in ([0, 1], [2, 3, 4, 5]) for positions, _ in asked)
    given = score_controls(config, images, np.arange(0), scored, overlap)
    assert asked[-1][1] == config.localisation.quantile_vce and set(given) == set(TRIVIAL)
    truth = image_set(
        np.ones(n, int),
        image=pixels,
        eye_mask=np.ones_like(lesions),
        lesion_mask=lesions,
        counterfactual=np.full_like(pixels, 0.5),
    )
    assert score_controls(config, truth, tuning, scored, overlap)[CHANGE] == pytest.approx(1)


def test_figures_of_failures_show_failures_and_the_others_do_not(monkeypatch):
    labels, predicted = np.array([0, 0, 1, 1, 1, 0]), np.array([0, 0, 0, 1, 1, 1])
    found = explained(labels, predicted=predicted, extra=1)
    images = data(image_set([0, 1]))

    def gallery(shown, images=images):
        return figures.Gallery(None, study(Config(), images, {}, shown), 0.9)

    subjects = {
        number: (row, words) for number, (_, row, words) in gallery(found)._subjects().items()
    }
    assert {number: row for number, (row, _) in subjects.items()} == {
        2: 3,
        3: 3,
        4: 2,
        5: 5,
        6: 0,
        7: 2,
    }
    assert subjects[4][1] == "an image of DR that the ensemble takes for healthy"
    assert subjects[5][1] == "an image of healthy that the ensemble takes for DR"
    alone = gallery(explained(labels))
    assert [number for number, (_, row, _) in alone._subjects().items() if row is None] == [4, 5, 7]
    drawn = []
    for kind in ("norms", "sweep"):
        monkeypatch.setattr(
            figures.Gallery,
            f"_draw_{kind}",
            lambda *given, kind=kind: drawn.append((kind, *given[1:2])),
        )
    missing = alone.draw_numbered()
    assert drawn == [("norms", 2), ("sweep", 3), ("sweep", 6)]
    assert missing[0].startswith("There is no Figure 4: no test image is an image of DR")
    of_a_user = gallery(explained(labels), images._replace(published=False)).draw_numbered()
    assert len(of_a_user) == 2
    assert of_a_user[0].startswith("No test image is an image of DR that")


def test_figure_1_shows_an_image_that_all_classifiers_get_right():
    def shown(**before):
        return choose_typical({name: np.asarray(values) for name, values in before.items()})

    assert shown(plain=[0.9, 0.4, 0.9], robust=[0.2, 0.9, 0.9], ensemble=[0.9] * 3) == (
        2,
        "rightly classified by all classifiers",
    )
    assert shown(plain=[0.1] * 3, robust=[0.2] * 3, ensemble=[0.4, 0.6, 0.6])[0] == 1
    row, words = shown(plain=[0.1] * 3, robust=[0.2] * 3, ensemble=[0.4] * 3)
    assert row == 0 and "wrong" in words


def test_captions_say_where_a_figure_is_another_kind_of_failure_than_the_papers():
    of = study(Config(), data(image_set([0, 1])), {})
    users = of._replace(data=of.data._replace(published=False))
    assert figures._captioned(3, of, "an image.") == "As the paper's Figure 3: an image."
    assert figures._captioned(4, of, "an image.").startswith(
        "In place of the paper's Figure 4 (counterfactuals with visible"
    )
    assert figures._captioned(4, users, "an image.") == "An image."
