"""Numbers that a network is built from: whole, at least 1, and as many as there must be."""

import math

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.models.layers.checks import (
    check_all_numbers,
    check_filters,
    check_height_and_width,
    check_numbers,
    check_shares,
    per_channel,
)


def test_numbers_of_python_and_numpy_pass_alone_and_in_sequences():
    check_numbers({"width": 3, "depth": np.int32(1)})
    check_all_numbers({"widths": (1, np.int64(4)), "filters": [2]})
    check_filters([4, np.int64(2)], at_least=2)
    check_filters((), at_least=0)
    check_height_and_width((8, np.int64(6)))
    check_shares({"dropout": 0, "momentum": np.float32(0.5)})
    assert per_channel("mean", [0.25, 1], 2) == (0.25, 1.0)


@pytest.mark.parametrize("odd", ["a", 2.5, None, True, math.nan, {}, 10**30, np.ones(2)])
def test_what_is_no_whole_number_is_refused_in_one_line(odd):
    with pytest.raises(InputError, match="width: expected an integer of at"):
        check_numbers({"width": odd})
    for filters in (odd, (4, odd)):
        with pytest.raises(InputError, match="widths: expected"):
            check_all_numbers({"widths": filters})
        with pytest.raises(InputError, match="filters: expected at least 1 numbers of at least 1"):
            check_filters(filters, at_least=1)
    for size in (odd, (8, odd)):
        with pytest.raises(InputError, match=r"size: expected \(height, width\)"):
            check_height_and_width(size)


@pytest.mark.parametrize("empty", [(), []])
def test_no_number_at_all_counts_as_0(empty):
    with pytest.raises(InputError, match="widths: expected at least 1, got 0"):
        check_all_numbers({"widths": empty})


@pytest.mark.parametrize("odd", ["a", None, (0.5, 0.5), math.nan, -0.1, 1.0])
def test_what_is_no_share_is_refused_in_one_line(odd):
    with pytest.raises(InputError, match="dropout: expected"):
        check_shares({"dropout": odd})


@pytest.mark.parametrize("odd", ["a", [1.0, [2.0, 3.0]], [1.0], {}, math.inf])
def test_what_is_no_number_for_each_channel_is_refused_in_one_line(odd):
    with pytest.raises(InputError, match="std: expected one finite number, or one for each of 2"):
        per_channel("std", odd, 2)
