"""Tables on the organ and its surroundings, on toys whose answers are known."""

import dataclasses
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from cfx_jax.errors import InputError
from experiments.charachon_shared import Groups, Setup, load_images
from experiments.charachon_shared.organ import (
    _as_other,
    best_threshold,
    describe_missing,
    keep_part,
    number_table,
    outside_table,
    parts_table,
    reliance_table,
)
from experiments.path_attribution.presets import SMOKE
from experiments.shared import ImageSet, StoredImages

MASK = np.zeros((8, 8), bool)
MASK[2:6, 2:6] = True
DECISIVE = {"organ": MASK, "surroundings": ~MASK}


def brightness(part, image):
    """A classifier that decides by the mean brightness of a part of the image."""
    score = 20 * ((image[..., 0] * part).sum() / part.sum() - 0.5)
    return jnp.stack([-score, score])


def toy(part, *, count=40, seed=0):
    """Images whose class is told by the brightness of a part; the other one is noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = rng.uniform(0.3, 0.7, (count, 8, 8, 1)).astype(np.float32)
    level = np.where(labels == 1, 0.7, 0.3)[:, None, None] + rng.normal(0, 0.02, (count, 1, 1))
    images[..., 0] = np.where(DECISIVE[part], level, images[..., 0])
    arrays = {"image": images, "label": labels, "organ_mask": np.tile(MASK, (count, 1, 1))}
    return ImageSet.whole(StoredImages(arrays, ("healthy", "ill")), "toy")


def setup_of(part, *, flipped=0):
    train, test = toy(part), toy(part, seed=1)
    classifier = Partial(brightness, DECISIVE[part].astype(np.float32))
    logits = np.stack([classifier(image) for image in test.arrays["image"]])
    labels = np.array(test.labels)
    labels[:flipped] = 1 - labels[:flipped]  # wrong labels, so that nothing is perfect
    test.labels = labels
    data = SimpleNamespace(
        train=train,
        test=test,
        finding=1,
        class_names=("healthy", "ill"),
        groups=Groups(),
        annotation=None,
    )
    network = SimpleNamespace(classifier=classifier, logits=logits)
    return Setup(SMOKE, data, network, None)


def rows_of(table):
    return {row[0]: row[1:] for row in table[1]}


@pytest.mark.parametrize("seed", range(4))
def test_the_threshold_is_that_of_the_best_balanced_accuracy(seed):
    rng = np.random.default_rng(seed)
    positive = rng.random(30) < 0.3
    values = np.round(rng.normal(0, 1, 30) + (-1) ** seed * positive, 1)
    sign, threshold = best_threshold(values, positive)
    reached = balanced_accuracy_score(positive, sign * (values - threshold) >= 0)
    candidates = np.unique(values)
    between = [-9.0, *((candidates[1:] + candidates[:-1]) / 2), 9.0]
    best = max(
        balanced_accuracy_score(positive, side * (values - at) >= 0)
        for at in between
        for side in (1, -1)
    )
    assert reached == pytest.approx(best)


@pytest.mark.parametrize("part", DECISIVE)
def test_the_number_that_decides_is_found_and_its_figures_are_scikit_learns(part):
    setup = setup_of(part, flipped=4)
    rows = rows_of(number_table(setup))
    other = "surroundings" if part == "organ" else "organ"
    values = setup.data.test.arrays["image"][..., 0][:, DECISIVE[part]].mean(axis=-1)
    auc, accuracy = rows[f"mean brightness of the {part}"]
    labels = setup.data.test.labels
    assert auc[0] == pytest.approx(roc_auc_score(labels, values))
    assert accuracy[0] == pytest.approx(balanced_accuracy_score(labels, values > 0.5))
    assert 0 < accuracy[1] < accuracy[0] < accuracy[2] <= 1
    assert rows[f"mean brightness of the {other}"][0][1] < 0.75
    assert rows["the classifier"][0][0] == pytest.approx(auc[0])
    assert "the organ's share of the image" not in rows  # it is the same in every image


@pytest.mark.parametrize("part", DECISIVE)
def test_decisions_change_with_the_part_that_decides_and_not_with_the_other(part):
    rows = rows_of(reliance_table(setup_of(part)))
    other = "surroundings" if part == "organ" else "organ"
    healthy, ill, auc = rows["as they are"]
    assert healthy[0] == ill[0] == 0 and auc[0] == 1
    healthy, ill, auc = rows[f"{part} black"]
    assert (healthy[0], ill[0], auc[0]) == (0, 1, 0.5)
    healthy, ill, _ = rows[f"{part} as bright as in the other class"]
    assert healthy[0] == ill[0] == 1
    for change in (f"{other} black", f"{other} as bright as in the other class"):
        healthy, ill, auc = rows[change]
        assert healthy[0] == ill[0] == 0 and auc[0] == 1


def test_what_is_black_already_is_not_blackened():
    setup = setup_of("organ")
    for images in (setup.data.train, setup.data.test):
        images.arrays["image"][:] *= MASK[..., None]
    names = rows_of(reliance_table(setup))
    assert "surroundings black" not in names and "organ black" in names


def test_shares_of_maps_outside_are_those_counted_by_hand():
    setup = setup_of("organ")
    images = setup.data.test
    half = np.zeros((40, 8, 8))
    half[:, 0, 0], half[:, 3, 3] = 3, 1
    rows = rows_of(
        outside_table(setup, images, {"all": ~MASK + np.zeros((40, 1, 1)), "half": half})
    )
    assert rows["all"][0][0] == rows["all"][1][0] == 1
    assert rows["half"][0][0] == pytest.approx(0.75)
    grey = images.arrays["image"][..., 0]
    expected = np.mean(grey[:, ~MASK].sum(axis=1) / grey.sum(axis=(1, 2)))
    assert rows["control: brightness, the image itself"][0][0] == pytest.approx(expected, rel=1e-4)
    assert rows["control: random pixels"][0][0] == pytest.approx(0.75, abs=0.03)


def test_images_without_an_organ_are_left_out_and_counted():
    setup = setup_of("organ")
    images = setup.data.test
    inside = np.broadcast_to(MASK, (40, 8, 8)).astype(float)
    images.arrays["organ_mask"][:10] = False
    sums, highest = rows_of(outside_table(setup, images, {"inside": inside}))["inside"]
    assert (sums[0], highest[0]) == (0, 0)
    decided = np.array(setup.network.logits[:, 1] > setup.network.logits[:, 0], int)
    table = parts_table(setup, images, decided, {"mirror": 1 - images.arrays["image"]})
    _, _, organ, surroundings = rows_of(table)["mirror"]
    assert (organ[0], surroundings[0]) == (1, 0)
    assert "10 of 40" in describe_missing(images)


def test_a_sparse_map_is_not_kept_where_it_is_zero():
    setup = setup_of("organ")
    sparse = np.zeros((40, 8, 8))
    sparse[:, 3, 3] = 1
    rows = rows_of(outside_table(setup, setup.data.test, {"sparse": sparse}))
    assert rows["sparse"][1][0] == 0


def test_classes_that_are_as_bright_where_an_organ_is_found_keep_their_brightness():
    images = np.full((8, 4, 4, 1), 0.5, np.float32)
    masks, decided = np.ones((8, 4, 4), bool), np.arange(8) % 2
    masks[[0, 2]] = False
    np.testing.assert_allclose(_as_other(images, masks, decided), images)
    one_class = _as_other(images, masks, np.zeros(8, int))
    np.testing.assert_array_equal(one_class, images)


@pytest.mark.parametrize("part", DECISIVE)
def test_the_part_of_a_change_that_turns_decisions_over_is_found(part):
    setup = setup_of(part)
    images = setup.data.test
    decided = np.array(setup.network.logits[:, 1] > setup.network.logits[:, 0], int)
    adversaries = {"mirror": 1 - images.arrays["image"]}
    outside, whole, organ, surroundings = rows_of(parts_table(setup, images, decided, adversaries))[
        "mirror"
    ]
    assert whole[0] == 1
    assert (organ[0], surroundings[0]) == ((1, 0) if part == "organ" else (0, 1))
    change = np.abs(2 * images.arrays["image"][..., 0] - 1)
    expected = np.mean(change[:, ~MASK].sum(axis=1) / change.sum(axis=(1, 2)))
    assert outside[0] == pytest.approx(expected, rel=1e-4)


def test_networks_that_see_a_part_are_trained_on_nothing_else():
    images = toy("organ")
    grey = images.arrays["image"]
    organ, around = (keep_part(images, part).arrays["image"] for part in DECISIVE)
    np.testing.assert_array_equal(organ + around, grey)
    assert not organ[:, ~MASK].any() and not around[:, MASK].any()
    identities = {str(keep_part(images, part).identity) for part in DECISIVE}
    assert len(identities | {str(images.identity)}) == 3
    np.testing.assert_array_equal(keep_part(images, "organ").labels, images.labels)


def test_organs_are_not_looked_for_in_drawn_worlds():
    config = dataclasses.replace(SMOKE, organ="found", data="brain")
    with pytest.raises(InputError, match=r"--organ: expected none with --data brain"):
        load_images(config, None)
