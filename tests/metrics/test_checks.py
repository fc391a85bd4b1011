"""What metrics take, and what they refuse."""

import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics.checks import (
    as_decisions,
    as_numbers,
    as_probabilities,
    as_rows,
    as_vector,
    check_same_shape,
)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32, jnp.bfloat16])
def test_decisions_may_be_of_any_kind(kind):
    decisions = as_decisions(jnp.asarray([1, 0, 1]).astype(kind), name="labels")
    assert decisions.dtype == bool
    np.testing.assert_array_equal(decisions, [True, False, True])


def test_numbers_become_float64_and_keep_their_values():
    numbers = as_numbers(np.asarray([3, -2], np.int8), name="scores")
    assert numbers.dtype == np.float64
    np.testing.assert_array_equal(numbers, [3, -2])
    assert as_rows(np.ones((2, 3), np.float32), name="features").dtype == np.float64


def test_probabilities_keep_their_shape_and_their_ends():
    np.testing.assert_array_equal(as_probabilities([[0, 1]], name="before"), [[0, 1]])
    assert as_probabilities(np.zeros((0, 3)), name="before").shape == (0, 3)


def test_probabilities_may_pass_their_ends_by_rounding():
    np.testing.assert_array_equal(as_probabilities([-1e-7, 1.0000001], name="before"), [0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: as_vector(np.float32(1), name="x"),
            r"x: expected one value for each .* got shape \(\)",
        ),
        (
            lambda: as_vector(np.zeros(0), name="x"),
            r"x: expected one value for each .* got shape \(0,\)",
        ),
        (
            lambda: as_numbers(np.asarray(["a"]), name="x"),
            "x: expected real numbers, got dtype <U1",
        ),
        (
            lambda: as_numbers(np.asarray([1j]), name="x"),
            "x: expected real numbers, got dtype complex128",
        ),
        (
            lambda: as_numbers(np.asarray([np.nan, 1]), name="x"),
            "x: expected finite numbers, got 1 of 2 that are NaN",
        ),
        (
            lambda: as_decisions(np.asarray([-1, 1]), name="x"),
            r"x: expected 0 and 1 \(or booleans\), got -1: compare",
        ),
        (
            lambda: as_probabilities([1.2, 0.1], name="x"),
            r"x: expected probabilities in \[0, 1\], got \[0.1, 1.2\]",
        ),
        (
            lambda: as_rows(np.ones(3), name="x"),
            r"x: expected rows \(n, d\) of at least 1 images, got shape \(3,\)",
        ),
        (lambda: as_rows(np.ones((3, 0)), name="x"), r"x: expected rows .* got shape \(3, 0\)"),
        (
            lambda: check_same_shape(np.ones(2), np.ones(3), names=("a", "b")),
            r"b: expected the shape of a \(2,\), got",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
