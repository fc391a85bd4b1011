"""The block of vision transformers.

Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words", equations 2 and 3: layer norms before
attention and before the two linear layers, each added to its input.
"""

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.models.layers import Block


class TransformerBlock(Block):
    """Attention of several heads over tokens, then two linear layers with a GELU.

    Each of the two has a shortcut.

    The activation is no attribute ``act``, since ``models.guided`` would put a ReLU in the place of
    the GELU.

    Args:
        width: numbers of each token, a multiple of ``num_heads``.
        num_heads: attentions side by side, each on its share of the numbers.
        hidden: outputs of the first linear layer.
        dropout: share that is dropped in training after attention and after both linear layers, in
            [0, 1).
        rngs: source of the initial weights, and of the draws of dropout.
    """

    def __init__(
        self, width: int, *, num_heads: int, hidden: int, dropout: float, rngs: nnx.Rngs
    ) -> None:
        self.norm1 = nnx.LayerNorm(width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(
            num_heads=num_heads, in_features=width, decode=False, rngs=rngs
        )
        self.norm2 = nnx.LayerNorm(width, rngs=rngs)
        self.hidden = nnx.Linear(width, hidden, rngs=rngs)
        self.output = nnx.Linear(hidden, width, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def __call__(self, tokens: Float[Array, "b n d"]) -> Float[Array, "b n d"]:
        """Maps tokens (b, n, width) to the same shape."""
        tokens = tokens + self.dropout(self.attention(self.norm1(tokens)))
        hidden = self.dropout(nnx.gelu(self.hidden(self.norm2(tokens))))
        return tokens + self.dropout(self.output(hidden))
