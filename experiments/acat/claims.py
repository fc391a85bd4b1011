"""The paper's statements and orderings, and targets of ours, each with an interval and a verdict.

A claim about a network, or about maps that lead back to a training, is decided by the runs: its
interval is over trainings and scans together. A claim about one search is decided by scans, drawn
by patient.
"""

import dataclasses

from experiments.acat import map_claims, network_claims
from experiments.acat.study import KindStudy, Study
from experiments.shared import Claim


def make_claims(study: Study) -> list[Claim]:
    """All claims that the scans can test."""
    return [claim for kind in study.kinds for claim in claims_of_kind(kind)]


def claims_of_kind(study: KindStudy) -> list[Claim]:
    """All claims that the scans of one kind can test."""
    claims = [
        *network_claims.accuracy_claims(study),
        *network_claims.best_claims(study),
        *network_claims.dropout_claims(study),
        *network_claims.controls_claims(study),
        *network_claims.sizes_claims(study),
        *network_claims.rates_claims(study),
        *network_claims.rivals_claims(study),
        *network_claims.variances_claims(study),
        *network_claims.training_sizes_claims(study),
        *map_claims.detection_claims(study),
        *map_claims.inside_claims(study),
        *map_claims.order_claims(study),
        *map_claims.overlap_claims(study),
        *map_claims.search_claims(study),
    ]
    return [
        dataclasses.replace(
            claim,
            id=f"{claim.id} ({study.scans.name})",
            note=f"{study.scans.note} {claim.note}".strip(),
        )
        for claim in claims
    ]
