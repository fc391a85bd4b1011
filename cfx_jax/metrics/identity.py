"""Whether an explanation still shows its query.

Singla et al. 2020, section 4.4 and equation 10.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.checks import as_numpy, check_count, check_number
from cfx_jax.errors import InputError, import_extra
from cfx_jax.metrics.checks import as_rows, check_same_shape

_ROWS_AT_ONCE = 1024


def latent_space_closeness(
    queries: Float[np.ndarray, "n d"], explanations: Float[np.ndarray, "n d"]
) -> Bool[np.ndarray, " n"]:
    """Whether each explanation is nearer to its query than to every other explanation.

    A query succeeds where its distance to its own explanation is strictly less than the least
    distance between that explanation and the explanations of all other queries for the same δ. The
    mean over queries, and over every δ, is the latent space closeness. It falls as the number of
    queries grows: report that number.

    Args:
        queries: the embeddings E(x), n at least 2.
        explanations: the embeddings E(x_δ) of their explanations for one δ, found by encoding the
            explanation itself.

    Returns:
        ``(n,)``, True for a success.

    Raises:
        InputError: there are fewer than two queries, an embedding is not finite, or the shapes
            differ.

    >>> queries = np.array([[0.0, 0.0], [4.0, 0.0]])
    >>> latent_space_closeness(queries, queries + 1)
    array([ True,  True])
    """
    queries = as_rows(queries, name="queries", at_least=2)
    explanations = as_rows(explanations, name="explanations", at_least=2)
    check_same_shape(queries, explanations, names=("queries", "explanations"))
    nearest = np.concatenate(list(_nearest_others(explanations)))
    # The nearest one is found by products, which round; its distance is taken from the difference,
    # which does not.
    blocks = np.array_split(np.arange(len(queries)), -(-len(queries) // _ROWS_AT_ONCE))
    to_query = [np.linalg.norm(queries[block] - explanations[block], axis=1) for block in blocks]
    to_nearest = [
        np.linalg.norm(explanations[block] - explanations[nearest[block]], axis=1)
        for block in blocks
    ]
    return np.concatenate(to_query) < np.concatenate(to_nearest)


def latent_space_closeness_released(
    queries: Float[np.ndarray, "n d"],
    explanations: Float[np.ndarray, "k n d"],
    *,
    num_components: int = 300,
) -> Bool[np.ndarray, "k n"]:
    """Whether each explanation is nearer to its query than to all of other queries.

    The rule comes from the authors' notebook. All queries and all explanations, of every bin, are
    pooled and reduced to their principal components. An explanation succeeds where its query comes
    before all other queries and their explanations among its neighbours; explanations of its own
    query may come before. It is stricter than ``latent_space_closeness``, whose competitors are
    explanations of the same bin alone: do not compare the two.

    Deviations: neighbours are exact, not approximate. The notebook looks at 11 neighbours, which
    are the explanation itself, the others of its query and the query for 10 bins, so their number
    decides nothing and is left out. The notebook embeds the query under the desired bin in place of
    the explanation: give the embeddings of the explanations themselves.

    Args:
        queries: the embeddings E(x), n at least 2.
        explanations: the embeddings E(x_δ) of their explanations for each of k bins.
        num_components: how many principal components are kept, where there are more, at least 1.

    Returns:
        ``(k, n)``, True for a success.

    Raises:
        InputError: there are fewer than two queries or no component, an embedding is not finite, or
            the shapes do not match.

    >>> queries = np.array([[0.0, 0.0], [4.0, 0.0]])
    >>> explanations = np.stack([queries + [0.0, 0.1], queries + [0.0, 3.0]])  # of two bins
    >>> latent_space_closeness_released(queries, explanations)
    array([[ True,  True],
           [ True,  True]])
    """
    queries = as_rows(queries, name="queries", at_least=2)
    explanations = as_numpy(explanations, name="explanations")
    if explanations.ndim != 3 or explanations.shape[1:] != queries.shape or not len(explanations):
        raise InputError(
            f"explanations: expected (k, n, d) with the shape of queries (n, d) {queries.shape},"
            f" got {explanations.shape}"
        )
    check_count(num_components, name="num_components")
    pool = np.concatenate(
        [queries, as_rows(explanations.reshape(-1, queries.shape[1]), name="explanations")]
    )
    rows, count = _principal_components(pool, num_components), len(queries)
    identity = np.arange(len(rows)) % count
    succeeded = [
        np.square(rows[block] - rows[identity[block]]).sum(axis=1)
        < _nearest_stranger(rows, block, identity)
        for block in np.array_split(np.arange(count, len(rows)), -(-len(rows) // _ROWS_AT_ONCE))
    ]
    return np.concatenate(succeeded).reshape(explanations.shape[:2])


def cosine_distance(
    first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, " n"]:
    """Computes the cosine distance of each pair of embeddings, 1 - cosine similarity.

    Args:
        first: one embedding for each image.
        second: one embedding for each image's partner.

    Returns:
        ``(n,)`` numbers in [0, 2].

    Raises:
        InputError: there is no image, an embedding is zero or not finite, or the shapes differ.

    >>> cosine_distance(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 3.0]]))
    array([0., 1.])
    """
    first, second = _directions(first, "first"), _directions(second, "second")
    check_same_shape(first, second, names=("first", "second"))
    return 1 - np.clip((first * second).sum(axis=1), -1, 1)


def same_identity(
    first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "n d"], *, threshold: float = 0.5
) -> Bool[np.ndarray, " n"]:
    """Whether a network takes each pair of images for one person.

    The mean is the face verification accuracy. Report it on pairs of different people too. The
    threshold belongs to a network trained on VGGFace2: find another one for another network, on
    real pairs of the same and of different people.

    Args:
        first: the embedding of each image, from a network that recognises faces.
        second: the embedding of its explanation.
        threshold: a pair with a cosine distance strictly below it is one person; in (0, 2], the
            paper's 0.5.

    Returns:
        ``(n,)``, True for one person.

    Raises:
        InputError: as ``cosine_distance``, or the threshold is out of range.

    >>> same_identity(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[1.0, 0.1], [0.0, 1.0]]))
    array([ True, False])
    """
    check_number(threshold, name="threshold")
    if not 0 < threshold <= 2:
        raise InputError(f"threshold: expected a cosine distance in (0, 2], got {threshold}")
    return cosine_distance(first, second) < threshold


def _nearest_others(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the number of the nearest other row of each row, for blocks of rows.

    All distances at once would not fit into memory.
    """
    centred = rows - rows.mean(axis=0)
    squares = np.einsum("ij,ij->i", centred, centred)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        block = np.arange(start, min(start + _ROWS_AT_ONCE, len(rows)))
        distances = squares - 2 * centred[block] @ centred.T
        distances[np.arange(len(block)), block] = np.inf
        yield distances.argmin(axis=1)


def _nearest_stranger(
    rows: np.ndarray, block: np.ndarray, identity: np.ndarray
) -> Float[np.ndarray, " block"]:
    """Computes the squared distance of each row of a block to the nearest row of another query."""
    squares = (rows**2).sum(axis=1)
    distances = squares - 2 * rows[block] @ rows.T
    distances[identity[block][:, None] == identity] = np.inf
    # Taken from the difference, since the products round.
    return np.square(rows[block] - rows[distances.argmin(axis=1)]).sum(axis=1)


def _principal_components(rows: Float[np.ndarray, "n d"], count: int) -> Float[np.ndarray, "n c"]:
    """Projects centred rows on the axes along which they vary most.

    Where there are no more axes than components, the centred rows are returned as they are.
    """
    centred = rows - rows.mean(axis=0)
    if count >= min(rows.shape):
        return centred
    start = np.random.default_rng(0).normal(size=min(rows.shape))
    svds = import_extra("scipy.sparse.linalg", "principal components").svds
    return centred @ svds(centred, k=count, v0=start)[2].T


def _directions(rows: np.ndarray, name: str) -> np.ndarray:
    rows = as_rows(rows, name=name)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not norms.all():
        raise InputError(
            f"{name}: expected embeddings with a direction, got {int((norms == 0).sum())} that are"
            " all zero"
        )
    return rows / norms
