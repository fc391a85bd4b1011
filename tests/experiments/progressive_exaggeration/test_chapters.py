"""Chapters of progressive exaggeration on made-up numbers: confounded classifiers, maps, weights,
people's answers.
"""

import dataclasses
import json
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.tree_util import Partial

from cfx_jax.counterfactuals import Exaggeration
from cfx_jax.errors import InputError
from cfx_jax.losses import ProgressiveWeights
from cfx_jax.metrics import paired_difference_interval
from cfx_jax.report import read_key
from experiments import score_votes
from experiments.progressive_exaggeration import human_study
from experiments.progressive_exaggeration.chapters.ablation import (
    BASE,
    NO_RECONSTRUCTION,
    SETTINGS,
    scaled,
)
from experiments.progressive_exaggeration.chapters.attributes import Attributes, Explained
from experiments.progressive_exaggeration.chapters.confounder.oracle import balanced, with_drawings
from experiments.progressive_exaggeration.chapters.confounder.report import (
    BIASED,
    UNBIASED,
    Bias,
    Shown,
)
from experiments.progressive_exaggeration.chapters.confounder.study import confounded_and_not
from experiments.progressive_exaggeration.chapters.discrimination import Discrimination, Turned
from experiments.progressive_exaggeration.chapters.saliency import (
    GRAD_CAM,
    GRADIENT,
    INTEGRATED,
    RANDOM,
    Saliency,
    map_saliency,
    other_maps,
)
from experiments.progressive_exaggeration.data import Data, Part, load_images
from experiments.progressive_exaggeration.human_study import write_human_study
from experiments.progressive_exaggeration.label_study import (
    OURS,
    OVER_TRAININGS,
    Explainer,
    LabelStudy,
    Network,
    Subject,
    Sweeps,
)
from experiments.progressive_exaggeration.presets import SMOKE
from experiments.progressive_exaggeration.setup import Setup
from experiments.shared import ImageSet, StoredImages, Workspace
from experiments.shared.controls import BRIGHTEST, CHANGE, CONSTANT, DARKEST, EDGES

RNG = np.random.default_rng(0)
NUMBER, BINS = 40, 10


def made_up_sweeps():
    """Series that brighten from bin to bin; half of the queries are decided to have the label."""
    own = np.repeat([0.2, 0.8], NUMBER // 2)
    images = np.broadcast_to(np.linspace(0, 1, BINS)[:, None, None, None], (NUMBER, BINS, 4, 4, 1))
    desired = np.broadcast_to((np.arange(BINS) + 0.5) / BINS, (NUMBER, BINS))
    return Sweeps(
        OURS, Exaggeration(images, desired, desired, (own * BINS).astype(int), own), None, None
    )


def made_up_study(tmp_path, **options):
    labels = RNG.integers(2, size=(NUMBER, 2))
    pixels = np.zeros((NUMBER, 4, 4, 1), np.float32)
    images = ImageSet.whole(
        StoredImages({"image": pixels, "label": labels[:, 0]}, ("no", "yes")), "made up"
    )
    part = Part(images, labels)
    data = Data(part, part, part, ("glad", "male"), ("not glad", "glad"), 0, "made up")
    network = Network(None, np.zeros((NUMBER, 2)), np.ones(2), None)
    config = dataclasses.replace(SMOKE, **options)
    sweeps = made_up_sweeps()
    setup = Setup(config, data, Workspace(tmp_path))
    subject = Subject(setup, network, 0, images)
    seen = np.zeros((NUMBER, BINS))
    return LabelStudy(
        setup,
        subject,
        network,
        None,
        None,
        None,
        (sweeps, sweeps),
        seen,
        None,
    )


def made_up_bias(study, *, flips, flipping=BIASED):
    """One classifier's explanations change the confounder in the share ``flips``, the other's
    never.
    """
    truth = np.arange(NUMBER) % 2 == 0
    changed = truth ^ (np.arange(NUMBER) < flips * NUMBER)
    found = {
        flipping: shown_of(study, truth, np.stack([changed, changed], axis=1)),
        ({BIASED, UNBIASED} - {flipping}).pop(): shown_of(
            study, truth, np.stack([truth, truth], axis=1)
        ),
    }
    queries = study.subject.queries
    return Bias(study, "male", truth, truth, np.arange(50) < 45, queries, found)


def shown_of(study, truth, extremes, *, rise=0.0):
    """Explanations whose log-odds rise by ``rise``, on the whole, from the lowest bin to the
    highest.
    """
    odds = RNG.normal(size=(NUMBER, 2)) + np.array([0, rise])
    return Shown(study.sweeps[0], 0.9, extremes, truth, odds)


def test_in_the_biased_set_all_with_the_label_have_the_confounder_and_in_the_other_half():
    has_label, has_it = RNG.integers(2, size=(2, 400)).astype(bool)
    sets = confounded_and_not(has_label, has_it, seed=0)
    counts = {
        name: [int((has_label[own] == a).sum()) for a in (False, True)]
        + [int(has_it[own][has_label[own] == a].sum()) for a in (False, True)]
        for name, own in sets.items()
    }
    without, having, men_without, men_having = counts[BIASED]
    assert without == having == men_having == 2 * men_without
    assert counts[UNBIASED] == [without, having, men_without, men_without]
    assert all(len(np.unique(own)) == len(own) for own in sets.values())
    # The images without the label are the same, so only those with it tell the classifiers apart.
    np.testing.assert_array_equal(*(own[~has_label[own]] for own in sets.values()))


def test_a_label_that_is_bound_to_the_confounder_already_is_refused():
    has_label = np.arange(40) < 20
    with pytest.raises(
        InputError, match="--confounder: expected at least two training images with and without it"
    ):
        confounded_and_not(has_label, has_label, seed=0)


def test_the_confounding_metric_is_the_share_of_changed_queries(tmp_path):
    study = made_up_study(tmp_path)
    found = made_up_bias(study, flips=0.75)
    assert np.mean(found.changed(BIASED, 0)) == 0.75 and np.mean(found.changed(UNBIASED, 1)) == 0
    # Both extremes show the same, so nothing is gained between them.
    np.testing.assert_array_equal(found.gained(BIASED)[0], 0)
    verdicts = {each.id: each.verdict for each in found.claims()}
    assert verdicts["bias, from end to end"] == "undecided"
    assert verdicts["C7 to glad"] == verdicts["C7 to not glad"] == "holds"
    reverse = made_up_bias(study, flips=0.75, flipping=UNBIASED)
    assert {each.id: each.verdict for each in reverse.claims()}["C7 to glad"] == "fails"
    # No change in either says little: 40 queries leave room for a tenth.
    assert {each.id: each.verdict for each in made_up_bias(study, flips=0).claims()}[
        "C7 to glad"
    ] == "undecided"


def test_log_odds_tell_of_what_turns_no_decision_over_all_trainings(tmp_path):
    """Neither classifier's explanations change the oracle's decision; the biased one's move it."""
    study = made_up_study(tmp_path)
    still = made_up_bias(study, flips=0)
    truth = still.truth
    same = np.stack([truth, truth], axis=1)

    def training(rise):
        return {
            BIASED: shown_of(study, truth, same, rise=rise),
            UNBIASED: shown_of(study, truth, same),
        }

    def claim_of(*rises):
        first, *further = map(training, rises)
        bias = still._replace(explanations=first, further=tuple(further))
        np.testing.assert_allclose(
            [values.mean() for values in bias.risen(BIASED)],
            [np.diff(shown[BIASED].odds, axis=1).mean() for shown in bias.trainings],
        )
        return {claim.id: claim for claim in bias.claims()}["C7 log-odds"]

    assert claim_of(2.0).verdict == "holds" and claim_of(-2.0).verdict == "fails"
    over_three = claim_of(2.0, 2.1, 1.9)
    assert over_three.verdict == "holds" and "3 runs" in over_three.statistic
    assert over_three.note == OVER_TRAININGS
    # Trainings that disagree decide nothing, however many queries there are.
    assert claim_of(4.0, -3.0, 2.0).verdict == "undecided"


def test_the_table_says_how_often_the_oracle_is_right(tmp_path):
    found = made_up_bias(made_up_study(tmp_path), flips=0.75)
    astray = found.explanations[UNBIASED]._replace(
        reconstructions=found.truth ^ (np.arange(NUMBER) < NUMBER / 4)
    )
    columns, rows = found._replace(explanations={**found.explanations, UNBIASED: astray}).table()
    right = {(row[0], row[2]): row[columns.index("oracle right")] for row in rows}
    assert {each: value.estimate for each, value in right.items() if value is not None} == {
        (BIASED, "of the own bin"): 1,
        (UNBIASED, "of the own bin"): 0.75,
        ("none", "queries"): 1,
        ("none", "all test images"): 0.9,
    }


def test_drawings_tell_nothing_of_the_confounder_by_their_bin():
    bins, has = RNG.integers(4, size=200), RNG.random(200) < 0.3
    has |= bins == 3  # here are none without
    chosen = balanced(bins, has)
    assert (np.diff(chosen) > 0).all()
    for each in range(3):
        counts = [int((has[chosen][bins[chosen] == each] == kind).sum()) for kind in (False, True)]
        assert (
            counts[0]
            == counts[1]
            == min(int((has[bins == each] == kind).sum()) for kind in (False, True))
            > 0
        )
    assert 3 not in bins[chosen] and len(balanced(np.zeros(5, int), np.ones(5, bool))) == 0


def brightness(image):
    """Two logits whose probability of class 1 is the image's mean."""
    mean = jnp.clip(image.mean(), 1e-3, 1 - 1e-3)
    return jnp.log(jnp.stack([1 - mean, mean]))


class Painter(nnx.Module):
    """Draws images of two bins: paints its shade onto the last pixel and leaves everything else as
    it is.
    """

    num_bins = 2

    def __init__(self, shade):
        self.shade = shade

    def encode(self, images, bins):
        return images

    def decode(self, latent, bins):
        return latent.at[:, -1, -1].set(self.shade)


def drawing_of(shade):
    return SimpleNamespace(classifier=Partial(brightness)), Explainer(Painter(shade), shade)


def test_the_oracle_learns_from_images_and_as_many_drawings_with_the_labels_of_their_images(
    tmp_path,
):
    shades = (RNG.permutation(30) / 30).astype(np.float32)
    pixels = np.broadcast_to(shades[:, None, None, None], (30, 4, 4, 1))
    labels = RNG.integers(2, size=(30, 2))
    images = ImageSet.whole(
        StoredImages({"image": pixels, "label": labels[:, 0]}, ("no", "yes")), "made up"
    )
    part = Part(images.take(np.arange(24)), labels[:24])  # the others are the test images
    study = SimpleNamespace(setup=Setup(SMOKE, None, Workspace(tmp_path)))
    both = with_drawings(part, 1, [drawing_of(0.0), drawing_of(1.0)], study)
    assert isinstance(both.images.source[0]["image"].base, np.memmap)  # on disk
    np.testing.assert_array_equal(both.pixels[:24], part.pixels)
    np.testing.assert_array_equal(both.labels[:24], part.labels)
    assert len(both) == 48
    for turn, drawn in enumerate(np.split(both.pixels[24:], 2)):
        np.testing.assert_array_equal(drawn[:, -1, -1], turn)  # by the explainer whose turn it is
        shown = np.array([np.flatnonzero(shades == each[0, 0])[0] for each in drawn])
        assert (shown < 24).all() and (shown % 2 == turn).all()
        np.testing.assert_array_equal(both.labels[24 + 12 * turn :][:12], labels[shown])
    np.testing.assert_array_equal(both.images.labels, both.labels[:, 1])


def test_maps_are_judged_by_the_area_under_the_accuracy(tmp_path):
    steps = np.linspace(1, 0, 21)
    falls = {
        OURS: steps**4,
        GRADIENT: steps**2,
        INTEGRATED: steps**2,
        GRAD_CAM: steps**2,
        RANDOM: steps,
    }
    power = np.linspace(0.9, 1.1, NUMBER)[:, None]  # no two queries are alike
    right = {name: each**power for name, each in falls.items()}
    found = Saliency(made_up_study(tmp_path), {}, right)
    middle = slice(NUMBER // 2 - 1, NUMBER // 2 + 1)
    assert found.area(RANDOM)[middle] == pytest.approx(0.5, abs=0.01)
    assert found.area(OURS)[middle] == pytest.approx(1 / 5, abs=0.01)
    assert [each.verdict for each in found.claims()] == ["holds", "holds"]
    assert [(each.id, each.kind) for each in found.claims()] == [
        ("Figure 4c random", "statement"),
        ("Figure 4c others", "statement"),
    ]
    worse = Saliency(made_up_study(tmp_path), {}, right | {OURS: 1 - (1 - steps) ** (4 * power)})
    assert [each.verdict for each in worse.claims()] == ["fails", "fails"]
    assert all(f"{OURS}: below random (a control)" in each.note for each in worse.claims())


def test_maps_that_do_no_more_than_edges_are_said_to_be_at_their_level(tmp_path):
    steps, power = np.linspace(1, 0, 21), np.linspace(0.9, 1.1, NUMBER)[:, None]
    falls = {OURS: 2, GRADIENT: 2, INTEGRATED: 2, GRAD_CAM: 4, RANDOM: 1, EDGES: 2, CHANGE: 9}
    right = {name: (steps**fall) ** power for name, fall in falls.items()}
    right[EDGES] = right[EDGES][::-1]
    found = Saliency(made_up_study(tmp_path), {}, right)
    columns, rows = found._table()
    marks = {row[0]: row[columns.index("level")] for row in rows}
    assert marks[OURS] == "at the level of edges" and marks[GRAD_CAM] == "above the controls"
    assert marks[RANDOM] == marks[EDGES] == marks[CHANGE] == ""
    notes = [each.note for each in found.claims()]
    assert all(f"{OURS}: at the level of edges (a control)" in note for note in notes)


@pytest.mark.parametrize(("flips", "verdict"), [(0, "undecided"), (1, "undecided"), (50, "holds")])
def test_one_decision_of_a_hundred_is_no_discrimination(tmp_path, flips, verdict):
    opposite = np.zeros((100, 3))
    opposite[:flips, 0] = 1
    turned = Turned(made_up_study(tmp_path).subject, None, opposite, opposite)
    (found,) = Discrimination(("glad", "male", "old"), {"glad": turned}).claims()
    assert (found.verdict, found.kind) == (verdict, "target")
    # Newcombe's interval reaches below 0, where Wilson's of a share cannot.
    assert found.interval == tuple(paired_difference_interval(opposite[:, 0], np.zeros(100)))


class Blocks(nnx.Module):
    """The logit of each label is the mean of blocks of four pixels, times a number of the label."""

    def __init__(self, weights):
        self.weights = nnx.Param(jnp.asarray(weights, jnp.float32))

    def features(self, images):
        return images.reshape(len(images), 4, 2, 4, 2, 1).mean((2, 4))

    def classify(self, maps):
        return maps.mean((1, 2)) * self.weights[...]

    def __call__(self, images):
        return self.classify(self.features(images))


@pytest.mark.parametrize("weights", [[2.0], [2.0, 5.0, -1.0]])
def test_a_label_has_the_same_maps_alone_and_beside_others(weights):
    pixels = RNG.random((6, 8, 8, 1)).astype(np.float32)
    images = ImageSet.whole(
        StoredImages({"image": pixels, "label": np.arange(6) % 2}, ("no", "yes")), "made up"
    )
    subject = Subject(None, Network(Blocks(weights), None, None, None), 0, images)
    maps = other_maps(subject, pixels, 3)
    blocks = pixels.reshape(6, 4, 2, 4, 2).mean((2, 4))
    assert set(maps) == {GRADIENT, INTEGRATED, GRAD_CAM}
    np.testing.assert_allclose(maps[GRADIENT], 2 / 64, rtol=1e-5)
    np.testing.assert_allclose(maps[INTEGRATED], 2 * pixels[..., 0] / 64, rtol=1e-4)
    # Enlarged from its blocks, it correlates with them, since their weights are all alike.
    for found, expected in zip(maps[GRAD_CAM], np.kron(blocks, np.ones((2, 2))), strict=True):
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.8


def test_our_map_is_where_the_extremes_differ_and_accuracy_begins_with_the_queries(tmp_path):
    """Queries whose extremes differ in one pixel of their own; the classifier is right of those
    that are bright.
    """
    shades = np.linspace(0.1, 0.9, 6).astype(np.float32)
    pixels = np.broadcast_to(shades[:, None, None, None], (6, 8, 8, 1)).copy()
    labels = (shades > 0.5).astype(int)
    images = ImageSet.whole(
        StoredImages({"image": pixels, "label": labels}, ("no", "yes")), ["by hand"]
    )
    part = Part(images, labels[:, None])
    data = Data(part, part, part, ("bright",), ("dark", "bright"), 0, "made up")
    setup = Setup(dataclasses.replace(SMOKE, batch_size=3), data, Workspace(tmp_path))
    network = Network(Blocks([2.0]), shades[:, None] - 0.5, np.ones(1), "blocks")
    subject = Subject(setup, network, 0, images)
    series = np.repeat(pixels[:, None], 2, axis=1)
    for query in range(6):
        series[query, 1, query, 0] += 0.05 * (1 + query)
    own = np.stack([shades, shades], axis=1)
    found = Sweeps(OURS, Exaggeration(series, own, own, labels, shades), "by hand", None)
    study = made_up_study(tmp_path)._replace(
        setup=setup, subject=subject, sweeps=(found, found), judge=subject.network
    )
    made = map_saliency(study)
    expected = np.zeros((6, 8, 8))
    expected[np.arange(6), np.arange(6), 0] = 0.05 * np.arange(1, 7)
    np.testing.assert_allclose(made.maps[OURS], expected, atol=1e-6)
    methods = (OURS, GRADIENT, INTEGRATED, GRAD_CAM, RANDOM)
    assert tuple(made.maps) == methods
    assert tuple(made.accuracy) == (*methods, CONSTANT, DARKEST, BRIGHTEST, EDGES)
    assert len({made.maps[RANDOM][query].tobytes() for query in range(6)}) == 6
    # Logits are above 0 for every image: right of the bright ones alone, before any pixel is
    # replaced.
    for right in made.accuracy.values():
        np.testing.assert_array_equal(right[:, 0], labels)


def test_the_ablation_multiplies_one_weight_at_a_time_and_has_the_papers_ten_settings():
    weights = ProgressiveWeights()
    assert scaled(weights, BASE) == weights
    assert scaled(weights, NO_RECONSTRUCTION) == dataclasses.replace(
        weights, reconstruction=0.0, cycle=0.0
    )
    assert scaled(weights, (1, 10, 1)) == dataclasses.replace(weights, compatibility=10.0)
    assert len(set(SETTINGS)) == 10 and all(
        sum(each != 1 for each in factors) <= 1 for factors in SETTINGS
    )


def test_the_questionnaire_has_every_task_and_its_key_the_right_answers(tmp_path):
    study = made_up_study(tmp_path, human_items=(6, 0, 4))
    path = write_human_study(tmp_path / "people", study, {"bias": made_up_bias(study, flips=0.5)})
    key = read_key(tmp_path / "people" / "key.json")
    assert {each: key.categories.count(each) for each in set(key.categories)} == {
        "task 1 glad easy": 6,
        "task 1 glad hard": 6,
        "task 3 biased": 4,
        "task 3 unbiased": 4,
    }
    page = path.read_text()
    assert "task 1" not in page and "biased" not in page
    # The answer to Task 3 is always the label alone; in Task 1 either place holds the higher bin.
    truth = {
        kind: {t for t, c in zip(key.truth.tolist(), key.categories, strict=True) if kind in c}
        for kind in "13"
    }
    assert truth["1"] == {0, 1} and truth["3"] == {0}


def made_up_attributes(study, *names):
    """Every label explained by the same series."""
    return Attributes(
        study, {name: Explained(study.subject, study.sweeps[0], None) for name in names}
    )


def test_people_are_asked_what_the_paper_asked(tmp_path):
    """On six labels of CelebA: youth and smiles for order; age, smile, bangs, beard for change."""
    study = made_up_study(tmp_path, human_items=(3, 2, 0))
    six = made_up_attributes(
        study, "Smiling", "Young", "No_Beard", "Heavy_Makeup", "Black_Hair", "Bangs"
    )
    write_human_study(tmp_path, study, {"attributes": six})
    key = read_key(tmp_path / "key.json")
    counts = {each: key.categories.count(each) for each in set(key.categories)}
    order = {
        f"task 1 {label} {kind}": 3 for label in ("young", "smiling") for kind in ("easy", "hard")
    }
    assert counts == order | {
        f"task 2 {label}": 2 for label in ("young", "smiling", "bangs", "no beard")
    }
    options = {
        tuple(each)
        for each, kind in zip(key.options, key.categories, strict=True)
        if kind.startswith("task 2")
    }
    assert options == {("age", "smile", "hair-style", "beard")}
    truth = {
        kind: {t for t, c in zip(key.truth.tolist(), key.categories, strict=True) if c == kind}
        for kind in counts
    }
    answers = {"task 2 young": 0, "task 2 smiling": 1, "task 2 bangs": 2, "task 2 no beard": 3}
    assert {kind: truth[kind] for kind in answers} == {
        kind: {answer} for kind, answer in answers.items()
    }


def test_other_labels_are_asked_of_where_the_papers_are_not_there(tmp_path):
    study = made_up_study(tmp_path, human_items=(2, 2, 0))
    write_human_study(tmp_path, study, {"attributes": made_up_attributes(study, "glad", "male")})
    assert set(read_key(tmp_path / "key.json").categories) == {
        "task 1 glad easy",
        "task 1 glad hard",
        "task 2 glad",
        "task 2 male",
    }


def test_a_hard_pair_is_any_two_bins_and_the_higher_one_has_more(tmp_path, monkeypatch):
    """The shade of an image is that of its bin; both ends come in hard pairs too."""
    asked = []
    monkeypatch.setattr(
        human_study,
        "write_questionnaire",
        lambda path, questions, **options: asked.extend(questions),
    )
    study = made_up_study(tmp_path, human_items=(40, 0, 0))
    write_human_study(tmp_path, study, {})
    key = read_key(tmp_path / "key.json")
    bins = np.array([np.round(9 * each.images.mean((1, 2, 3))) for each in asked]).astype(int)
    np.testing.assert_array_equal(bins.argmax(axis=1), key.truth)
    hard = bins[["hard" in each for each in key.categories]]
    assert set(hard.ravel()) == set(range(BINS)) and (hard[:, 0] != hard[:, 1]).all()
    assert {
        tuple(sorted(each)) for each in bins[["easy" in each for each in key.categories]].tolist()
    } == {(0, 9)}


def test_votes_on_celeba_settle_that_smiles_are_told_best(tmp_path):
    """Smiles all right, bangs all wrong; the paper's figures stand beside ours under the names of
    the data.
    """
    study = made_up_study(tmp_path, human_items=(0, 20, 0))
    write_human_study(
        tmp_path, study, {"attributes": made_up_attributes(study, "Smiling", "Bangs")}
    )
    key = read_key(tmp_path / "key.json")
    bangs = np.array(["bangs" in each for each in key.categories])
    files = [
        votes_file(tmp_path / f"{r}.json", key, r, np.where(bangs, 1 - key.truth, key.truth))
        for r in "ab"
    ]
    score_votes.main(score_votes.Config(key=str(tmp_path / "key.json"), votes=tuple(files)))
    (claim,) = json.loads((tmp_path / "table_4_votes_claims.json").read_text())["claims"]
    assert (claim["id"], claim["verdict"], claim["kind"]) == ("C11", "holds", "statement")
    assert claim["paper"] == {"task 2 smiling": 0.99, "task 2 bangs": 0.5}
    columns, *rows = [
        line.split(",") for line in (tmp_path / "table_4_votes.csv").read_text().splitlines()
    ]
    papers = {row[0]: row[columns.index("paper accuracy")] for row in rows}
    assert {name: float(value) for name, value in papers.items()} == {
        "task 2 bangs": 0.5,
        "task 2 smiling": 0.99,
        "task 2": 0.77,
    }


def test_the_figures_of_smiles_stand_beside_smiles_alone(tmp_path):
    study = made_up_study(tmp_path)
    columns, rows = made_up_bias(study, flips=0.5).table()
    assert {row[columns.index("paper")] for row in rows} == {None}
    setup = study.setup._replace(data=study.data._replace(names=("Smiling", "Male")))
    smiles = study._replace(setup=setup, subject=study.subject._replace(setup=setup))
    found = made_up_bias(smiles, flips=0.5)._replace(confounder="Male")
    columns, rows = found.table()
    assert [row[columns.index("paper")] for row in rows if row[0] == BIASED] == [0.18, 0.52, None]
    papers = {each.id: each.paper for each in found.claims()}
    assert papers["C7 to glad"] == {BIASED: 0.12, UNBIASED: 0.07} and papers["C9"] == {BIASED: 0.18}
    assert {each.kind for each in found.claims()} == {"statement", "ordering"}


def votes_file(path, key, rater, choices):
    votes = [
        {"id": name, "choice": int(choice)} for name, choice in zip(key.ids, choices, strict=True)
    ]
    document = {
        "format": "cfx-jax votes",
        "version": 1,
        "questionnaire": key.questionnaire,
        "rater": rater,
    }
    path.write_text(json.dumps({**document, "votes": votes}))
    return str(path)


def test_votes_are_scored_by_kind_and_task_and_settle_the_papers_orderings(tmp_path, capsys):
    study = made_up_study(tmp_path, human_items=(20, 20, 20))
    write_human_study(tmp_path, study, {"bias": made_up_bias(study, flips=0.5)})
    key = read_key(tmp_path / "key.json")
    hard = np.array(["hard" in each for each in key.categories])
    files = [
        votes_file(tmp_path / f"{rater}.json", key, rater, np.where(hard, 1 - key.truth, key.truth))
        for rater in "ab"
    ]
    score_votes.main(score_votes.Config(key=str(tmp_path / "key.json"), votes=tuple(files)))
    columns, *rows = [
        line.split(",") for line in (tmp_path / "table_4_votes.csv").read_text().splitlines()
    ]
    accuracy = {row[0]: float(row[columns.index("accuracy")]) for row in rows}
    assert accuracy == {
        "task 1 glad easy": 1,
        "task 1 glad hard": 0,
        "task 1 glad": 0.5,
        "task 1": 0.5,
        "task 3": 1,
        "task 3 biased": 1,
        "task 3 unbiased": 1,
    }
    claims = json.loads((tmp_path / "table_4_votes_claims.json").read_text())["claims"]
    assert {each["id"]: each["verdict"] for each in claims} == {
        "C10 glad": "holds",
        "C12": "undecided",
    }
    assert "task 1 glad easy" in capsys.readouterr().out


def test_one_rater_is_refused(tmp_path):
    with pytest.raises(
        InputError, match="--votes: expected the files of two raters or more, got 1"
    ):
        score_votes.main(score_votes.Config(key="key.json", votes=("a.json",)))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("smiling", "happy"), "--labels: expected one of 'smiling'"),
        (("young", "male"), "--labels: expected 'smiling', which is explained, among them"),
    ],
)
def test_impossible_labels_are_refused(tmp_path, labels, message):
    with pytest.raises(InputError, match=message):
        load_images(dataclasses.replace(SMOKE, num_images=12, labels=labels), Workspace(tmp_path))


def test_a_classifier_can_have_fewer_labels_than_the_images(tmp_path):
    config = dataclasses.replace(SMOKE, num_images=40, labels=("male", "smiling"))
    data = load_images(config, Workspace(tmp_path))
    whole = load_images(dataclasses.replace(config, labels=()), Workspace(tmp_path))
    assert data.names == ("male", "smiling") and data.explained == 1
    np.testing.assert_array_equal(data.train.labels, whole.train.labels[:, [2, 0]])
