"""Closeness against loops, cosine distances against SciPy."""

import numpy as np
import pytest
import scipy.spatial.distance

from cfx_jax.errors import InputError
from cfx_jax.metrics import (
    cosine_distance,
    identity,
    latent_space_closeness,
    latent_space_closeness_released,
    same_identity,
)

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
    np.testing.assert_array_equal(
        latent_space_closeness(queries, np.asarray([[1.0], [2.0]])), [False, False]
    )
    np.testing.assert_array_equal(
        latent_space_closeness(queries, np.asarray([[1.0], [1.0]])), [False, False]
    )
    same = np.full((3, 2), 0.1)
    assert not latent_space_closeness(same, same).any()


def released_by_loop(queries, explanations, num_components):
    """The notebook's own words: of the nearest 11, nothing of another query before the real one."""
    pool = np.concatenate([queries, *explanations])
    owner = np.tile(np.arange(len(queries)), 1 + len(explanations))
    centred = pool - pool.mean(axis=0)
    rows = centred @ np.linalg.svd(centred, full_matrices=False)[2][:num_components].T
    successes = []
    for index in range(len(queries), len(pool)):
        neighbours = np.argsort(np.linalg.norm(rows - rows[index], axis=1))[: len(explanations) + 1]
        real = np.flatnonzero(neighbours == owner[index])
        successes.append(
            real.size == 1 and bool((owner[neighbours[: real[0]]] == owner[index]).all())
        )
    return np.reshape(successes, (len(explanations), len(queries)))


@pytest.mark.parametrize("rows_at_once", [50, 1024])
@pytest.mark.parametrize("num_components", [3, 300])
def test_released_closeness_matches_the_search_of_neighbours(
    monkeypatch, rows_at_once, num_components
):
    monkeypatch.setattr(identity, "_ROWS_AT_ONCE", rows_at_once)
    queries = RNG.normal(size=(40, 8)) + 100
    explanations = queries + 0.6 * RNG.normal(size=(10, 40, 8))
    expected = released_by_loop(queries, explanations, num_components)
    assert 0.05 < np.mean(expected) < 0.95
    found = latent_space_closeness_released(queries, explanations, num_components=num_components)
    np.testing.assert_array_equal(found, expected)
    assert found.mean() < np.mean([latent_space_closeness(queries, each) for each in explanations])


def test_released_closeness_counts_other_queries_and_other_bins():
    queries = np.asarray([[0.0], [10.0], [20.0]])
    explanations = np.asarray([[[6.0], [11.0], [21.0]], [[0.0], [3.0], [20.0]]])
    found = latent_space_closeness_released(queries, explanations)
    # 6 is nearer to query 1 than to query 0; 3 is nearer to 0 and to 6, explanations of query 0,
    # than to query 1.
    np.testing.assert_array_equal(found, [[False, True, True], [True, False, True]])


def test_released_closeness_of_equal_distances_is_no_success():
    same = np.ones((3, 2))
    assert not latent_space_closeness_released(same, same[None]).any()


def test_cosine_distance_matches_scipy():
    first, second = RNG.normal(size=(20, 8)), RNG.normal(size=(20, 8))
    expected = [scipy.spatial.distance.cosine(a, b) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(cosine_distance(first, second), expected, atol=1e-12)
    np.testing.assert_allclose(cosine_distance(first, 7 * second), expected, atol=1e-12)


def test_verified_is_strict():
    first = np.asarray([[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [2, 0, 0, 0]])
    second = np.asarray([[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 1], [4, 3, 0, 0]])
    np.testing.assert_allclose(cosine_distance(first, second), [0, 1, 0.5, 0.2], atol=1e-15)
    np.testing.assert_array_equal(same_identity(first, second), [True, False, False, True])
    np.testing.assert_array_equal(
        same_identity(first, second, threshold=1.0), [True, False, True, True]
    )


def test_a_single_query_and_other_shapes_are_refused():
    with pytest.raises(
        InputError,
        match=r"queries: expected rows \(n, d\) of at least 2 images, got shape \(1, 3\)",
    ):
        latent_space_closeness(np.ones((1, 3)), np.ones((1, 3)))
    with pytest.raises(
        InputError, match=r"explanations: expected the shape of queries \(2, 3\), got \(2, 4\)"
    ):
        latent_space_closeness(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(
        InputError, match=r"\(k, n, d\) with the shape of queries \(n, d\) \(2, 3\), got \(2, 3\)"
    ):
        latent_space_closeness_released(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(
        InputError, match="num_components: expected an integer of at least 1, got 0"
    ):
        latent_space_closeness_released(np.ones((2, 3)), np.ones((1, 2, 3)), num_components=0)
    with pytest.raises(
        InputError, match="second: expected embeddings with a direction, got 1 that are all zero"
    ):
        cosine_distance(np.ones((2, 3)), np.asarray([[0, 0, 0], [1, 1, 1]]))
    with pytest.raises(InputError, match="first: expected finite numbers, got 1 of 6"):
        cosine_distance(np.asarray([[np.nan, 0, 0], [1, 1, 1]]), np.ones((2, 3)))
    with pytest.raises(
        InputError, match=r"threshold: expected a cosine distance in \(0, 2\], got 0"
    ):
        same_identity(np.ones((2, 3)), np.ones((2, 3)), threshold=0)
