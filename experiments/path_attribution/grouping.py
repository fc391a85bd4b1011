"""Images grouped by the classifier's decision, so that of two generators only the one that is
needed is computed.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Int

from experiments.shared.stages import Arrays


def by_decision(
    decided: Int[np.ndarray, " n"], compute: Callable[[int, Int[np.ndarray, " m"]], Arrays]
) -> dict[str, np.ndarray]:
    """What is computed for the images of each decision apart, put together in the order of the
    images.

    Under ``vmap`` both branches of a choice are computed; a group has one generator and costs half.

    Args:
        decided: the decision on each image, 0 or 1; at least one image.
        compute: decision and the positions of its images -> arrays with leading axis m; the same
            names and shapes for both. A decision without images is not asked for.

    Returns:
        Arrays with leading axis n.
    """
    rows = {decision: np.flatnonzero(decided == decision) for decision in (0, 1)}
    parts = {decision: compute(decision, each) for decision, each in rows.items() if len(each)}
    place = np.argsort(np.concatenate([rows[decision] for decision in parts]))
    names = next(iter(parts.values())).keys()
    return {name: np.concatenate([part[name] for part in parts.values()])[place] for name in names}
