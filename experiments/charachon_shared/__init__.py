"""The common part of Charachon's experiments: images, classifier, generators, maps, measures."""

from experiments.charachon_shared.attributions import AVERAGED as AVERAGED
from experiments.charachon_shared.attributions import Maps as Maps
from experiments.charachon_shared.attributions import Method as Method
from experiments.charachon_shared.attributions import averaged_method as averaged_method
from experiments.charachon_shared.attributions import make_maps as make_maps
from experiments.charachon_shared.attributions import pair_method as pair_method
from experiments.charachon_shared.augmentation import averaging_ranges as averaging_ranges
from experiments.charachon_shared.augmentation import training_augmentation as training_augmentation
from experiments.charachon_shared.baselines import BBMP as BBMP
from experiments.charachon_shared.baselines import GRAD_CAM as GRAD_CAM
from experiments.charachon_shared.baselines import GRADIENT as GRADIENT
from experiments.charachon_shared.baselines import INPUT_GRADIENT as INPUT_GRADIENT
from experiments.charachon_shared.baselines import INTEGRATED_GRADIENTS as INTEGRATED_GRADIENTS
from experiments.charachon_shared.baselines import MASK_GENERATOR as MASK_GENERATOR
from experiments.charachon_shared.baselines import PERCEPTUAL as PERCEPTUAL
from experiments.charachon_shared.baselines import RANDOM as RANDOM
from experiments.charachon_shared.baselines import SMOOTH_GRAD as SMOOTH_GRAD
from experiments.charachon_shared.baselines import baselines as baselines
from experiments.charachon_shared.classifier import Network as Network
from experiments.charachon_shared.classifier import describe_start as describe_start
from experiments.charachon_shared.config import CharachonConfig as CharachonConfig
from experiments.charachon_shared.controls import make_controls as make_controls
from experiments.charachon_shared.data import Data as Data
from experiments.charachon_shared.data import Groups as Groups
from experiments.charachon_shared.data import describe_brackets as describe_brackets
from experiments.charachon_shared.data import find_annotated as find_annotated
from experiments.charachon_shared.data import load_images as load_images
from experiments.charachon_shared.data import split_shares as split_shares
from experiments.charachon_shared.generators import MaskMaker as MaskMaker
from experiments.charachon_shared.generators import PairGenerator as PairGenerator
from experiments.charachon_shared.generators import check_pairs as check_pairs
from experiments.charachon_shared.generators import train_generators as train_generators
from experiments.charachon_shared.generators import train_mask_generator as train_mask_generator
from experiments.charachon_shared.generators import (
    train_similar_adversarial as train_similar_adversarial,
)
from experiments.charachon_shared.localisation import Localisation as Localisation
from experiments.charachon_shared.localisation import localise as localise
from experiments.charachon_shared.organ import has_organs as has_organs
from experiments.charachon_shared.organ import report_classifier as report_classifier
from experiments.charachon_shared.organ import report_maps as report_maps
from experiments.charachon_shared.quality import PAIRS as PAIRS
from experiments.charachon_shared.quality import Quality as Quality
from experiments.charachon_shared.quality import measure_quality as measure_quality
from experiments.charachon_shared.setup import Setup as Setup
from experiments.charachon_shared.setup import prepare as prepare
from experiments.charachon_shared.tables import interval_cell as interval_cell
from experiments.charachon_shared.tables import report_truth as report_truth
from experiments.charachon_shared.tables import truth_table as truth_table
