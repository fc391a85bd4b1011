"""Closeness against a double loop, cosine distances against SciPy."""

import numpy as np
import pytest
import scipy.spatial.distance

from cfx_jax.errors import InputError
from cfx_jax.metrics import identity
from cfx_jax.metrics.identity import cosine_distance, latent_space_closeness, verified

RNG = np.random.default_rng(0)


def by_loop(queries, explanations):
    successes = []
    for i, (query, own) in enumerate(zip(queries, explanations, strict=True)):
        others = [np.linalg.norm(own - other) for j, other in enumerate(explanations) if j != i]
        successes.append(np.linalg.norm(query - own) < min(others))
    return successes


@pytest.mark.parametrize("rows_at_once", [7, 1024])
@pytest.mark.parametrize("offset", [0, 1e4])
def test_closeness_matches_the_definition(monkeypatch, rows_at_once, offset):
    monkeypatch.setattr(identity, "_ROWS_AT_ONCE", rows_at_once)
    queries = RNG.normal(size=(60, 4)) + offset
    explanations = queries + 0.4 * RNG.normal(size=(60, 4))
    expected = by_loop(queries, explanations)
    assert 0.1 < np.mean(expected) < 0.9
    np.testing.assert_array_equal(latent_space_closeness(queries, explanations), expected)


def test_closeness_at_its_ends():
    queries = RNG.normal(size=(10, 3))
    assert latent_space_closeness(queries, queries).all()
    assert not latent_space_closeness(queries, np.roll(queries, 1, axis=0) + 1e-3).any()


def test_equal_distances_are_no_success():
    queries = np.asarray([[0.0], [4.0]])
    np.testing.assert_array_equal(latent_space_closeness(queries, np.asarray([[1.0], [2.0]])), [False, False])
    np.testing.assert_array_equal(latent_space_closeness(queries, np.asarray([[1.0], [1.0]])), [False, False])
    same = np.full((3, 2), 0.1)
    assert not latent_space_closeness(same, same).any()


def test_cosine_distance_matches_scipy():
    first, second = RNG.normal(size=(20, 8)), RNG.normal(size=(20, 8))
    expected = [scipy.spatial.distance.cosine(a, b) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(cosine_distance(first, second), expected, atol=1e-12)
    np.testing.assert_allclose(cosine_distance(first, 7 * second), expected, atol=1e-12)


def test_verified_is_strict():
    first = np.asarray([[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [2, 0, 0, 0]])
    second = np.asarray([[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 1], [4, 3, 0, 0]])
    np.testing.assert_allclose(cosine_distance(first, second), [0, 1, 0.5, 0.2], atol=1e-15)
    np.testing.assert_array_equal(verified(first, second), [True, False, False, True])
    np.testing.assert_array_equal(verified(first, second, threshold=1.0), [True, False, True, True])


def test_a_single_query_and_other_shapes_are_refused():
    with pytest.raises(InputError, match=r"queries: expected rows \(n, d\) of at least 2 images, got shape \(1, 3\)"):
        latent_space_closeness(np.ones((1, 3)), np.ones((1, 3)))
    with pytest.raises(InputError, match=r"explanations: expected the shape of queries \(2, 3\), got \(2, 4\)"):
        latent_space_closeness(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(InputError, match="second: expected embeddings with a direction, got 1 that are all zero"):
        cosine_distance(np.ones((2, 3)), np.asarray([[0, 0, 0], [1, 1, 1]]))
    with pytest.raises(InputError, match="first: expected finite numbers, got 1 of 6"):
        cosine_distance(np.asarray([[np.nan, 0, 0], [1, 1, 1]]), np.ones((2, 3)))
    with pytest.raises(InputError, match=r"threshold: expected a cosine distance in \(0, 2\], got 0"):
        verified(np.ones((2, 3)), np.ones((2, 3)), threshold=0)
