"""Numbers that judge a classifier or an explanation."""

from cfx_jax.metrics.calibration import expected_calibration_error as expected_calibration_error
from cfx_jax.metrics.calibration import fit_temperature as fit_temperature
from cfx_jax.metrics.classification import accuracy as accuracy
from cfx_jax.metrics.classification import balanced_accuracy as balanced_accuracy
from cfx_jax.metrics.classification import balanced_weights as balanced_weights
from cfx_jax.metrics.localisation import intersection_over_union as intersection_over_union
from cfx_jax.metrics.robustness import robustly_correct as robustly_correct
from cfx_jax.metrics.statistics import Interval as Interval
from cfx_jax.metrics.statistics import bootstrap_interval as bootstrap_interval
from cfx_jax.metrics.statistics import paired_difference_interval as paired_difference_interval
