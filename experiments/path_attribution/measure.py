"""The sweeps of every method over the balanced subset, kept by what each depends on."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.charachon.classifier import Network
from experiments.path_attribution.adversary import turned_over
from experiments.path_attribution.config import Config
from experiments.path_attribution.explained import Explained
from experiments.path_attribution.faithfulness import (
    Faithfulness,
    NotMeasured,
    Sweep,
    random_sweep,
    regions_replaced,
    sweep,
)
from experiments.path_attribution.published import RANDOM
from experiments.shared.stages import Workspace
from trainers import digest


def measure(
    config: Config,
    network: Network,
    explained: Explained,
    others: Float[np.ndarray, "n h w c"],
    maps: Mapping[str, Float[np.ndarray, "n h w"]],
    workspace: Workspace,
) -> Faithfulness | NotMeasured:
    """Overwrites the images of the balanced subset in the order of every method's map.

    Args:
        config: of the run.
        network: the classifier.
        explained: the images; those whose decision the adversary does not turn over are left out,
            as configured.
        others: the adversary of each explained image.
        maps: by method, of each explained image.
        workspace: keeps the curves.

    Returns:
        The sweeps, or why there are none: an adversary that turns over too few images.
    """
    settings, batch_size = config.faithfulness, config.batch_size
    rows = explained.perturbed
    chosen = turned_over(
        settings, network, others[rows], explained.predicted[rows], batch_size=batch_size
    )
    if chosen.too_few:
        return NotMeasured(chosen.too_few)
    rows = rows[chosen.kept]
    images, predicted = explained.images.arrays["image"][rows], explained.predicted[rows]
    given: dict[str, Any] = {"predicted": predicted, "batch_size": batch_size}

    def kept(name: str, compute: Callable[[], Sweep], *depends: object) -> Sweep:
        identity = [
            settings,
            network.identity,
            explained.images.take(rows).identity,
            digest(others[rows]),
            *depends,
        ]
        return Sweep(**workspace.cached(f"sweep {name}", identity, lambda: compute()._asdict()))

    found = {
        RANDOM: kept(
            RANDOM,
            lambda: random_sweep(
                settings, network.classifier, images, others[rows], seed=config.seed, **given
            ),
            config.seed,
        )
    }
    for name, values in maps.items():
        ranked = values[rows]

        def compute(name: str = name, ranked: np.ndarray = ranked) -> Sweep:
            return sweep(
                settings, network.classifier, images, others[rows], ranked, progress=name, **given
            )

        found[name] = kept(name, compute, digest(ranked))
    regions = regions_replaced(settings, images.shape[1])
    return Faithfulness(
        predicted, found, regions, explained.groups_of(rows), chosen.share, explained.group_unit
    )
