"""Intervals of a reported number: over images, over runs, and of shares of yes and no."""

from cfx_jax.metrics.intervals.bootstrap import bootstrap_interval as bootstrap_interval
from cfx_jax.metrics.intervals.bootstrap import (
    paired_difference_interval as paired_difference_interval,
)
from cfx_jax.metrics.intervals.bootstrap import (
    unpaired_difference_interval as unpaired_difference_interval,
)
from cfx_jax.metrics.intervals.means_of_runs import MeanOfRuns as MeanOfRuns
from cfx_jax.metrics.intervals.means_of_runs import interval_over_runs as interval_over_runs
from cfx_jax.metrics.intervals.means_of_runs import (
    mean_and_standard_error as mean_and_standard_error,
)
from cfx_jax.metrics.intervals.proportions import Interval as Interval
from cfx_jax.metrics.intervals.proportions import wilson_interval as wilson_interval
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
