"""Scores of single maps, on scans of one slice whose scores can be counted."""

import numpy as np
import pytest

from experiments.acat.maps import RANDOM, REFERENCES, TRIVIAL
from experiments.acat.maps.localisation import same_side, score, score_references
from experiments.acat.maps.names import BRIGHTEST, CHANGE, CONSTANT, DARKEST, EDGES

ATLAS = np.array([[[1, 1, 2, 4], [1, 1, 2, 4], [3, 3, 0, 4], [3, 3, 0, 6]]])
"""One slice: territories 1 to 3 are of the left side, 4 to 6 of the right."""


def head_facts(territory=1, **more):
    image = np.full((1, 4, 4, 1), 0.5, np.float32)
    image[0, 0, 0], image[0, 0, 2] = 0.2, 0.9
    mask = np.zeros((1, 4, 4), bool)
    mask[0, 0, :2] = True
    facts = {
        "image": image,
        "atlas": ATLAS,
        "organ": ATLAS > 0,
        "territory": territory,
        "lesion_mask": mask,
    }
    return (
        facts
        | {"counterfactual": np.where(mask[..., None], image + 0.25, image).astype(np.float32)}
        | more
    )


def pointing_at(row, column, shape=(1, 4, 4)):
    saliency = np.linspace(0, 0.5, np.prod(shape)).reshape(shape)
    saliency[0, row, column] = 1
    return saliency


def test_a_map_is_scored_by_territory_lesion_and_overlap():
    scores = score(pointing_at(1, 0), head_facts())
    # It lies in the territory, but not in the lesion.
    assert (scores["hits"], scores["inside"], scores["flat"]) == (1, 0, 0)
    assert score(pointing_at(0, 1), head_facts())["inside"] == 1
    assert score(pointing_at(3, 0), head_facts())["hits"] == 0
    flat = score(np.zeros((1, 4, 4)), head_facts())
    assert (flat["hits"], flat["flat"]) == (0, 1)
    # The two highest voxels, one of them in the mask of two: 13 + 1 right of 16.
    one_of_two = pointing_at(0, 0)
    one_of_two[0, 3, 3] = 0.9
    scores = score(one_of_two, head_facts())
    assert scores["dice"] == 0.5 and scores["macro_dice"] == pytest.approx((0.5 + 26 / 28) / 2)
    assert np.isnan(score(one_of_two, head_facts(territory=0))["hits"])


def test_references_need_no_network():
    scores = score_references(head_facts(), np.random.default_rng(0))
    assert {*scores, CONSTANT} == set(REFERENCES) == {*TRIVIAL, CHANGE}
    # Ten voxels of the left side, four of territory 1, two of them in the lesion.
    assert scores[RANDOM]["hits"] == pytest.approx(0.4)
    assert scores[RANDOM]["inside"] == pytest.approx(0.2)
    assert scores[DARKEST]["hits"] == 1 and scores[BRIGHTEST]["hits"] == 0
    # The steepest voxel lies between the dark and the bright one, in territory 1.
    assert scores[EDGES]["hits"] == scores[EDGES]["inside"] == 1
    assert scores[CHANGE]["hits"] == 1 and scores[CHANGE]["dice"] == 1
    np.testing.assert_array_equal(same_side(ATLAS, 4), ATLAS > 3)
    bare = {"image": head_facts()["image"], "lesion_mask": head_facts()["lesion_mask"]}
    assert score_references(bare, np.random.default_rng(0)) == {}
