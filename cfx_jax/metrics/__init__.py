"""Numbers that judge a classifier or an explanation, one module for each question."""

from cfx_jax.metrics.activation_variances import (
    pre_activation_variances as pre_activation_variances,
)
from cfx_jax.metrics.calibration import CompatibilityCurve as CompatibilityCurve
from cfx_jax.metrics.calibration import ReliabilityCurve as ReliabilityCurve
from cfx_jax.metrics.calibration import compatibility_curve as compatibility_curve
from cfx_jax.metrics.calibration import decision_flips as decision_flips
from cfx_jax.metrics.calibration import expected_calibration_error as expected_calibration_error
from cfx_jax.metrics.calibration import fit_temperature as fit_temperature
from cfx_jax.metrics.calibration import reliability_curve as reliability_curve
from cfx_jax.metrics.calibration import temperature_at_edge as temperature_at_edge
from cfx_jax.metrics.classification import DecisionCounts as DecisionCounts
from cfx_jax.metrics.classification import accuracy as accuracy
from cfx_jax.metrics.classification import balanced_accuracy as balanced_accuracy
from cfx_jax.metrics.classification import balanced_weights as balanced_weights
from cfx_jax.metrics.classification import brier_score as brier_score
from cfx_jax.metrics.classification import decision_counts as decision_counts
from cfx_jax.metrics.classification import roc_auc as roc_auc
from cfx_jax.metrics.classification import sensitivity as sensitivity
from cfx_jax.metrics.classification import specificity as specificity
from cfx_jax.metrics.confounding import Confounding as Confounding
from cfx_jax.metrics.confounding import class_discrimination_matrix as class_discrimination_matrix
from cfx_jax.metrics.confounding import confounding as confounding
from cfx_jax.metrics.distribution import Gaussian as Gaussian
from cfx_jax.metrics.distribution import frechet_distance as frechet_distance
from cfx_jax.metrics.distribution import gaussian_distance as gaussian_distance
from cfx_jax.metrics.distribution import gaussian_of as gaussian_of
from cfx_jax.metrics.distribution import kernel_distance as kernel_distance
from cfx_jax.metrics.exaggeration import score_exaggerations as score_exaggerations
from cfx_jax.metrics.faithfulness import (
    area_over_perturbation_curve as area_over_perturbation_curve,
)
from cfx_jax.metrics.faithfulness import (
    area_under_perturbation_curve as area_under_perturbation_curve,
)
from cfx_jax.metrics.faithfulness import correct_at_each_step as correct_at_each_step
from cfx_jax.metrics.faithfulness import overwrite_with as overwrite_with
from cfx_jax.metrics.faithfulness import perturbation_curve as perturbation_curve
from cfx_jax.metrics.faithfulness import relevance_score as relevance_score
from cfx_jax.metrics.heart_size import HeartSize as HeartSize
from cfx_jax.metrics.heart_size import heart_size as heart_size
from cfx_jax.metrics.identity import cosine_distance as cosine_distance
from cfx_jax.metrics.identity import latent_space_closeness as latent_space_closeness
from cfx_jax.metrics.identity import (
    latent_space_closeness_released as latent_space_closeness_released,
)
from cfx_jax.metrics.identity import same_identity as same_identity
from cfx_jax.metrics.intervals import Interval as Interval
from cfx_jax.metrics.intervals import MeanOfRuns as MeanOfRuns
from cfx_jax.metrics.intervals import bootstrap_interval as bootstrap_interval
from cfx_jax.metrics.intervals import interval_over_runs as interval_over_runs
from cfx_jax.metrics.intervals import mean_and_standard_error as mean_and_standard_error
from cfx_jax.metrics.intervals import paired_difference_interval as paired_difference_interval
from cfx_jax.metrics.intervals import unpaired_difference_interval as unpaired_difference_interval
from cfx_jax.metrics.intervals import wilson_interval as wilson_interval
from cfx_jax.metrics.localisation import above_percentile as above_percentile
from cfx_jax.metrics.localisation import dice as dice
from cfx_jax.metrics.localisation import false_discovery_rate as false_discovery_rate
from cfx_jax.metrics.localisation import intersection_over_union as intersection_over_union
from cfx_jax.metrics.localisation import localisation_auc as localisation_auc
from cfx_jax.metrics.localisation import macro_average as macro_average
from cfx_jax.metrics.localisation import mask_kappa as mask_kappa
from cfx_jax.metrics.localisation import pointing_game as pointing_game
from cfx_jax.metrics.localisation import precision as precision
from cfx_jax.metrics.localisation import recall as recall
from cfx_jax.metrics.localisation import relevance_mass as relevance_mass
from cfx_jax.metrics.localisation import top_pixels as top_pixels
from cfx_jax.metrics.parameter_randomisation import ParameterRandomisation as ParameterRandomisation
from cfx_jax.metrics.parameter_randomisation import (
    parameter_randomisation as parameter_randomisation,
)
from cfx_jax.metrics.ranks import midranks as midranks
from cfx_jax.metrics.ranks import rank_correlation as rank_correlation
from cfx_jax.metrics.rater_agreement import VoteScore as VoteScore
from cfx_jax.metrics.rater_agreement import agreement_word as agreement_word
from cfx_jax.metrics.rater_agreement import cohen_kappa as cohen_kappa
from cfx_jax.metrics.rater_agreement import count_votes as count_votes
from cfx_jax.metrics.rater_agreement import fleiss_kappa as fleiss_kappa
from cfx_jax.metrics.rater_agreement import majority_vote as majority_vote
from cfx_jax.metrics.rater_agreement import score_votes as score_votes
from cfx_jax.metrics.rater_agreement import score_votes_by_category as score_votes_by_category
from cfx_jax.metrics.robustness import robustly_correct as robustly_correct
from cfx_jax.metrics.scan_localisation import HitScore as HitScore
from cfx_jax.metrics.scan_localisation import VolumeOverlap as VolumeOverlap
from cfx_jax.metrics.scan_localisation import hit_score as hit_score
from cfx_jax.metrics.scan_localisation import volume_overlap as volume_overlap
from cfx_jax.metrics.significance import McNemar as McNemar
from cfx_jax.metrics.significance import PairedTest as PairedTest
from cfx_jax.metrics.significance import TTest as TTest
from cfx_jax.metrics.significance import dependent_t_test as dependent_t_test
from cfx_jax.metrics.significance import independent_t_test as independent_t_test
from cfx_jax.metrics.significance import mcnemar as mcnemar
from cfx_jax.metrics.significance import paired_test as paired_test
from cfx_jax.metrics.similarity import psnr as psnr
from cfx_jax.metrics.similarity import psnr_of_mse as psnr_of_mse
from cfx_jax.metrics.similarity import ssim as ssim
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
