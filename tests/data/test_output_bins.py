"""Bins of probabilities and the calibrated choice of training images, against counts by hand."""

import warnings

import numpy as np
import pytest

from cfx_jax.data import bin_counts, calibrated_sample, probability_bins
from cfx_jax.errors import InputError


def _images(*groups: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Bins and labels of groups (bin, images of label 0, images of label 1), in mixed order."""
    bins = np.concatenate([np.full(zeros + ones, each) for each, zeros, ones in groups])
    labels = np.concatenate([np.repeat([0, 1], [zeros, ones]) for _, zeros, ones in groups])
    order = np.random.default_rng(0).permutation(len(bins))
    return bins[order], labels[order]


def test_bins_are_closed_below_and_the_last_one_above() -> None:
    assert probability_bins(np.array([0, 0.1, 0.0999, 1.0, 0.5])).tolist() == [0, 1, 0, 9, 5]
    assert probability_bins(np.array([0.49, 0.5]), num_bins=2).tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_edge_is_in_the_bin_above_it_in_either_precision(dtype: type) -> None:
    assert probability_bins((np.arange(10) / 10).astype(dtype)).tolist() == list(range(10))


def test_what_rounding_leaves_outside_is_in_the_outer_bins() -> None:
    assert probability_bins(np.array([-1e-7, 1 + 1e-6])).tolist() == [0, 9]


def test_counts_are_of_every_bin_and_few_images_are_counted_in_a_warning() -> None:
    bins = np.repeat([0, 1, 3], [12, 4, 10])
    with pytest.warns(
        UserWarning, match=r"2 of 4 bins have fewer than 10 images: 1 \(4\), 2 \(0\): take more"
    ) as caught:
        assert bin_counts(bins, num_bins=4).tolist() == [12, 4, 0, 10]
    assert len(caught) == 1


def test_full_bins_are_counted_in_silence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bin_counts(np.repeat([0, 1], 10), num_bins=2).tolist() == [10, 10]


def test_quotas_of_label_0_fall_by_a_tenth_from_bin_to_bin() -> None:
    bins, labels = _images(*((i, 5000, 5000) for i in range(10)))
    chosen = calibrated_sample(bins, labels, per_bin=5000, seed=0)
    negatives = [int(((bins == i) & (labels == 0))[chosen].sum()) for i in range(10)]
    assert negatives == [5000, 4500, 4000, 3500, 3000, 2500, 2000, 1500, 1000, 500]
    assert np.bincount(bins[chosen]).tolist() == 10 * [5000]


def test_quotas_are_rounded_to_the_nearest_number() -> None:
    bins, labels = _images(*((i, 20, 20) for i in range(3)))
    chosen = calibrated_sample(bins, labels, per_bin=10, seed=0, num_bins=3)
    # 10, 6.67 and 3.33 of label 0.
    assert [int(((bins == i) & (labels == 0))[chosen].sum()) for i in range(3)] == [10, 7, 3]


def test_positives_fill_up_for_negatives_and_nothing_for_positives() -> None:
    """Bin 0 asks for 10 negatives and has 4; bin 1 asks for 5 and 5 and has 2 positives."""
    bins, labels = _images((0, 4, 30), (1, 30, 2))
    with pytest.warns(UserWarning, match=r"^1 of 2 bins give fewer than 10 images: 1 \(7\)$"):
        chosen = calibrated_sample(bins, labels, per_bin=10, seed=0, num_bins=2)
    found = [
        [int(((bins == i) & (labels == label))[chosen].sum()) for label in (0, 1)] for i in (0, 1)
    ]
    assert found == [[4, 6], [5, 2]]


def test_each_image_is_chosen_at_most_once_and_the_seed_fixes_which() -> None:
    bins, labels = _images((0, 40, 40), (1, 40, 40))
    one, same, other = (
        calibrated_sample(bins, labels, per_bin=20, seed=seed, num_bins=2) for seed in (1, 1, 2)
    )
    assert (np.diff(one) > 0).all()
    assert one.tolist() == same.tolist() != other.tolist()


def test_the_choice_of_a_bin_has_nothing_to_do_with_other_bins() -> None:
    bins, labels = _images((0, 40, 40), (1, 40, 40))
    both = calibrated_sample(bins, labels, per_bin=20, seed=1, num_bins=2)
    more = np.concatenate([bins, np.ones(100, int)]), np.concatenate([labels, np.zeros(100, int)])
    again = calibrated_sample(*more, per_bin=20, seed=1, num_bins=2)
    assert both[bins[both] == 0].tolist() == again[more[0][again] == 0].tolist()


def test_mistakes_are_named() -> None:
    bins, labels = _images((0, 20, 20), (1, 20, 20))
    with pytest.raises(
        InputError, match=r"probabilities: expected probabilities in \[0, 1\], got \[0.5, 7\]"
    ):
        probability_bins(np.array([0.5, 7.0]))
    with pytest.raises(InputError, match="num_bins: expected an integer of at least 1, got 0"):
        probability_bins(np.array([0.5]), num_bins=0)
    with pytest.raises(
        InputError,
        match=r"bins: expected integers in 0\.\.0, got int64 in \[0, 1\]: .*probability_bins",
    ):
        bin_counts(bins, num_bins=1)
    with pytest.raises(
        InputError, match=r"bins: expected integers in 0\.\.9, got float64 in \[0.5, 0.5\]"
    ):
        bin_counts(np.array([0.5]))
    with pytest.raises(
        InputError, match=r"several of the 10 bins, got all 40 images in bin 3: take other images"
    ):
        bin_counts(np.full(40, 3))
    with pytest.raises(InputError, match="several of the 10 bins, got all 80 images in bin 1"):
        calibrated_sample(np.ones(80, int), labels, per_bin=1, seed=0)
    with pytest.raises(InputError, match="labels: expected 0 and 1, got -1: turn -1 into 0"):
        calibrated_sample(bins, 2 * labels - 1, per_bin=1, seed=0)
    with pytest.raises(
        InputError,
        match=r"labels: expected 0 and 1, got 0.25: give the true classes, not the class",
    ):
        calibrated_sample(bins, labels / 4, per_bin=1, seed=0)
    with pytest.raises(InputError, match="labels: expected both classes, got 1 for all 80 images"):
        calibrated_sample(bins, np.ones(80), per_bin=1, seed=0)
    with pytest.raises(
        InputError, match=r"labels: expected the shape of bins \(80,\), got \(40,\)"
    ):
        calibrated_sample(bins, labels[:40], per_bin=1, seed=0)
    with pytest.raises(InputError, match="per_bin: expected an integer of at least 1, got 0"):
        calibrated_sample(bins, labels, per_bin=0, seed=0)
    with pytest.raises(InputError, match="seed: expected 0 or more, got -1"):
        calibrated_sample(bins, labels, per_bin=1, seed=-1)
