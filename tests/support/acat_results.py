"""Results of ACAT's experiment on made-up numbers, for tests of its tables and claims."""

import numpy as np

from experiments.acat.data import Scans
from experiments.acat.facts import StoredFacts
from experiments.acat.maps import METHODS, OURS, OVERLAPS, REFERENCES, Detection
from experiments.acat.maps.latent_searches import Traces
from experiments.acat.maps.localisation import FIELDS
from experiments.acat.networks import (
    ACAT,
    BASELINE,
    choose_networks,
)
from experiments.acat.study import KindStudy, Run
from experiments.acat.training import Answers

SIDES = ("none", "left", "right", "both")


def made_up_scans(labels, *, sides=True, groups=None):
    images = np.zeros((len(labels), 2, 4, 4, 1), np.float32)
    facts = StoredFacts({"image": images})
    classes = SIDES if sides else ("clear", "found")
    return Scans(
        "made up",
        images,
        labels,
        labels,
        classes,
        sides,
        facts,
        note="made up",
        identity=None,
        groups=groups,
    )


def made_up_detection(hits, *, units=None, overlaps=None):
    """Scores by method on as many scans as the first has; what is not given hits nowhere."""
    number = len(hits[OURS])
    unknown = dict.fromkeys(FIELDS, np.full(number, np.nan)) | {"flat": np.zeros(number)}
    scores = {name: unknown | {"hits": np.zeros(number)} for name in (*METHODS, *REFERENCES)}
    for name, values in hits.items():
        scores[name] = scores.get(name, unknown) | {"hits": np.asarray(values, float)}
    for name, values in (overlaps or {}).items():
        scores[name] |= dict.fromkeys(OVERLAPS, np.asarray(values, float))
    units = np.arange(number) if units is None else units
    traces = Traces(
        np.tile(np.linspace(0.9, 0.1, 21), (number, 1)),
        np.full(number, 0.6),
        np.tile([1.0, -1.0], (number, 1)),
        np.full((number, 2), 0.6),
    )
    likeness = {name: np.ones(number) for name in METHODS}
    return Detection(units, scores, likeness, units, traces, None)


def answers_of(seed, labels, decided, *, sizes=None, units=None):
    return Answers(
        seed,
        labels,
        labels if sizes is None else sizes,
        np.arange(len(labels)) if units is None else units,
        decided,
    )


def made_up_study(*counts_right, sides=True, hits=(1, 1, 1, 0, 1, 1), smaller=None):
    """Runs of 64 scans without a finding, by how many of them the baseline is right about.

    ACAT is right about all but one, another one in each run; maps of latent counterfactuals hit as
    given, the others never.
    """
    labels, runs = np.zeros(64, int), []
    for seed, count in enumerate(counts_right):
        decided = {
            BASELINE: np.where(np.arange(64) < count, 0, 1),
            ACAT: (np.arange(64) == seed).astype(int),
        }
        units = 64 * seed + np.arange(64)
        runs.append(
            Run(
                answers_of(seed, labels, decided, units=units),
                {},
                made_up_detection({OURS: np.roll(hits, seed)}),
                None,
            )
        )
    rows = choose_networks(())
    scans = made_up_scans(labels, sides=sides)
    return KindStudy(scans, rows, {}, tuple(runs), smaller or {}, 30.0, 0, None)


def row_of(table, name):
    columns, rows = table
    (cells,) = [dict(zip(columns, row, strict=True)) for row in rows if row[0] == name]
    return cells
