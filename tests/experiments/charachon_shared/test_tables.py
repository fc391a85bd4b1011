"""The table of the nearness to true counterfactuals."""

from types import SimpleNamespace

import numpy as np

from cfx_jax.metrics import bootstrap_interval
from experiments.charachon_shared import Groups, truth_table


def test_nearness_to_the_truth_is_drawn_by_group():
    values, groups = np.repeat(np.linspace(20, 30, 10), 4), np.repeat(np.arange(10), 4)
    values[:4] = np.nan  # without a lesion
    quality = SimpleNamespace(
        to_truth={"inside": values, "outside": values}, image_to_truth={"inside": values}
    )
    (_, *generator), (_, *image) = truth_table({"SyCE": quality}, Groups(groups))[1]
    by_group = tuple(bootstrap_interval(values[4:], groups=groups[4:]))
    assert generator == [by_group, by_group] and image == [by_group, None]
    assert by_group != tuple(bootstrap_interval(values[4:]))


def test_there_is_no_table_without_true_counterfactuals():
    quality = SimpleNamespace(to_truth={}, image_to_truth={})
    assert truth_table({"SyCE": quality}, Groups()) is None
