"""Networks of images: classifiers of torchvision's shapes, and features of images."""

from cfx_jax.faces import public as _public
from cfx_jax.models.images.build import build as build
from cfx_jax.models.images.densenet import DenseNet as DenseNet
from cfx_jax.models.images.densenet import densenet121 as densenet121
from cfx_jax.models.images.densenet import densenet_small as densenet_small
from cfx_jax.models.images.efficientnet import EfficientNet as EfficientNet
from cfx_jax.models.images.efficientnet import Stage as Stage
from cfx_jax.models.images.efficientnet import efficientnet as efficientnet
from cfx_jax.models.images.efficientnet import efficientnet_small as efficientnet_small
from cfx_jax.models.images.feature_extractor import FeatureExtractor as FeatureExtractor
from cfx_jax.models.images.feature_extractor import classifier_extractor as classifier_extractor
from cfx_jax.models.images.feature_extractor import extract_features as extract_features
from cfx_jax.models.images.feature_extractor import inception_extractor as inception_extractor
from cfx_jax.models.images.finding_classifier import FindingClassifier as FindingClassifier
from cfx_jax.models.images.inception import InceptionV3 as InceptionV3
from cfx_jax.models.images.resnet import ResNet as ResNet
from cfx_jax.models.images.resnet import resnet18 as resnet18
from cfx_jax.models.images.resnet import resnet34 as resnet34
from cfx_jax.models.images.resnet import resnet50 as resnet50
from cfx_jax.models.images.resnet import resnet_small as resnet_small

__all__, __dir__ = _public(globals())
