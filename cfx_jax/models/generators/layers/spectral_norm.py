"""A linear layer and a 3x3 convolution whose kernel has spectral norm 1.

Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", algorithm 1. The
bias is left as it is.

Each call takes one step of the power iteration from the vector that the layer keeps, and divides
the kernel, as a matrix (everything but the output channels, output channels), by the singular value
so found. The vector is replaced by the new one only in a view made with ``update_spectral=True``,
which a training makes once for each update of the discriminator: elsewhere a call changes nothing.
No gradient runs through the singular vectors, as in the paper; code released with Singla et al.
2020 lets it.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from cfx_jax.models.generators.layers.keras import glorot_uniform
from cfx_jax.models.layers import promote_dtype, widest

_EPSILON = 1e-12
_product = partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
"""Not rounded as accelerators round by default: kernels are divided by the result."""


class SpectralVector(nnx.Variable):
    """The estimate of a kernel's right singular vector, a state and no parameter."""


class _SpectralKernel(nnx.Module):
    """A kernel that is divided by its largest singular value.

    Args:
        shape: the shape of the kernel, output channels last.
        use_bias: whether there is a bias, at first 0.
        last: whether it is a network's last layer, which computes in the type of its weights.
        rngs: source of the initial weights, Glorot's uniform, and of the vector.
    """

    def __init__(
        self, shape: tuple[int, ...], *, use_bias: bool, last: bool = False, rngs: nnx.Rngs
    ) -> None:
        self.dtype: DTypeLike | None = None
        self.promote_dtype = widest if last else promote_dtype
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), shape))
        self.bias = nnx.data(nnx.Param(jnp.zeros(shape[-1])) if use_bias else None)
        drawn = jax.random.truncated_normal(rngs.params(), -2, 2, shape[-1:], jnp.float32)
        self.vector = SpectralVector(drawn)
        self.update_spectral = False

    def set_view(self, update_spectral: bool | None = None) -> None:
        """Sets the mode, as ``nnx.view`` does.

        Args:
            update_spectral: whether calls replace the kept vector by the one they find; None leaves
                the mode.
        """
        if update_spectral is not None:
            self.update_spectral = update_spectral

    def normalised(self) -> Float[Array, "*k c"]:
        """Computes the kernel over its singular value.

        A view that updates the vector keeps the new one.
        """
        kernel = self.kernel[...]
        matrix = kernel.reshape(-1, kernel.shape[-1])
        left, right = power_step(jax.lax.stop_gradient(matrix), self.vector[...])
        if self.update_spectral:
            self.vector[...] = right
        return (
            kernel / (left * jnp.matmul(matrix, right, precision=jax.lax.Precision.HIGHEST)).sum()
        )

    def converted(self, x: Float[Array, "*b c"]) -> tuple[Array, Array, Array | float]:
        """Returns the input, the normalised kernel and the bias in the type of the computation.

        The kernel is normalised in the type of its weights. Without a bias there is 0.
        """
        bias = None if self.bias is None else self.bias[...]
        x, kernel, bias = self.promote_dtype((x, self.normalised(), bias), dtype=self.dtype)
        return x, kernel, 0.0 if bias is None else bias


class SpectralLinear(_SpectralKernel):
    """A linear layer over the last axis, on maps a 1x1 convolution, with spectral norm 1.

    Without bias it is also the matrix of an embedding: column i of its normalised kernel is the
    vector of condition i.

    Args:
        in_channels: size of the last axis of its input.
        out_channels: size of the last axis of its output.
        use_bias: whether a bias is added.
        last: whether it is a network's last layer, which computes in the type of its weights.
        rngs: source of the initial weights, and of the vector of the power iteration.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        use_bias: bool = True,
        last: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__((in_channels, out_channels), use_bias=use_bias, last=last, rngs=rngs)

    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b d"]:
        """Maps (..., in_channels) to (..., out_channels)."""
        x, kernel, bias = self.converted(x)
        return x @ kernel + bias


class SpectralConvolution(_SpectralKernel):
    """A 3x3 convolution with bias that keeps the size of the maps, with spectral norm 1.

    Args:
        in_channels: channels of the input maps.
        out_channels: channels of the output maps.
        rngs: source of the initial weights, and of the vector of the power iteration.
    """

    def __init__(self, in_channels: int, out_channels: int, *, rngs: nnx.Rngs) -> None:
        super().__init__((3, 3, in_channels, out_channels), use_bias=True, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        """Maps (b, h, w, in_channels) to (b, h, w, out_channels)."""
        layout = ("NHWC", "HWIO", "NHWC")
        x, kernel, bias = self.converted(x)
        return bias + jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=layout
        )


def power_step(
    matrix: Float[Array, "m n"], right: Float[Array, " n"]
) -> tuple[Float[Array, " m"], Float[Array, " n"]]:
    """Takes a step of the power iteration to the singular vectors of the largest singular value.

    Args:
        matrix: a matrix with a singular value above 0.
        right: the estimate of the right singular vector, of any length above 0.

    Returns:
        The left singular vector and the right one, of length 1; the singular value is
        ``left @ matrix @ right``.

    >>> left, right = power_step(jnp.diag(jnp.array([2.0, 0.0])), jnp.ones(2))
    >>> left.tolist(), right.tolist()
    ([1.0, 0.0], [1.0, 0.0])
    """
    left = _unit(_product(matrix, right))
    return left, _unit(_product(left, matrix))


def _unit(x: Float[Array, " n"]) -> Float[Array, " n"]:
    return x / jnp.maximum(jnp.linalg.norm(x), _EPSILON)
