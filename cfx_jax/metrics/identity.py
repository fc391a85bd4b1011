"""Whether an explanation still shows its query (Singla et al. 2020, section 4.4 and equation 10)."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.checks import check_count
from cfx_jax.errors import InputError, import_extra
from cfx_jax.metrics.value_arrays import as_rows, check_same_shape

_ROWS_AT_ONCE = 1024


def latent_space_closeness(
    queries: Float[np.ndarray, "n d"], explanations: Float[np.ndarray, "n d"]
) -> Bool[np.ndarray, " n"]:
    """Whether each explanation's nearest embedding is its query's rather than another
    explanation's.

    A query succeeds where its distance to its own explanation is strictly less than the least
    distance between that explanation and those of all other queries towards the same δ. The mean
    over queries, and over every δ, is the latent space closeness. It falls as the number of queries
    grows: report that number.

    Args:
        queries: the embeddings E(x), n at least 2.
        explanations: the embeddings E(x_δ) of their explanations for one δ, found by encoding the
            explanation itself.

    Returns:
        ``(n,)``, True for a success.

    Raises:
        InputError: fewer than two queries, embeddings that are not finite, or the shapes differ.
    """
    queries = as_rows(queries, name="queries", at_least=2)
    explanations = as_rows(explanations, name="explanations", at_least=2)
    check_same_shape(queries, explanations, names=("queries", "explanations"))
    nearest = np.concatenate(list(_nearest_others(explanations)))
    # The nearest one is found by products, which round; its distance is taken from the difference,
    # which does not.
    blocks = np.array_split(np.arange(len(queries)), -(-len(queries) // _ROWS_AT_ONCE))
    own = [np.linalg.norm(queries[block] - explanations[block], axis=1) for block in blocks]
    others = [
        np.linalg.norm(explanations[block] - explanations[nearest[block]], axis=1)
        for block in blocks
    ]
    return np.concatenate(own) < np.concatenate(others)


def latent_space_closeness_released(
    queries: Float[np.ndarray, "n d"],
    explanations: Float[np.ndarray, "k n d"],
    *,
    num_components: int = 300,
) -> Bool[np.ndarray, "k n"]:
    """Whether nothing of another query is nearer to each explanation than its own query, as the
    authors' notebook has it.

    All queries and all explanations, of every bin, are pooled and reduced to their principal
    components. An explanation succeeds where its query comes before all other queries and their
    explanations among its neighbours; explanations of its own query may come before. Stricter than
    ``latent_space_closeness``, whose competitors are explanations of the same bin alone: the two
    are not to be compared.

    Deviations: neighbours are exact, not approximate. The notebook looks at 11 neighbours, which
    are the explanation itself, the others of its query and the query for 10 bins, so their number
    decides nothing and is left out. Its embeddings of explanations are of the query under the
    desired bin: give those of the explanations themselves.

    Args:
        queries: the embeddings E(x), n at least 2.
        explanations: the embeddings E(x_δ) of their explanations for each of k bins.
        num_components: how many principal components are kept, where there are more, at least 1.

    Returns:
        ``(k, n)``, True for a success.

    Raises:
        InputError: fewer than two queries, embeddings that are not finite, shapes that do not
            match, or no component.
    """
    queries, explanations = as_rows(queries, name="queries", at_least=2), np.asarray(explanations)
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
    """1 - cosine similarity of each pair of embeddings.

    Args:
        first: one embedding for each image.
        second: one for each image's partner.

    Returns:
        ``(n,)`` numbers in [0, 2].

    Raises:
        InputError: no image, embeddings that are zero or not finite, or the shapes differ.
    """
    first, second = _directions(first, "first"), _directions(second, "second")
    check_same_shape(first, second, names=("first", "second"))
    return 1 - np.clip((first * second).sum(axis=1), -1, 1)


def verified(
    first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "n d"], *, threshold: float = 0.5
) -> Bool[np.ndarray, " n"]:
    """Whether two embeddings are taken for one person; the mean is the face verification accuracy.

    Report it on pairs of different people too. The threshold belongs to a network trained on
    VGGFace2: find another for another network, on real pairs of the same and of different people.

    Args:
        first: the embedding of each image, from a network that recognises faces.
        second: that of its explanation.
        threshold: pairs with a cosine distance strictly below it are verified; in (0, 2], the
            paper's 0.5.

    Returns:
        ``(n,)``, True where verified.

    Raises:
        InputError: as ``cosine_distance``, or another threshold.
    """
    if not 0 < threshold <= 2:
        raise InputError(f"threshold: expected a cosine distance in (0, 2], got {threshold}")
    return cosine_distance(first, second) < threshold


def _nearest_others(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the number of the nearest other row, for blocks of rows: all distances at once would
    not fit.
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
    """The squared distance from each row of a block to the nearest row of another query."""
    squares = (rows**2).sum(axis=1)
    distances = squares - 2 * rows[block] @ rows.T
    distances[identity[block][:, None] == identity] = np.inf
    # Taken from the difference, since the products round.
    return np.square(rows[block] - rows[distances.argmin(axis=1)]).sum(axis=1)


def _principal_components(rows: Float[np.ndarray, "n d"], count: int) -> Float[np.ndarray, "n c"]:
    """Centred rows on the axes along which they vary most; all of them where there are no more than
    that.
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
            f" all zero"
        )
    return rows / norms
