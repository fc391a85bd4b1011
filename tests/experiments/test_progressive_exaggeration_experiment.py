"""Progressive exaggeration: its parts on made-up numbers; and, slow, a whole smoke run."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from cfx_jax.counterfactuals import Exaggeration
from cfx_jax.errors import InputError
from experiments.image_set import ImageSet, StoredImages
from experiments.progressive_exaggeration import ablation, published
from experiments.progressive_exaggeration.__main__ import main
from experiments.progressive_exaggeration.distances import Cloud, distances
from experiments.progressive_exaggeration.identity import calibrate, closeness
from experiments.progressive_exaggeration.images import Data, Part, load_images
from experiments.progressive_exaggeration.network import Network
from experiments.progressive_exaggeration.presets import PRESETS, SMOKE
from experiments.progressive_exaggeration.subject import Subject, subject_of
from experiments.progressive_exaggeration.sweeps import Sweeps, spread
from experiments.progressive_exaggeration.tables import ranges, remarks
from experiments.stages import Workspace

RNG = np.random.default_rng(0)


def made_up(reach):
    """Series of four queries, of which the probabilities rise by ``reach`` from the lowest bin to the highest."""
    own = np.array([0.1, 0.2, 0.8, 0.9])
    levels = 0.5 + reach * np.linspace(-0.5, 0.5, 10)
    images = np.broadcast_to(levels[:, None, None, None], (4, 10, 2, 2, 1))
    desired = np.broadcast_to((np.arange(10) + 0.5) / 10, (4, 10))
    probabilities = np.broadcast_to(levels, (4, 10))
    return Sweeps("made up", Exaggeration(images, probabilities, desired, (own * 10).astype(int), own), None, None)


def test_every_preset_knows_its_name():
    assert all(config.preset == name for name, config in PRESETS.items())


def test_the_paper_preset_has_the_published_settings():
    paper = PRESETS["paper"]
    assert (paper.image_size, paper.explainer.num_steps, paper.explainer.batch_size) == (128, 20_000, 32)
    assert paper.explainer.filters[-1] == 1024 and paper.classifier.model == "densenet121"


def test_the_published_figures_are_as_the_paper_prints_them():
    assert published.distances("smiling", published.OVERALL) == (106.3, 35.8)
    assert published.closeness("Young") == (0.895, 0.816)
    assert published.distances("bangs", published.PRESENT) is None and published.verification("bangs") is None


def test_decisions_are_turned_over_at_the_opposite_extreme():
    np.testing.assert_array_equal(made_up(1.0).opposite, [9, 9, 0, 0])
    np.testing.assert_array_equal(made_up(1.0).crossed, np.ones(4))
    # At exactly one half the decision is a yes: those that were one stay one.
    np.testing.assert_array_equal(made_up(0.0).crossed, [1, 1, 0, 0])
    np.testing.assert_allclose(spread(made_up(0.5)), 0.5)


def test_a_sweep_that_turns_nothing_over_is_reported_as_collapsed():
    assert remarks(made_up(1.0), SMOKE.collapsed) == "none"
    assert remarks(made_up(-1.0), SMOKE.collapsed) == "collapsed: turns over 0% of one decision"
    assert remarks(made_up(0.0), SMOKE.collapsed) == "collapsed: all bins look alike"


def test_queries_of_either_decision_are_as_many():
    source = StoredImages({"image": np.zeros((9, 2, 2, 1), np.float32), "label": np.zeros(9, int)}, ("no", "yes"))
    part = Part(ImageSet.whole(source, "made up"), np.zeros((9, 1), int))
    data = Data(part, part, part, ("yes",), ("no", "yes"), 0, "")
    logits = np.array([1.0, 1, 1, 1, 1, 1, -1, 1, -1])

    def classifier(logits):
        return Network(None, logits[:, None], np.ones(1), None)

    subject = subject_of(SMOKE, data, classifier(logits), 0)
    np.testing.assert_array_equal(subject.queries.indices, [0, 1, 6, 8])
    np.testing.assert_allclose(subject.probability[[0, 6]], [0.731059, 0.268941], rtol=1e-5)
    np.testing.assert_array_equal(subject.query_labels, np.zeros((4, 1)))
    message = "classifier of 'yes': expected decisions both ways on the test images, got yes for all 9"
    with pytest.raises(InputError, match=message):
        subject_of(SMOKE, data, classifier(np.ones(9)), 0)


def test_what_the_data_say_of_queries_follows_them_through_the_shuffle():
    labels = RNG.integers(2, size=(9, 3))
    source = StoredImages({"image": np.zeros((9, 2, 2, 1), np.float32), "label": labels[:, 0]}, ("no", "yes"))
    whole, shuffled = ImageSet.whole(source, "made up"), np.array([4, 7, 1, 8, 0])
    part = Part(whole.take(shuffled), labels[shuffled])
    queries = whole.take(np.array([8, 4, 1]))
    subject = Subject(Data(part, part, part, ("a", "b", "c"), ("no", "yes"), 0, ""), None, 0, queries)
    np.testing.assert_array_equal(subject.query_labels, labels[[8, 4, 1]])


def test_figures_show_the_first_queries_of_either_decision():
    found = made_up(1.0)
    swapped = found._replace(found=found.found._replace(probability=np.array([0.9, 0.5, 0.4, 0.8])))
    np.testing.assert_array_equal(swapped.first(2), [2, 0])
    np.testing.assert_array_equal(swapped.first(5), [2, 0, 1])


def test_distances_compare_as_many_images_of_every_method():
    real = Cloud(RNG.normal(size=(300, 3)), np.full(300, 0.95))
    near = Cloud(RNG.normal(size=(200, 3)), np.repeat([0.95, 0.05], 100))
    far = Cloud(RNG.normal(size=(60, 3)) + 3, np.full(60, 0.95))
    found = distances(real, {"near": near, "far": far}, seed=0)
    assert {found.found["present", name].num_images for name in ("near", "far")} == {60}
    # The means lie 3 apart in each of three features.
    assert found.found["present", "far"].interval.estimate == pytest.approx(27, rel=0.2)
    assert found.found["present", "near"].interval.estimate < 1 and found.real["present"] < 1
    difference = found.difference["present"]
    assert difference is not None and difference.high < 0
    absent = found.found["absent", "near"]
    assert found.difference["absent"] is None and (absent.num_images, absent.reached) == (0, 100)


def test_an_explanation_is_close_where_it_is_nearer_to_its_query_than_to_others():
    queries = RNG.normal(size=(6, 4))
    explanations = np.stack([queries, np.roll(queries, 1, axis=0)], axis=1)
    np.testing.assert_array_equal(closeness(queries, explanations), np.tile([True, False], (6, 1)))


def test_the_verifier_stands_where_both_errors_are_alike():
    people = RNG.normal(size=(400, 8))
    sure = calibrate(people, people + 0.01 * RNG.normal(size=people.shape), seed=0)
    assert sure.error < 0.01 and 0 < sure.threshold < 1
    blind = calibrate(people, RNG.normal(size=people.shape), seed=0)
    assert blind.error == pytest.approx(0.5, abs=0.05)


def test_ranges_part_the_queries_in_five():
    parts = ranges(np.array([0.0, 0.2, 0.59, 1.0]))
    assert [low for low, _, _ in parts] == [0.0, 0.2, 0.4, 0.6, 0.8]
    np.testing.assert_array_equal([chosen.sum() for _, _, chosen in parts], [1, 1, 1, 0, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"data": "cats"},
            "--data: expected 'faces', 'chest', 'celeba:PATH', 'chexpert:PATH' or 'folder:PATH', got 'cats'",
        ),
        ({"label": "happy"}, "--label: expected one of 'smiling', 'young'"),
        ({"test": 0.9}, "--validation, --test: expected a sum below 1"),
        ({"classes": ("a", "b")}, "--classes: expected none with --data faces"),
    ],
)
def test_impossible_options_are_refused(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        load_images(dataclasses.replace(SMOKE, **options), Workspace(tmp_path))


@pytest.mark.slow
def test_a_smoke_run_writes_everything_and_a_second_start_reads_it(tmp_path, capsys):
    config = dataclasses.replace(SMOKE, results=str(tmp_path / "r"), work=str(tmp_path / "w"))
    main(config)
    folder = tmp_path / "r" / "progressive_exaggeration" / "smoke"
    written = {path.name for path in folder.iterdir()}
    assert {"table_1_distances.csv", "table_2_identity.csv", "table_reach.csv", "figure_3_compatibility.csv"} <= written
    assert {
        "report.html",
        "claims.json",
        "knob.html",
        "table_3_confounding.csv",
        "figure_4_heart.png",
        "figure_5_perturbation.png",
        "figure_6_biased.png",
        "human_study",
        "figure_sweeps_ours.png",
        "figure_3_compatibility.png",
    } <= written
    made = json.loads((folder / "claims.json").read_text())["claims"]
    assert "oracle right" in (folder / "table_3_confounding.csv").read_text()
    assert {"C1 overall", "C4", "C5", "Figure 3", "Figure 4a segmented", "own bin"} <= {each["id"] for each in made}
    assert all("Synthetic" in each["note"] for each in made)
    capsys.readouterr()
    main(config)
    assert "..." not in capsys.readouterr().out


@pytest.mark.slow
def test_a_folder_of_images_is_explained(tmp_path):
    for name, brightness in (("dark", 60), ("light", 180)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for index in range(60):
            noise = RNG.integers(-40, 40, size=(32, 32))
            cv2.imwrite(str(tmp_path / "images" / name / f"{index}.png"), (brightness + noise).astype(np.uint8))
    config = dataclasses.replace(
        SMOKE,
        data=f"folder:{tmp_path / 'images'}",
        classes=("dark", "light"),
        channels=1,
        chapters=("saliency",),
        human_items=0,
        results=str(tmp_path / "r"),
        work=str(tmp_path / "w"),
    )
    main(config)
    (folder,) = (tmp_path / "r" / "progressive_exaggeration").iterdir()
    assert {"report.html", "knob.html", "figure_4c_saliency.png"} <= {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_all_labels_and_the_ablation_are_written(tmp_path, monkeypatch):
    config = dataclasses.replace(
        SMOKE,
        chapters=("attributes", "ablation"),
        labels=("smiling", "male"),
        results=str(tmp_path / "r"),
        work=str(tmp_path / "w"),
    )
    few = (
        ablation.NO_ADVERSARY,
        ablation.BASE,
        ablation.STRONG_ADVERSARY,
        ablation.NO_CLASSIFIER,
        ablation.NO_RECONSTRUCTION,
    )
    monkeypatch.setattr(ablation, "SETTINGS", few)
    main(config)
    (folder,) = (tmp_path / "r" / "progressive_exaggeration").iterdir()
    written = {path.name for path in folder.iterdir()}
    assert {"table_5_attributes.csv", "figure_7_discrimination.csv", "figure_12_ablation.png"} <= written
    rows = (folder / "table_6_ablation.csv").read_text().splitlines()
    assert len([row for row in rows if not row.startswith("#")]) == 1 + 5
    made = {each["id"] for each in json.loads((folder / "claims.json").read_text())["claims"]}
    assert {"C13 male", "Figure 7 smiling", "C14", "C15", "C16", "C17"} <= made
