"""Networks of images by their names, as a configuration file gives them."""

from collections.abc import Callable
from functools import partial

from flax import nnx

from cfx_jax.checks import check_choice
from cfx_jax.models.images.densenet import DenseNet, densenet121, densenet_small
from cfx_jax.models.images.efficientnet import EfficientNet, efficientnet, efficientnet_small
from cfx_jax.models.images.inception import InceptionV3
from cfx_jax.models.images.resnet import ResNet, resnet18, resnet34, resnet50, resnet_small
from cfx_jax.models.layers import PerChannel

_FACTORIES: dict[str, Callable[..., ResNet | EfficientNet | InceptionV3 | DenseNet]] = {
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet_small": resnet_small,
    "inception_v3": InceptionV3,
    "efficientnet_b0": partial(efficientnet, "b0"),
    "efficientnet_b1": partial(efficientnet, "b1"),
    "efficientnet_b2": partial(efficientnet, "b2"),
    "efficientnet_b3": partial(efficientnet, "b3"),
    "efficientnet_b4": partial(efficientnet, "b4"),
    "efficientnet_b5": partial(efficientnet, "b5"),
    "efficientnet_b6": partial(efficientnet, "b6"),
    "efficientnet_b7": partial(efficientnet, "b7"),
    "efficientnet_small": efficientnet_small,
    "densenet121": densenet121,
    "densenet_small": densenet_small,
}


NETWORKS = tuple(_FACTORIES)
"""The names that ``build`` knows."""


def build(
    name: str,
    *,
    num_classes: int,
    in_channels: int = 3,
    mean: PerChannel = 0.0,
    std: PerChannel = 1.0,
    rngs: nnx.Rngs,
) -> ResNet | EfficientNet | InceptionV3 | DenseNet:
    """Makes the network of a given name.

    Args:
        name: ``"resnet18"``, ``"resnet34"``, ``"resnet50"``, ``"resnet_small"``,
            ``"inception_v3"``, ``"efficientnet_b0"`` to ``"efficientnet_b7"``,
            ``"efficientnet_small"``, ``"densenet121"``, or ``"densenet_small"``.
        num_classes: number of logits, at least 1.
        in_channels: channels of the images.
        mean: subtracted from the image, in its units [0, 1].
        std: positive divisor of the image after that.
        rngs: source of the initial weights, and of the draws in training.

    Returns:
        The model, in training mode.

    Raises:
        InputError: an unknown name (the message lists the valid ones), or as the model's class.

    >>> model = nnx.eval_shape(lambda: build("resnet_small", num_classes=2, rngs=nnx.Rngs(0)))
    >>> type(model).__name__, model.head.kernel.shape
    ('ResNet', (192, 2))
    """
    check_choice(name, NETWORKS, name="model")
    return _FACTORIES[name](
        num_classes=num_classes, in_channels=in_channels, mean=mean, std=std, rngs=rngs
    )
