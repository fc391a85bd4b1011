"""Networks of images, classifiers with torchvision's shapes."""

from cfx_jax.models.images.build import NETWORKS as NETWORKS
from cfx_jax.models.images.build import build as build
from cfx_jax.models.images.densenet import DenseNet as DenseNet
from cfx_jax.models.images.densenet import densenet121 as densenet121
from cfx_jax.models.images.densenet import densenet_small as densenet_small
from cfx_jax.models.images.efficientnet import EfficientNet as EfficientNet
from cfx_jax.models.images.efficientnet import Stage as Stage
from cfx_jax.models.images.efficientnet import efficientnet as efficientnet
from cfx_jax.models.images.efficientnet import efficientnet_small as efficientnet_small
from cfx_jax.models.images.finding_classifier import FindingClassifier as FindingClassifier
from cfx_jax.models.images.inception import InceptionV3 as InceptionV3
from cfx_jax.models.images.resnet import ResNet as ResNet
from cfx_jax.models.images.resnet import resnet18 as resnet18
from cfx_jax.models.images.resnet import resnet34 as resnet34
from cfx_jax.models.images.resnet import resnet50 as resnet50
from cfx_jax.models.images.resnet import resnet_small as resnet_small
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
