"""Progressive exaggeration: its parts on made-up numbers; and, slow, a whole smoke run."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
from visible_text import visible_text

from cfx_jax.counterfactuals import Exaggeration
from cfx_jax.errors import InputError
from experiments.progressive_exaggeration.__main__ import main
from experiments.progressive_exaggeration.data import Data, Part, load_images
from experiments.progressive_exaggeration.label_study import (
    Network,
    Subject,
    Sweeps,
    ranges,
    remarks,
    spread,
    subject_of,
)
from experiments.progressive_exaggeration.presets import PRESETS, SMOKE
from experiments.progressive_exaggeration.setup import Setup
from experiments.shared import ImageSet, StoredImages, Workspace

RNG = np.random.default_rng(0)


def made_up(reach):
    """Series of four queries, of which the probabilities rise by ``reach`` from the lowest bin to
    the highest.
    """
    own = np.array([0.1, 0.2, 0.8, 0.9])
    levels = 0.5 + reach * np.linspace(-0.5, 0.5, 10)
    images = np.broadcast_to(levels[:, None, None, None], (4, 10, 2, 2, 1))
    desired = np.broadcast_to((np.arange(10) + 0.5) / 10, (4, 10))
    probabilities = np.broadcast_to(levels, (4, 10))
    return Sweeps(
        "made up",
        Exaggeration(images, probabilities, desired, (own * 10).astype(int), own),
        None,
        None,
    )


def test_every_preset_knows_its_name():
    assert all(config.preset == name for name, config in PRESETS.items())


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
    source = StoredImages(
        {"image": np.zeros((9, 2, 2, 1), np.float32), "label": np.zeros(9, int)}, ("no", "yes")
    )
    part = Part(ImageSet.whole(source, "made up"), np.zeros((9, 1), int))
    data = Data(part, part, part, ("yes",), ("no", "yes"), 0, "")
    logits = np.array([1.0, 1, 1, 1, 1, 1, -1, 1, -1])

    def classifier(logits):
        return Network(None, logits[:, None], np.ones(1), None)

    setup = Setup(SMOKE, data, None)
    subject = subject_of(setup, classifier(logits))
    np.testing.assert_array_equal(subject.queries.indices, [0, 1, 6, 8])
    np.testing.assert_allclose(subject.probability[[0, 6]], [0.731059, 0.268941], rtol=1e-5)
    np.testing.assert_array_equal(subject.query_labels, np.zeros((4, 1)))
    message = (
        "classifier of 'yes': expected decisions both ways on the test images, got yes for all 9"
    )
    with pytest.raises(InputError, match=message):
        subject_of(setup, classifier(np.ones(9)))


def test_what_the_data_say_of_queries_follows_them_through_the_shuffle():
    labels = RNG.integers(2, size=(9, 3))
    source = StoredImages(
        {"image": np.zeros((9, 2, 2, 1), np.float32), "label": labels[:, 0]}, ("no", "yes")
    )
    whole, shuffled = ImageSet.whole(source, "made up"), np.array([4, 7, 1, 8, 0])
    part = Part(whole.take(shuffled), labels[shuffled])
    queries = whole.take(np.array([8, 4, 1]))
    data = Data(part, part, part, ("a", "b", "c"), ("no", "yes"), 0, "")
    subject = Subject(Setup(SMOKE, data, None), None, 0, queries)
    np.testing.assert_array_equal(subject.query_labels, labels[[8, 4, 1]])


def test_figures_show_the_first_queries_of_either_decision():
    found = made_up(1.0)
    swapped = found._replace(
        series=found.series._replace(probability=np.array([0.9, 0.5, 0.4, 0.8]))
    )
    np.testing.assert_array_equal(swapped.first(2), [2, 0])
    np.testing.assert_array_equal(swapped.first(5), [2, 0, 1])


def test_ranges_part_the_queries_in_five():
    parts = ranges(np.array([0.0, 0.2, 0.59, 1.0]))
    assert [low for low, _, _ in parts] == [0.0, 0.2, 0.4, 0.6, 0.8]
    np.testing.assert_array_equal([chosen.sum() for _, _, chosen in parts], [1, 1, 1, 0, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"data": "cats"},
            "--data: expected 'faces', 'chest', 'celeba:PATH', 'chexpert:PATH', 'folder:PATH' or"
            " 'csv:PATH', got 'cats'",
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
def test_a_smoke_run_writes_everything_and_a_second_start_reads_it(smoke_run, capsys):
    run = smoke_run("progressive_exaggeration")
    config = dataclasses.replace(SMOKE, results=str(run / "results"), work=str(run / "work"))
    folder = run / "results" / "progressive_exaggeration" / "smoke"
    written = {path.name for path in folder.iterdir()}
    assert {
        "table_1_distances.csv",
        "table_2_identity.csv",
        "table_reach.csv",
        "figure_3_compatibility.csv",
    } <= written
    assert {
        "report.html",
        "claims.json",
        "knob.html",
        "table_3_confounding.csv",
        "figure_4_heart.png",
        "figure_4c_perturbation.png",
        "figure_2_heart_sweeps.png",
        "table_reliability.csv",
        "figure_6_biased.png",
        "human_study",
        "figure_sweeps_ours.png",
        "figure_3_compatibility.png",
    } <= written
    made = json.loads((folder / "claims.json").read_text())["claims"]
    assert "oracle right" in (folder / "table_3_confounding.csv").read_text()
    assert {"C1 overall", "C4", "C5", "Figure 3 rises", "Figure 4a segmented", "own bin"} <= {
        each["id"] for each in made
    }
    assert all(
        "Synthetic" in each["note"] and "Test images are of a world of their own" in each["note"]
        for each in made
    )
    assert {each["kind"] for each in made} == {"statement", "ordering", "target"}
    capsys.readouterr()
    main(config)
    assert "..." not in capsys.readouterr().out


@pytest.mark.slow
def test_a_folder_of_images_is_explained(tmp_path):
    for name, brightness in (("dark", 60), ("light", 180)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for index in range(60):
            noise = RNG.integers(-40, 40, size=(32, 32))
            cv2.imwrite(
                str(tmp_path / "images" / name / f"{index}.png"),
                (brightness + noise).astype(np.uint8),
            )
    config = dataclasses.replace(
        SMOKE,
        data=f"folder:{tmp_path / 'images'}",
        classes=("dark", "light"),
        channels=1,
        chapters=("saliency",),
        human_items=(0, 0, 0),
        results=str(tmp_path / "r"),
        work=str(tmp_path / "w"),
    )
    main(config)
    (folder,) = (tmp_path / "r" / "progressive_exaggeration").iterdir()
    assert {"report.html", "knob.html", "figure_5_saliency.png"} <= {
        path.name for path in folder.iterdir()
    }
    page = visible_text(folder / "report.html")
    assert "dark and light" in page and "Images of each class: 60 dark, 60 light." in page
    assert "paper" not in page.casefold()
