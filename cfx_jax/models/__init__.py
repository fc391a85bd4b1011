"""Classifiers, and what turns a model into one: views of one image, calibration, ensembles.

``per_image(model)`` is the step from a trained NNX model of batches to the classifiers that the library explains.
"""

from cfx_jax.callables import as_pytree as as_pytree
from cfx_jax.models.activations import guided_relu as guided_relu
from cfx_jax.models.build import build as build
from cfx_jax.models.calibrated import calibrated as calibrated
from cfx_jax.models.densenet import DenseNet as DenseNet
from cfx_jax.models.densenet import densenet121 as densenet121
from cfx_jax.models.densenet import densenet_small as densenet_small
from cfx_jax.models.discriminator import Discriminator as Discriminator
from cfx_jax.models.efficientnet import EfficientNet as EfficientNet
from cfx_jax.models.efficientnet import Stage as Stage
from cfx_jax.models.efficientnet import efficientnet as efficientnet
from cfx_jax.models.efficientnet import efficientnet_small as efficientnet_small
from cfx_jax.models.ensemble import ensemble as ensemble
from cfx_jax.models.feature_extractor import FeatureExtractor as FeatureExtractor
from cfx_jax.models.feature_extractor import classifier_extractor as classifier_extractor
from cfx_jax.models.feature_extractor import extract_features as extract_features
from cfx_jax.models.feature_extractor import inception_extractor as inception_extractor
from cfx_jax.models.finding_classifier import FindingClassifier as FindingClassifier
from cfx_jax.models.fixed_point import FixedPointTranslator as FixedPointTranslator
from cfx_jax.models.fixed_point import PatchCritic as PatchCritic
from cfx_jax.models.fixed_point import Verdict as Verdict
from cfx_jax.models.fixed_point import translation_of as translation_of
from cfx_jax.models.generator_views import Generator as Generator
from cfx_jax.models.generator_views import generator_of as generator_of
from cfx_jax.models.inception import InceptionV3 as InceptionV3
from cfx_jax.models.mask_generator import MaskGenerator as MaskGenerator
from cfx_jax.models.one_label import one_label as one_label
from cfx_jax.models.progressive import ProgressiveGenerator as ProgressiveGenerator
from cfx_jax.models.progressive import ProjectionDiscriminator as ProjectionDiscriminator
from cfx_jax.models.progressive import exaggerator_of as exaggerator_of
from cfx_jax.models.resnet import ResNet as ResNet
from cfx_jax.models.resnet import resnet18 as resnet18
from cfx_jax.models.resnet import resnet34 as resnet34
from cfx_jax.models.resnet import resnet50 as resnet50
from cfx_jax.models.resnet import resnet_small as resnet_small
from cfx_jax.models.segmentation import Segmenter as Segmenter
from cfx_jax.models.similar_adversarial import AE1_HEAD as AE1_HEAD
from cfx_jax.models.similar_adversarial import AE2_HEAD as AE2_HEAD
from cfx_jax.models.similar_adversarial import DuoAE as DuoAE
from cfx_jax.models.similar_adversarial import SingleAE as SingleAE
from cfx_jax.models.tensor_files import read_tensors as read_tensors
from cfx_jax.models.thresholded import thresholded as thresholded
from cfx_jax.models.two_logits import two_logits as two_logits
from cfx_jax.models.unet import UNet as UNet
from cfx_jax.models.unet import UNetGenerator as UNetGenerator
from cfx_jax.models.vae import VAE as VAE
from cfx_jax.models.views import Parts as Parts
from cfx_jax.models.views import guided as guided
from cfx_jax.models.views import parts as parts
from cfx_jax.models.views import per_image as per_image
from cfx_jax.models.weights import import_weights as import_weights
