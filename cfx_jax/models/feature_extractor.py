"""Features of images, for the distances between sets of them in ``metrics.distribution``.

A distance means nothing without the network whose features it compares: an extractor carries a
name, to be written beside every figure made with it.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.tree_util import Partial
from jaxtyping import Array, Float

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import check_callable, check_images
from cfx_jax.errors import InputError
from cfx_jax.models.images import InceptionV3
from cfx_jax.models.images.inception import Network
from cfx_jax.models.views import parts
from cfx_jax.models.weights import import_weights, read_tensors
from cfx_jax.parallel import apply_to_examples

_SIDE = 299
_OUTPUTS_OF_2015 = 1008
_LAST_LAYER = "fc.weight"


class FeatureExtractor(NamedTuple):
    """A function that turns an image into a vector of features, and its name.

    Attributes:
        name: which network and weights; write it beside the figures.
        extract: one image (h, w, c) in [0, 1] -> features (d,).
    """

    name: str
    extract: Callable[[Array], Array]


def classifier_extractor(model: nnx.Module, *, name: str) -> FeatureExtractor:
    """Makes an extractor of the last feature maps of a classifier, averaged over positions.

    The classifier is in inference mode. Distances between such features compare only with others of
    the same network and weights.

    Args:
        model: an NNX module with the methods ``features`` (b, h, w, c) -> (b, fh, fw, f) and
            ``classify``, as the classifiers here have them.
        name: which network and weights, such as ``"resnet50 trained on ..."``.

    Returns:
        The extractor, of f features.

    Raises:
        InputError: ``model`` has not these methods.

    >>> from cfx_jax.models.images.resnet import resnet_small
    >>> model = nnx.eval_shape(lambda: resnet_small(num_classes=2, rngs=nnx.Rngs(0)))
    >>> extract = classifier_extractor(model, name="an untrained network").extract
    >>> image = jnp.zeros((32, 32, 3))
    >>> jax.eval_shape(lambda extract, image: extract(image), extract, image).shape
    (192,)
    """
    return FeatureExtractor(name, Partial(_pooled, parts(model).features))


def inception_extractor(weights_file: str | os.PathLike[str]) -> FeatureExtractor:
    """Makes an extractor of the 2048 pooled features of Inception-v3.

    The FID (Heusel et al. 2017) and the KID compare these features. Images are resized to 299 x 299
    pixels linearly, without smoothing before (as PyTorch's ``interpolate`` does), grey ones take
    all three colours, and [0, 1] becomes [-1, 1]. Published figures need the weights of 2015, known
    in PyTorch as ``pt_inception-2015-12-05``: their 1008 outputs tell them from torchvision's,
    whose poolings differ.

    Args:
        weights_file: a file with those weights or with torchvision's, as ``read_tensors`` takes
            them.

    Returns:
        The extractor, whose name has the network and the file's name.

    Raises:
        InputError: as ``read_tensors`` and ``import_weights``.

    >>> extractor = inception_extractor("pt_inception-2015-12-05.pth")  # doctest: +SKIP
    """
    tensors = read_tensors(weights_file)
    if _LAST_LAYER not in tensors:
        raise InputError(
            "weights_file: expected Inception-v3's tensors by torchvision's names, got none called"
            f" {_LAST_LAYER!r} in {weights_file}"
        )
    num_classes = len(tensors[_LAST_LAYER])
    network: Network = "fid" if num_classes == _OUTPUTS_OF_2015 else "torchvision"
    shapes = nnx.eval_shape(lambda: _inception(num_classes, network))
    features = parts(import_weights(shapes, tensors)).features
    name = f"Inception-v3 ({network}), {Path(weights_file).name}"
    return FeatureExtractor(name, Partial(_pooled_at_299, features))


def _inception(num_classes: int, network: Network) -> InceptionV3:
    return InceptionV3(
        num_classes=num_classes, network=network, dropout=0, mean=0.5, std=0.5, rngs=nnx.Rngs(0)
    )


def extract_features(
    extractor: FeatureExtractor,
    images: Float[AnyArray, "n h w c"],
    *,
    batch_size: int | None = None,
    progress: bool | str = False,
) -> Float[np.ndarray, "n d"]:
    """Computes the features of each image, over all devices.

    Args:
        extractor: the network, from ``inception_extractor`` or ``classifier_extractor``, or one's
            own.
        images: values in [0, 1].
        batch_size: images at once; None takes all. Changes nothing but memory and speed.
        progress: shows a bar over batches; a text is its label.

    Returns:
        (n, d), for ``metrics.frechet_distance`` and ``metrics.kernel_distance``.

    Raises:
        InputError: images that are no batch, outside [0, 1] or of a number of channels that the
            network does not take, or a batch size below 1.

    >>> extractor = FeatureExtractor("the colours", lambda image: image.mean(axis=(0, 1)))
    >>> extract_features(extractor, np.ones((2, 4, 4, 3), np.float32)).shape
    (2, 3)
    """
    extract = getattr(extractor, "extract", None)
    check_callable(extract, name="extractor.extract", gives="one image -> features (d,)")
    check_images(images)
    return apply_to_examples(extractor.extract, images, batch_size=batch_size, progress=progress)


def _pooled(features: Callable[[Array], Array], image: Float[Array, "h w c"]) -> Float[Array, " d"]:
    return features(image).mean(axis=(0, 1))


def _pooled_at_299(
    features: Callable[[Array], Array], image: Float[Array, "h w c"]
) -> Float[Array, " d"]:
    if image.shape[-1] not in (1, 3):
        raise InputError(
            f"images: expected 1 or 3 channels for Inception-v3, got shape {image.shape}"
        )
    coloured = jnp.broadcast_to(image, (*image.shape[:2], 3))
    return _pooled(
        features, jax.image.resize(coloured, (_SIDE, _SIDE, 3), "linear", antialias=False)
    )
