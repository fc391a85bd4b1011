"""Classifiers, and what turns a model into one: views of one image, calibration, ensembles.

``per_image(model)`` is the step from a trained NNX model of batches to the classifiers that the library explains.
"""

from cfx_jax.callables import as_pytree as as_pytree
from cfx_jax.models.activations import guided_relu as guided_relu
from cfx_jax.models.build import build as build
from cfx_jax.models.calibrated import calibrated as calibrated
from cfx_jax.models.efficientnet import EfficientNet as EfficientNet
from cfx_jax.models.efficientnet import Stage as Stage
from cfx_jax.models.efficientnet import efficientnet as efficientnet
from cfx_jax.models.efficientnet import efficientnet_small as efficientnet_small
from cfx_jax.models.ensemble import ensemble as ensemble
from cfx_jax.models.resnet import ResNet as ResNet
from cfx_jax.models.resnet import resnet18 as resnet18
from cfx_jax.models.resnet import resnet34 as resnet34
from cfx_jax.models.resnet import resnet50 as resnet50
from cfx_jax.models.resnet import resnet_small as resnet_small
from cfx_jax.models.views import guided as guided
from cfx_jax.models.views import per_image as per_image
