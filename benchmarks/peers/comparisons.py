"""All comparisons by name; what a side needs is imported when it is made."""

from collections.abc import Callable

from benchmarks.peers import attacks, attributions, latent_shift, metrics, searches, training
from benchmarks.peers.case import Case

COMPARISONS: dict[str, Callable[[], list[Case]]] = {
    "searches": searches.cases,
    "attributions": attributions.cases,
    "attributions_compiled": attributions.compiled_cases,
    "attacks": attacks.cases,
    "metrics": metrics.cases,
    "latent_shift": latent_shift.cases,
    "training": training.cases,
}
"""Each gives its cases, always in the same order."""
