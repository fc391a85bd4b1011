"""Path-based attribution: its parts on made-up numbers and toys; and, slow, a whole smoke run."""

import dataclasses
import json
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from cfx_jax.errors import InputError
from cfx_jax.models.generator_views import Generator
from experiments.generation.localisation import localise
from experiments.image_set import ImageSet, StoredImages
from experiments.path_attribution import published
from experiments.path_attribution.__main__ import main
from experiments.path_attribution.adversary import turned_over
from experiments.path_attribution.claims import Scores, claims
from experiments.path_attribution.config import FaithfulnessConfig
from experiments.path_attribution.explained import choose
from experiments.path_attribution.faithfulness import Faithfulness, Sweep, random_sweep, regions_replaced, sweep
from experiments.path_attribution.grouping import by_decision
from experiments.path_attribution.maps import along_own_path, sigma_of, straight
from experiments.path_attribution.pairs import Pairs
from experiments.path_attribution.presets import PRESETS, SMOKE
from experiments.path_attribution.published import FDR, IOU, METHODS, RANDOM
from experiments.path_attribution.tables import perturbation_table, relevance_table, values_of

SETTINGS = FaithfulnessConfig(region=2, num_random=3, aopc=(4, 16))
WEIGHTS = np.random.default_rng(0).uniform(0, 1, (8, 8, 1)).astype(np.float32)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr("experiments.path_attribution.faithfulness._RESAMPLES", 100)


def linear(weights, image):
    """A classifier whose log-odds of class 1 are linear in the image."""
    score = 4 * ((image - 0.5) * weights).sum() / weights.sum()
    return jnp.stack([-score / 2, score / 2])


CLASSIFIER = Partial(linear, WEIGHTS)


def images(count=6, seed=0):
    return np.random.default_rng(seed).uniform(0.1, 0.9, (count, 8, 8, 1)).astype(np.float32)


def made_up(better, *, count=12):
    """Sweeps of all methods: those named fall and stay better than the others."""
    rng = np.random.default_rng(1)
    sweeps = {}
    for method in (RANDOM, *METHODS):
        lead = better.get(method, 0.0) + 0.001 * rng.random((count, 1))
        share = np.linspace(0, 1, 9)
        sweeps[method] = Sweep((1 - share) ** (1 + lead), (1 - share) ** (1 / (1 + lead)))
    return Faithfulness(np.arange(count) % 2, sweeps, np.arange(9))


def test_every_preset_knows_its_name_and_trains_methods_of_the_right_kind():
    for name, config in PRESETS.items():
        assert config.preset == name
        assert (config.syce.method, config.cyce.method) == ("syce", "cyce")


def test_the_paper_preset_has_the_published_settings():
    paper = PRESETS["paper"]
    assert (paper.image_size, paper.num_nodes, paper.augmentation, paper.head) == (224, 50, "published", "finding")
    assert paper.classifier.model == "resnet50" and paper.classifier.weighted
    assert paper.num_perturbation_steps == 150 and paper.similar_adversarial.num_steps == 70 * 1490
    assert (paper.faithfulness.num_images, paper.faithfulness.least_turned) == (1000, 0.95)


def test_the_published_tables_are_whole():
    for task, percentiles in published.PERCENTILES.items():
        for measure in (IOU, FDR):
            assert all(len(published.localisation(task, measure, each)) == len(METHODS) for each in percentiles)
        assert all(len(published.relevance(task, group)) == 1 + len(METHODS) for group in published.GROUPS)
    assert published.localisation("brain", IOU, 98)["SyCE v2,k"] == 0.432
    assert published.relevance("pneumonia", "0")["CyCE v2"] == 0.839
    assert published.localisation(None, IOU, 98) == published.localisation("brain", IOU, 97.5) == {}


@pytest.mark.parametrize(
    ("data", "task"),
    [("chest", "pneumonia"), ("rsna:/x", "pneumonia"), ("brain", "brain"), ("msd:/x", "brain"), ("folder:/x", None)],
)
def test_data_stand_for_the_papers_tasks(data, task):
    assert published.task_of(data) == task


def test_groups_are_put_together_in_the_order_of_the_images():
    decided, asked = np.array([1, 0, 0, 1, 0]), []

    def compute(decision, rows):
        asked.append(decision)
        return {"value": 10.0 * decision + rows}

    np.testing.assert_array_equal(by_decision(decided, compute)["value"], [10, 1, 2, 13, 4])
    assert asked == [0, 1]
    np.testing.assert_array_equal(by_decision(np.ones(3, int), compute)["value"], [10, 11, 12])


class Toy(NamedTuple):
    """As much of the data as the choice of images looks at."""

    test: ImageSet
    annotation: str | None
    patients: np.ndarray | None = None
    finding: int = 1


def toy(count=20, *, annotation="lesion_mask"):
    labels = (np.arange(count) % 4 == 0).astype(int)
    masks = np.zeros((count, 8, 8), bool)
    masks[labels == 1, :2, :2] = True
    masks[0] = False  # of the finding, but without an annotation
    arrays = {"image": images(count), "label": labels, "lesion_mask": masks}
    return Toy(ImageSet.whole(StoredImages(arrays, ("healthy", "ill")), "toy"), annotation)


def test_the_images_explained_are_those_annotated_and_a_balanced_subset():
    config = dataclasses.replace(SMOKE, num_explained=3, faithfulness=FaithfulnessConfig(num_images=6))
    found = choose(config, toy(), CLASSIFIER)
    assert found.images.indices.tolist() == [0, 1, 2, 3, 4, 8, 12]
    assert found.images.indices[found.localised].tolist() == [4, 8, 12]
    assert found.images.indices[found.perturbed].tolist() == [0, 1, 2, 3, 4, 8]
    np.testing.assert_array_equal(found.predicted, found.probability >= 0.5)
    without = choose(config, toy(annotation=None), CLASSIFIER)
    assert len(without.localised) == 0 and without.images.indices.tolist() == [0, 1, 2, 3, 4, 8]


def test_a_subset_of_no_image_is_named():
    config = dataclasses.replace(SMOKE, faithfulness=FaithfulnessConfig(num_images=1))
    with pytest.raises(
        InputError, match=r"--faithfulness\.num-images: expected at least one test image of each label, got"
    ):
        choose(config, toy(annotation=None), CLASSIFIER)


def test_straight_maps_of_a_linear_score_are_squares_times_weights():
    pairs = Pairs(images(), images(seed=1))
    found = straight(CLASSIFIER, pairs, num_nodes=40, sigma=0.5, batch_size=80)
    change = pairs.adversarial - pairs.similar
    np.testing.assert_allclose(found["E"], np.abs(change)[..., 0], atol=1e-6)
    share = found["v1"] / np.maximum((change**2 * WEIGHTS)[..., 0], 1e-9)
    np.testing.assert_allclose(share, share[:, :1, :1] + 0 * share, rtol=1e-3)
    np.testing.assert_allclose(found["v1"], found["v2"], rtol=1e-4)
    assert np.abs(found["residual"]).max() < 1e-4 < np.abs(found["change"]).max()


def test_smoothing_scales_with_the_image():
    assert sigma_of(224) == 2.0
    assert sigma_of(56) == 0.5


def test_the_own_path_of_linear_generators_is_the_straight_one():
    given, pairs = images(seed=1), Pairs(images(), images(seed=1))
    # Dec(Enc(x_a)) is x_s and Dec(Enc(x)) is x_a where x_a is x and the generator gives x_s back.
    decided = np.arange(len(given)) % 2
    ends = Pairs(pairs.similar, pairs.similar)
    coders = (_coder(2.0), _coder(4.0))
    own = along_own_path(CLASSIFIER, coders, given, ends, decided, num_nodes=4, sigma=0.5, batch_size=8)
    found = straight(CLASSIFIER, pairs, num_nodes=4, sigma=0.5, batch_size=8)
    for variant in ("v1", "v2", "v2,k"):
        np.testing.assert_allclose(own[variant], found[variant], rtol=1e-4, atol=1e-7)


def _coder(factor):
    return Generator(Partial(jnp.multiply, factor), Partial(jnp.multiply, 1 / factor))


def test_the_true_relevance_is_found_the_most_faithful():
    given = images()
    predicted = np.ones(len(given), int)
    others = np.zeros_like(given)
    truth = (given * WEIGHTS)[..., 0]
    options = {"predicted": predicted, "batch_size": 64}
    true = sweep(SETTINGS, CLASSIFIER, given, others, truth, **options)
    wrong = sweep(SETTINGS, CLASSIFIER, given, others, -truth, **options)
    chance = random_sweep(SETTINGS, CLASSIFIER, given, others, seed=0, **options)
    assert true.degraded.shape == (6, 17)
    assert (true.areas > chance.areas).all() and (chance.areas > wrong.areas).all()
    np.testing.assert_allclose(true.degraded[:, -1], true.preserved[:, -1], atol=1e-6)
    np.testing.assert_allclose(true.degraded, wrong.preserved, atol=1e-6)
    found = Faithfulness(predicted, {"true": true, RANDOM: chance}, regions_replaced(SETTINGS, 8))
    assert found.relevance("true", "ALL").low > found.relevance(RANDOM, "ALL").high
    assert found.relevance_difference("true", RANDOM, "1").low > 0
    assert found.relevance("true", "0") is None
    np.testing.assert_allclose(found.above_random("true")[:, 0], 0)


def test_regions_are_counted_and_the_last_step_may_replace_fewer():
    settings = FaithfulnessConfig(region=3, regions_per_step=4)
    np.testing.assert_array_equal(regions_replaced(settings, 8), [0, 4, 8, 9])
    found = Faithfulness(np.zeros(2, int), {}, regions_replaced(settings, 8))
    assert [found.step_of(each) for each in (1, 4, 5, 9, 100)] == [1, 1, 2, 3, 3]


def test_tables_leave_out_what_cannot_be_said():
    found = made_up({"SyCE v2,k": 0.5})
    columns, rows = relevance_table("brain", found)
    assert [row[0] for row in rows] == [RANDOM, *METHODS] and len(columns) == len(rows[0])
    columns, rows = perturbation_table(found, (2, 8, 100))
    assert columns[1:] == ["AOPC less random, 2 regions", "AOPC less random, 8 regions"]
    assert rows[0][1:] == [None, None]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"least_turned": 0.9}, "at least 90% of the 4 images that are overwritten, got 50%: train it longer"),
        ({"least_turned": 0.0}, None),
    ],
)
def test_an_adversary_that_turns_over_too_few_is_refused(settings, message, capsys):
    others = np.stack([np.full((8, 8, 1), value, np.float32) for value in (0.1, 0.9, 0.1, 0.9)])
    network = _Network()
    chosen = dataclasses.replace(SETTINGS, **settings)
    if message:
        with pytest.raises(InputError, match=message):
            turned_over(chosen, network, others, np.ones(4, int), batch_size=4)
        return
    found = turned_over(chosen, network, others, np.ones(4, int), batch_size=4)
    assert found.share == 0.5 and found.kept.tolist() == [0, 2]
    assert "the decision on 2 of 4 images is not turned over; they are left out" in capsys.readouterr().out
    kept = dataclasses.replace(chosen, unturned="keep")
    assert turned_over(kept, network, others, np.ones(4, int), batch_size=4).kept.tolist() == [0, 1, 2, 3]


class _Network:
    classifier = CLASSIFIER


def _found(made):
    return {each.id: each.verdict for each in made}


def _scores(lead, *, count=30):
    """IoU that is higher, and FDR lower, by each method's lead."""
    rng = np.random.default_rng(2)
    base = rng.uniform(0.1, 0.2, count)
    values = {}
    for sign, measure in ((1, IOU), (-1, FDR)):
        values[measure, 98.0] = {m: base + sign * lead.get(m, 0.0) + 1e-4 * rng.random(count) for m in METHODS}
    return Scores(values)


def test_claims_hold_on_numbers_made_as_claimed():
    order = ["Gradient", "CyCE E", "CyCE v1", "CyCE v2", "CyCE v2,k"]
    lead = {name: 0.01 * place for place, name in enumerate(order)}
    lead |= {"SyCE E": 0.1, "SyCE v1": 0.1005, "SyCE v2": 0.11, "SyCE v2,k": 0.12}
    made = _found(claims("pneumonia", _scores(lead), made_up({}), note=""))
    assert {made[name] for name in made if name.startswith(("O1 ", "O2 ", "O3 ", "O4 ", "O5 "))} == {"holds"}
    assert "O4 IoU 98 SyCE v2,k / SyCE v2" in made


def test_claims_fail_on_numbers_made_against_them():
    made = _found(claims("brain", _scores({"CyCE v1": 0.1, "Gradient": 0.2}), made_up({}), note=""))
    assert made["O1 IoU 98 CyCE v2 / CyCE v1"] == made["O1 FDR 98 CyCE v2 / CyCE v1"] == "fails"
    assert made["O2 IoU 98 CyCE v1 / CyCE E"] == "holds"
    assert made["O5 IoU 98 SyCE E / Gradient"] == "fails"
    assert made["O4 FDR 98 CyCE v2,k / SyCE v2,k"] == "undecided"


def test_relevance_claims_follow_the_curves_and_the_data():
    lead = {name: 0.3 for name in METHODS if name.startswith("SyCE")} | {"SyCE v2,k": 0.6, "SAGen E": 0.2}
    lead |= {"CyCE v1": -0.2, RANDOM: -0.5}
    brain = _found(claims("brain", None, made_up(lead), note="synthetic"))
    assert brain["O6 R ALL SyCE v2,k / SyCE E"] == brain["O6 R 1 SyCE v2,k / SyCE E"] == "holds"
    assert brain["O6 R 0 CyCE v1 / CyCE E"] == "fails"
    assert next(value for name, value in brain.items() if name.startswith("O7 best")) == "holds"
    assert brain["O8 R ALL SyCE E / CyCE E"] == "holds"
    assert brain["O9 R ALL CyCE v1 / Random"] == "holds"
    assert brain["O10 AOPC SyCE v2,k / SyCE E"] == "holds"
    pneumonia = _found(claims("pneumonia", None, made_up(lead), note=""))
    assert pneumonia["O8 R ALL CyCE E / SyCE E"] == "fails" and "O9 below random R 1 Random / Gradient" in pneumonia
    others = _found(claims(None, None, made_up(lead), note=""))
    assert not any(name.startswith("O8") for name in others)


def test_relevance_claims_need_two_images_of_a_group():
    found = made_up({})
    chosen = slice(0, 3)
    sweeps = {name: Sweep(*(each[chosen] for each in swept)) for name, swept in found.sweeps.items()}
    ids = _found(claims("brain", None, Faithfulness(found.predicted[chosen], sweeps, found.regions), note=""))
    assert "O6 R 0 SyCE v1 / SyCE E" in ids and "O6 R 1 SyCE v1 / SyCE E" not in ids


def test_the_measures_of_table_1_are_told_apart():
    maps = np.zeros((1, 10, 10))
    maps[0, 0, :4] = 1 + np.arange(4)
    truth = np.zeros((1, 10, 10), bool)
    truth[0, 0, 3] = True
    found = localise(maps, truth, (98.0,))
    np.testing.assert_allclose(values_of(found, IOU, 98.0), 0.5)
    np.testing.assert_allclose(values_of(found, FDR, 98.0), 0.5)


@pytest.mark.slow
def test_a_smoke_run_writes_everything_and_a_second_start_reads_it(tmp_path, capsys):
    config = dataclasses.replace(SMOKE, results=str(tmp_path / "r"), work=str(tmp_path / "w"))
    main(config)
    folder = tmp_path / "r" / "path_attribution" / "smoke"
    written = {path.name for path in folder.iterdir()}
    tables = ("1_localisation", "2_relevance", "aopc", "coverage", "generators", "residuals", "true_counterfactuals")
    assert {f"table_{name}.csv" for name in tables} <= written
    assert {"report.html", "claims.json", "figure_1_maps.png", "figure_2_aopc.png", "figure_all_maps.png"} <= written
    made = json.loads((folder / "claims.json").read_text())["claims"]
    assert {each["id"].split()[0] for each in made} == {f"O{number}" for number in range(1, 11)}
    assert all("Synthetic" in each["note"] for each in made)
    capsys.readouterr()
    main(config)
    assert "..." not in capsys.readouterr().out
