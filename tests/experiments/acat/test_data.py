"""The scans of ACAT's experiment, read as they are needed, and the networks that fit them."""

import dataclasses
import tracemalloc

import ct_layouts
import numpy as np
import pytest
from flax import nnx

from cfx_jax.checks import check_images
from cfx_jax.data import check_saliency, to_native_grid
from cfx_jax.data.sets import IST3, MosMed
from cfx_jax.errors import InputError
from cfx_jax.metrics import volume_overlap
from experiments.acat.data import UNKNOWN, load_scans, split_scans
from experiments.acat.facts import ChosenFacts
from experiments.acat.maps import OURS
from experiments.acat.maps.localisation import score
from experiments.acat.networks import (
    ACAT,
    ACAT_NETWORK,
    BASELINE,
    BASELINE_NETWORK,
    GROUPS,
    VIT,
    Network,
    choose_networks,
    select_fitting,
)
from experiments.acat.presets import PRESETS, SMOKE
from experiments.acat.setup import Setup
from experiments.acat.study import study_kind
from experiments.acat.training import by_share, plan_trainings
from experiments.shared import Workspace, fill_rows, row_bytes, row_slices
from trainers import count_steps, digest

SHAPE = (3, 16, 16)
HEADS = {  # scan -> patient, side, infarct_size, territory, whether it has an atlas
    f"p{number}/{when}.nii.gz": (f"p{number}", *facts)
    for number in range(10)
    for when, facts in (
        ("admission", ("none", "0", "", False)),
        ("followup", ("left", "2", "left MCA", True) if number % 2 else ("right", "", "", False)),
    )
}


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """The layout of IST-3 with ten patients, and a folder to work in."""
    top = tmp_path_factory.mktemp("heads")
    return ct_layouts.write_ist3(top / "raw", HEADS), Workspace(top / "work")


def tiny(**options):
    return dataclasses.replace(
        SMOKE, ist3_shape=SHAPE, shape=SHAPE, rows=(), num_shown=1, **options
    )


def test_ist3_without_an_atlas_of_each_scan_can_be_opened(heads):
    folder, workspace = heads
    scans = load_scans(tiny(), f"ist3:{folder}", workspace)
    source = IST3(None, workspace.root / "sets", shape=SHAPE)
    assert scans.shape == SHAPE and len(scans.labels) == 20 and isinstance(scans.images, np.memmap)
    np.testing.assert_array_equal(scans.images[7], source[7]["image"])
    # Of a lesion whose size is not given nobody knows it; a scan without a lesion has none.
    assert list(scans.sizes[:4]) == [0, UNKNOWN, 0, 2] and list(scans.labels[:4]) == [0, 2, 0, 1]
    with_atlas, without = scans.facts[3], scans.facts[1]
    np.testing.assert_array_equal(with_atlas["atlas"], source.marks(3))
    assert with_atlas["territory"] == 1 and without["territory"] == 0
    assert not without["atlas"].any() and not without["organ"].any()
    assert "5 of 20 scans have an atlas" in scans.note
    parts = split_scans(tiny(), scans, 0)
    patients = [set(scans.units(part)) for part in parts]
    assert not (patients[0] & patients[1] or patients[0] & patients[2] or patients[1] & patients[2])


@pytest.mark.slow
def test_a_study_of_ist3_runs_where_scans_lack_an_atlas(heads):
    folder, workspace = heads
    config = tiny(seeds=(1,), acat_detects=False, unbounded_steps=(), train=0.4, test=0.4)
    scans = load_scans(config, f"ist3:{folder}", workspace)
    setup = Setup(config, scans, workspace)
    results = study_kind(setup, plan_trainings(setup))
    run = results.runs[0]
    test = split_scans(config, scans, 1).test
    positive = test[scans.positive[test]]
    known = np.array([scans.facts[int(place)]["territory"] > 0 for place in positive])
    assert 0 < known.sum() < len(known)
    np.testing.assert_array_equal(np.isfinite(run.detection.scores[OURS]["hits"]), known)
    np.testing.assert_array_equal(run.detection.units, scans.groups[positive])
    assert set(run.answers.decided) == {BASELINE, ACAT} and run.attention.masks.shape == (
        1,
        3,
        *SHAPE[1:],
    )


def test_table_5_is_scored_on_the_grid_of_the_published_scan(tmp_path):
    folder = ct_layouts.write_mosmed(tmp_path / "raw")
    workspace = Workspace(tmp_path / "work")
    scans = load_scans(tiny(), f"mosmed:{folder}", workspace)
    source = MosMed(None, workspace.root / "sets", part="masked", shape=SHAPE)
    facts, saliency = scans.located[1], np.random.default_rng(0).random(SHAPE).astype(np.float32)
    native = to_native_grid(saliency, source.places(1), tuple(source.native_shapes[1]))
    expected = volume_overlap(native, source.native_marks(1) > 0)
    scores = score(saliency, facts)
    assert scores["macro_dice"] == expected.macro_dice
    assert scores["macro_iou"] == expected.macro_iou
    assert scores["dice"] != volume_overlap(saliency, facts["lesion_mask"]).dice
    assert len(scans.located) == 2 and scans.places is None and list(scans.sizes) == [0, 0, 2, 3, 4]


def test_worlds_know_where_findings_are_or_would_be(tmp_path):
    config = dataclasses.replace(SMOKE, num_scans=8, num_located=2)
    scans = load_scans(config, "stroke", Workspace(tmp_path))
    for place in range(8):
        facts = scans.facts[place]
        changed = np.abs(facts["image"] - facts["counterfactual"])[..., 0] > 0
        assert not changed[scans.places[place, ..., 0] == 0].any()
        assert scans.places[place].any() or not changed.any()
    assert scans.located[0]["territory"] > 0 and set(np.unique(scans.places)) <= {0, 1}
    assert len({scans.located[0]["image"].tobytes(), scans.facts[0]["image"].tobytes()}) == 2


def test_no_more_than_a_few_of_the_published_scans_are_in_memory_together():
    for shape, number in ((PRESETS["paper"].ist3_shape, 5868), (PRESETS["paper"].shape, 426)):
        parts = list(row_slices(number, row_bytes((number, *shape, 1))))
        assert max(part.stop - part.start for part in parts) * np.prod(shape) * 4 <= 2**26
        np.testing.assert_array_equal(
            np.concatenate([np.arange(number)[part] for part in parts]), np.arange(number)
        )


def test_a_validation_set_in_a_file_is_looked_at_without_a_copy(tmp_path):
    shape = (64, 4, 128, 128, 1)
    maps = fill_rows(
        tmp_path, shape, lambda rows: np.full((len(rows), *shape[1:]), 0.5, np.float32)
    )
    tracemalloc.start()
    check_saliency(maps, shape, name="maps")
    check_images(maps.reshape(-1, *shape[2:]))
    digest({"saliency": maps})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < maps.nbytes / 10


def test_facts_of_some_scans_are_those_of_their_positions():
    assert list(ChosenFacts([{"a": 1}, {"a": 2}, {"a": 3}], [2, 0])) == [{"a": 3}, {"a": 1}]


@pytest.mark.parametrize(("number", "epoch"), [(298, 37), (4108, 513), (50, 6), (500, 62)])
def test_trainings_last_for_the_published_epochs_whatever_the_number_of_scans(number, epoch):
    paper = PRESETS["paper"]
    for settings, epochs in ((paper.baseline, 200), (paper.from_baseline, 100)):
        assert (
            by_share(settings, 0.3) == settings
        )  # Table 4's sizes are counted out as all others are
        counted = count_steps(settings, num_images=number).run
        assert (counted.num_steps, counted.steps_per_epoch) == (epochs * epoch, epoch)
        assert counted.evaluate_every == counted.checkpoint_every == epoch
        assert (
            0 <= number - counted.num_steps * counted.batch_size / epochs < 8
        )  # whole batches leave out less than one
    assert count_steps(SMOKE.baseline, num_images=number) == SMOKE.baseline


def test_fewer_scans_are_seen_as_often():
    counted = by_share(PRESETS["demo"].baseline, 0.25).run
    assert (counted.num_steps, counted.evaluate_every, counted.steps_per_epoch) == (100, 12, 12)
    assert by_share(SMOKE.baseline, 0.01).run.num_steps == 1
    assert by_share(SMOKE.baseline, 1.0) == SMOKE.baseline


def test_networks_that_cannot_see_the_scans_are_named_before_any_is_trained():
    asked = choose_networks(("competitors", "controls"))
    rows = [row for row in asked if row.name in (BASELINE, VIT, "maps: true places", ACAT)]
    shape = PRESETS["paper"].ist3_shape
    kept, left_out = select_fitting(rows, "half_brain", shape, has_places=False)
    assert set(left_out) == {"maps: true places"} and len(kept) == len(rows) - 1
    kept, left_out = select_fitting(rows, "half_brain", (11, 128, 128), has_places=True)
    assert set(left_out) == {VIT}
    assert "divide by the patch of 50 pixels, got 128x128" in left_out[VIT]
    rows = BASELINE_NETWORK, ACAT_NETWORK
    message = r"--trunks: expected networks of scans of .*, got one where baseline fails"
    with pytest.raises(InputError, match=message):
        select_fitting(rows, "half_brain_small", (3, 16, 15), has_places=True)


@pytest.mark.parametrize(
    ("trunk", "kernel"),
    [
        ("slice_resnet50", "trunk.stages.0.layers.1.conv.kernel"),
        ("half_brain", "trunk.stages.0.layers.0.conv.kernel"),
    ],
)
def test_only_the_first_kernel_of_sal_class_net_starts_at_random(trunk, kernel):
    rows = {row.name: row for row in GROUPS["competitors"]}
    assert rows["SalClassNet"].fresh_arrays(trunk, (11, 128, 128)) == (kernel,)
    assert ACAT_NETWORK.fresh_arrays(trunk, (11, 128, 128)) == ()


def test_hsm_is_the_papers_and_the_released_one_is_a_row_of_its_own():
    rows = {row.name: row for group in GROUPS.values() for row in group}
    assert rows["HSM"] == Network("HSM", "hallucinated_saliency")
    assert rows["HSM released"].architecture == "hsm"
    detector = rows["HSM"].shapes("half_brain_small", (3, 32, 32)).detector
    assert sum(isinstance(layer, nnx.Conv) for _, layer in nnx.iter_modules(detector)) == 4


def test_worlds_have_scans_for_every_run_and_others_for_the_test(tmp_path):
    config = dataclasses.replace(SMOKE, shape=(2, 32, 32), num_scans=6, num_tested=5, num_located=1)
    scans = load_scans(config, "lung", Workspace(tmp_path))
    assert len(scans.images) == 2 * 6 + 5 and scans.num_tested == 5
    assert len({image.tobytes() for image in scans.images}) == 17
    for array in (scans.labels, scans.sizes, scans.places):
        assert len(array) == 17
    other = dataclasses.replace(config, num_scans=4)
    fewer = load_scans(other, "lung", Workspace(tmp_path))
    np.testing.assert_array_equal(fewer.images[-5:], scans.images[-5:])
