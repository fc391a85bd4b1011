"""Learnt weights of the slices of a volume, in place of their mean.

Fontanella et al. 2023, "ACAT: Adversarial Counterfactual Attention for Classification and Detection
in Medical Imaging", section 4.2; sizes as released.

The weights come from the features of all slices, so the number of slices is fixed and their order
matters.
"""

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.errors import InputError
from cfx_jax.models.layers import last_layer
from cfx_jax.models.layers.checks import check_numbers, check_shares


class SliceAttention(nnx.Module):
    """The sum of slice features, each weighted by one output of a network of all of them.

    Linear layer, leaky ReLU with slope 0.01, dropout, linear layer, sigmoid.

    Args:
        num_slices: slices of every volume, at least 1.
        width: length of a slice's features.
        hidden: outputs of the first layer (released: 64).
        dropout: share of these dropped in training, in [0, 1) (published: 0.1).
        normalise: divide the sum by the number of slices. Published is the sum; since the weights
            start near one half, it starts near the mean times half the number of slices.
        rngs: source of the initial weights and of the draws of dropout.

    Raises:
        InputError: a number out of range.
    """

    def __init__(
        self,
        num_slices: int,
        width: int,
        *,
        hidden: int = 64,
        dropout: float = 0.1,
        normalise: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        check_numbers({"num_slices": num_slices, "width": width, "hidden": hidden})
        check_shares({"dropout": dropout})
        self.num_slices, self.normalise = num_slices, normalise
        self.hidden = last_layer(num_slices * width, hidden, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.out = last_layer(hidden, num_slices, rngs=rngs)

    def weights(self, features: Float[Array, "b s d"]) -> Float[Array, "b s"]:
        """Computes the weight of each slice.

        Args:
            features: (b, num_slices, width).

        Returns:
            Weights (b, num_slices) in (0, 1); their sum is free.

        Raises:
            InputError: another number of slices.
        """
        if features.shape[1] != self.num_slices:
            raise InputError(
                f"volumes: expected {self.num_slices} slices, for which the slice attention was"
                f" made, got {features.shape[1]}: choose that many slices of each volume"
            )
        hidden = nnx.leaky_relu(
            self.hidden(features.reshape(len(features), -1)), negative_slope=0.01
        )
        return nnx.sigmoid(self.out(self.dropout(hidden)))

    def __call__(self, features: Float[Array, "b s d"]) -> Float[Array, "b d"]:
        """Maps slice features (b, num_slices, width) to features (b, width) of the volumes."""
        total = (self.weights(features)[..., None] * features).sum(axis=1)
        return total / self.num_slices if self.normalise else total
