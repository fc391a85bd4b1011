"""The classifier of a finding in chest X-rays and brain slices.

Charachon et al. 2021, "Visual explanation by unifying adversarial generation and feature importance
attributions"; head as released: the feature maps of a backbone, their means, one hidden layer, and
one logit.

The logit z is the logit of the finding; the network gives ``(0, z)``, the two logits of the same
probabilities. Deviation: the authors' backbone is ResNet-50 of version 2; here it is any network
with ``features``, such as version 1.5. Theirs starts from ImageNet's weights, which
``trainers.with_pretrained`` gives to the backbone here, and the experiments' ``--classifier.weights
FILE``.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.errors import InputError
from cfx_jax.models.layers import widest
from cfx_jax.models.layers.checks import check_numbers, check_shares
from cfx_jax.models.views import leaky_relu

_HE_UNIFORM = jax.nn.initializers.he_uniform()


class FindingClassifier(nnx.Module):
    """A backbone's feature maps and a head of two linear layers with one logit.

    Between the maps and the first layer stand the mean over positions and dropout, between the
    layers a leaky ReLU with slope 0.3. ``guided`` replaces the backbone's activations and leaves
    the leaky ReLU, which its rule is not made for.

    Args:
        backbone: a network as ``build`` returns it, with ``features`` and a linear ``head``. It is
            copied without its head, which is not needed, and without any dropout of its own before
            that.
        width: outputs of the hidden layer, at least 1 (published: 128).
        dropout: share of the means that is dropped in training, in [0, 1) (published: 0.3).
        rngs: source of the initial weights, He's uniform for the hidden layer, and of the draws of
            dropout.

    Raises:
        InputError: another backbone, or a number out of range.
    """

    def __init__(
        self, backbone: nnx.Module, *, width: int = 128, dropout: float = 0.3, rngs: nnx.Rngs
    ) -> None:
        channels = getattr(getattr(backbone, "head", None), "in_features", None)
        if not callable(getattr(backbone, "features", None)) or channels is None:
            raise InputError(
                "backbone: expected a network with `features` and a linear `head`, as models.build"
                f" gives, got {type(backbone).__name__}"
            )
        check_numbers({"width": width})
        check_shares({"dropout": dropout})
        self.backbone = _without_head(backbone)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.hidden = nnx.Linear(channels, width, kernel_init=_HE_UNIFORM, rngs=rngs)
        self.head = nnx.Linear(
            width,
            1,
            kernel_init=nnx.initializers.glorot_uniform(),
            promote_dtype=widest,
            rngs=rngs,
        )

    def features(self, images: Float[Array, "b h w c"]) -> Float[Array, "b fh fw f"]:
        """Computes the backbone's feature maps.

        Arguments and errors as in the backbone's ``features``.
        """
        return self.backbone.features(images)

    def classify(self, features: Float[Array, "b fh fw f"]) -> Float[Array, "b 2"]:
        """Computes logits (b, 2) of feature maps: 0, and the logit of the finding."""
        hidden = leaky_relu(self.hidden(self.dropout(features.mean(axis=(1, 2)))))
        logit = self.head(hidden)
        return jnp.concatenate([jnp.zeros_like(logit), logit], axis=1)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b 2"]:
        """Computes logits (b, 2) of images: ``classify(features(images))``."""
        return self.classify(self.features(images))


def _without_head(backbone: nnx.Module) -> Any:
    """Copies the layers of a network that its feature maps need."""
    copy = nnx.clone(backbone)
    for name in ("head", "dropout"):
        if hasattr(copy, name):
            delattr(copy, name)
    return copy
