"""A claim about several measures at once: it holds where the least of their means is above 0."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import bootstrap_interval
from cfx_jax.report import Claim
from experiments.shared import claim, counted


def least_claim(
    name: str,
    text: str,
    paper: Mapping[str, float],
    ours: Mapping[str, float],
    leads: Float[np.ndarray, "n m"],
    statistic: str,
    *,
    groups: np.ndarray | None,
    group_unit: str,
    unit: str = "images",
    **options: Any,
) -> Claim:
    """A claim that one method leads in every measure, or leads every other method.

    Args:
        name, text, paper, ours, options: as in ``interval_claims.claim``.
        leads: the lead of each image in each measure, or on each other method.
        statistic: what the least mean lead is of, in words.
        groups: images that are drawn together, or None.
        group_unit: the groups in words.
        unit: the images in words.
    """
    interval = bootstrap_interval(leads, statistic=_least_mean, groups=groups)
    of = f"{statistic}, over {counted(len(leads), unit, groups, group_unit)}"
    return claim(name, text, paper, ours, interval, of, **options)


def _least_mean(leads: Float[np.ndarray, "n m"]) -> float:
    return float(leads.mean(axis=0).min())
