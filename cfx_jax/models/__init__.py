"""Classifiers, and what turns a model into one: views of one image, calibration, ensembles.

``per_image(model)`` is the step from a trained NNX model of batches to the classifiers that the
library explains.
"""

from cfx_jax.compilation import as_pytree as as_pytree
from cfx_jax.models.feature_extractor import FeatureExtractor as FeatureExtractor
from cfx_jax.models.feature_extractor import classifier_extractor as classifier_extractor
from cfx_jax.models.feature_extractor import extract_features as extract_features
from cfx_jax.models.feature_extractor import inception_extractor as inception_extractor
from cfx_jax.models.generators import AE1_HEAD as AE1_HEAD
from cfx_jax.models.generators import AE2_HEAD as AE2_HEAD
from cfx_jax.models.generators import PUBLISHED_FILTERS as PUBLISHED_FILTERS
from cfx_jax.models.generators import VAE as VAE
from cfx_jax.models.generators import (
    BatchNormDiscriminator as BatchNormDiscriminator,
)
from cfx_jax.models.generators import BendingGenerator as BendingGenerator
from cfx_jax.models.generators import Discriminator as Discriminator
from cfx_jax.models.generators import DuoAE as DuoAE
from cfx_jax.models.generators import FixedPointTranslator as FixedPointTranslator
from cfx_jax.models.generators import Generator as Generator
from cfx_jax.models.generators import LimitName as LimitName
from cfx_jax.models.generators import MaskGenerator as MaskGenerator
from cfx_jax.models.generators import NormName as NormName
from cfx_jax.models.generators import PatchCritic as PatchCritic
from cfx_jax.models.generators import ProgressiveGenerator as ProgressiveGenerator
from cfx_jax.models.generators import ProjectionDiscriminator as ProjectionDiscriminator
from cfx_jax.models.generators import ProjectionName as ProjectionName
from cfx_jax.models.generators import ResidualAutoencoder as ResidualAutoencoder
from cfx_jax.models.generators import Segmenter as Segmenter
from cfx_jax.models.generators import SingleAE as SingleAE
from cfx_jax.models.generators import UNet as UNet
from cfx_jax.models.generators import UNetGenerator as UNetGenerator
from cfx_jax.models.generators import Verdict as Verdict
from cfx_jax.models.generators import arrays_of as arrays_of
from cfx_jax.models.generators import coder_of as coder_of
from cfx_jax.models.generators import exaggerator_of as exaggerator_of
from cfx_jax.models.generators import generator_of as generator_of
from cfx_jax.models.generators import rebuild as rebuild
from cfx_jax.models.generators import translation_of as translation_of
from cfx_jax.models.images import DenseNet as DenseNet
from cfx_jax.models.images import EfficientNet as EfficientNet
from cfx_jax.models.images import FindingClassifier as FindingClassifier
from cfx_jax.models.images import InceptionV3 as InceptionV3
from cfx_jax.models.images import ResNet as ResNet
from cfx_jax.models.images import Stage as Stage
from cfx_jax.models.images import build as build
from cfx_jax.models.images import densenet121 as densenet121
from cfx_jax.models.images import densenet_small as densenet_small
from cfx_jax.models.images import efficientnet as efficientnet
from cfx_jax.models.images import efficientnet_small as efficientnet_small
from cfx_jax.models.images import resnet18 as resnet18
from cfx_jax.models.images import resnet34 as resnet34
from cfx_jax.models.images import resnet50 as resnet50
from cfx_jax.models.images import resnet_small as resnet_small
from cfx_jax.models.views import Calibrated as Calibrated
from cfx_jax.models.views import ComputeDtype as ComputeDtype
from cfx_jax.models.views import Ensemble as Ensemble
from cfx_jax.models.views import Parts as Parts
from cfx_jax.models.views import PreActivations as PreActivations
from cfx_jax.models.views import Thresholded as Thresholded
from cfx_jax.models.views import TwoSides as TwoSides
from cfx_jax.models.views import calibrated as calibrated
from cfx_jax.models.views import computing_in as computing_in
from cfx_jax.models.views import ensemble as ensemble
from cfx_jax.models.views import guided as guided
from cfx_jax.models.views import guided_classifier as guided_classifier
from cfx_jax.models.views import guided_relu as guided_relu
from cfx_jax.models.views import leaves_at_least_float32 as leaves_at_least_float32
from cfx_jax.models.views import one_label as one_label
from cfx_jax.models.views import parts as parts
from cfx_jax.models.views import per_image as per_image
from cfx_jax.models.views import pre_activations as pre_activations
from cfx_jax.models.views import thresholded as thresholded
from cfx_jax.models.views import two_logits as two_logits
from cfx_jax.models.views import two_sides as two_sides
from cfx_jax.models.views import unit_clip_leading_back as unit_clip_leading_back
from cfx_jax.models.views import with_remat as with_remat
from cfx_jax.models.volumes import ACAT as ACAT
from cfx_jax.models.volumes import HSM as HSM
from cfx_jax.models.volumes import SMIC as SMIC
from cfx_jax.models.volumes import HalfBrainLogits as HalfBrainLogits
from cfx_jax.models.volumes import HallucinatedSaliency as HallucinatedSaliency
from cfx_jax.models.volumes import LesionHead as LesionHead
from cfx_jax.models.volumes import SalClassNet as SalClassNet
from cfx_jax.models.volumes import SeAtt as SeAtt
from cfx_jax.models.volumes import SliceWise as SliceWise
from cfx_jax.models.volumes import SpAtt as SpAtt
from cfx_jax.models.volumes import Trunk as Trunk
from cfx_jax.models.volumes import VisionTransformer as VisionTransformer
from cfx_jax.models.volumes import build_acat as build_acat
from cfx_jax.models.volumes import build_competitor as build_competitor
from cfx_jax.models.volumes import build_slice_wise as build_slice_wise
from cfx_jax.models.volumes import build_trunk as build_trunk
from cfx_jax.models.volumes import build_volume_model as build_volume_model
from cfx_jax.models.volumes import half_brain_fine_stages as half_brain_fine_stages
from cfx_jax.models.volumes import half_brain_small_stages as half_brain_small_stages
from cfx_jax.models.volumes import half_brain_stages as half_brain_stages
from cfx_jax.models.volumes import joint_decision as joint_decision
from cfx_jax.models.volumes import resnet50_stages as resnet50_stages
from cfx_jax.models.volumes import resnet_small_stages as resnet_small_stages
from cfx_jax.models.volumes import vit_small_stages as vit_small_stages
from cfx_jax.models.volumes import vit_stages as vit_stages
from cfx_jax.models.volumes import with_saliency as with_saliency
from cfx_jax.models.weights import WarmStart as WarmStart
from cfx_jax.models.weights import by_torchvision_names as by_torchvision_names
from cfx_jax.models.weights import import_weights as import_weights
from cfx_jax.models.weights import read_tensors as read_tensors
from cfx_jax.models.weights import shape_mismatches as shape_mismatches
from cfx_jax.models.weights import torchvision_name as torchvision_name
from cfx_jax.models.weights import warm_start as warm_start
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
