"""The preset of the published settings against the table of who gives each of them, and where."""

import dataclasses

import numpy as np
import pytest

from experiments.fundus_vce import published
from experiments.fundus_vce.presets import PAPER
from trainers import count_steps, images_per_epoch

GRADES = (33_783, 3_598, 6_765, 1_186, 591)  # section 2.1, after the quality filter
HEALTHY, DISEASED = GRADES[0], sum(GRADES[2:])


def leaves(config, prefix=""):
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        if dataclasses.is_dataclass(value):
            yield from leaves(value, f"{prefix}{each.name}.")
        else:
            yield f"{prefix}{each.name}", value


def test_every_setting_of_the_paper_preset_is_in_the_table_and_has_its_value():
    found, given = dict(leaves(PAPER)), published.SETTINGS
    assert found.keys() == given.keys()
    told = {name: each.value for name, each in given.items() if each.by in ("paper", "code")}
    assert len(told) > 20 and {name: found[name] for name in told} == told


def test_every_setting_says_where_it_comes_from():
    for name, each in published.SETTINGS.items():
        assert each.by in ("paper", "code", "us") and each.place, name
        if each.by == "paper":
            assert each.place.lower().startswith(("section", "table", "figure", "equation")), name


@pytest.mark.parametrize(
    ("training", "epochs"),
    [(PAPER.plain, 500), (PAPER.fine_tuning, 3), (PAPER.robust, 500)],
    ids=["1", "2", "robust"],
)
def test_the_published_epochs_are_those_of_the_published_images(training, epochs):
    assert sum(GRADES) == 45_923
    labels = np.repeat([0, 1], [round(0.75 * HEALTHY), round(0.75 * DISEASED)])
    steps = 2 * round(0.75 * HEALTHY) // 128  # a balanced pass shows every healthy image once
    num_images = images_per_epoch(labels, balanced=training.balanced)
    counted = count_steps(training, num_images=num_images)
    assert counted.run.num_steps == epochs * steps == epochs * 395


@pytest.mark.parametrize(
    ("place", "rows"),
    [
        (
            "test",
            {
                "plain": (89.5, 85.8, 15.2),
                "robust": (78.4, 71.6, 66.6),
                "ensemble": (89.7, 85.2, 19.4),
            },
        ),
        (
            "external",
            {
                "plain": (89.5, 89.5, 20.6),
                "robust": (66.1, 66.5, 60.9),
                "ensemble": (87.9, 87.9, 24.4),
            },
        ),
    ],
)
def test_table_1_is_copied_right(place, rows):
    assert {name: tuple(row.values()) for name, row in published.TABLE_1[place].items()} == rows
    assert tuple(published.KINDS) == ("accuracy", "balanced", "robust")


def test_table_2_is_copied_right():
    means = {
        name: [published.overlap(name, each) for each in row]
        for name, row in published.TABLE_2.items()
    }
    assert means["plain"] == [0.09, 0.08, 0.07, 0.07, 0.07]
    assert means["robust"] == means["ensemble"] == [0.15, 0.14, 0.13, 0.12, 0.12]
    assert (
        published.overlap("plain", "GBP, stem only") == 0.09
        and published.overlap("plain", "VCE l3") is None
    )
