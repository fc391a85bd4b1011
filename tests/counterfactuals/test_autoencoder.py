"""The two parts of an autoencoder as a search uses them, in micro-batches of slices too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_coder import CODER, ToyCoder, decode, encode, volumes

from cfx_jax.counterfactuals.autoencoder import as_autoencoder
from cfx_jax.errors import InputError

VOLUME = volumes(1, num_slices=5)[0]


@pytest.mark.parametrize("slices_per_batch", [None, 2, 5, 9])
def test_values_and_derivatives_are_the_coders_own(slices_per_batch):
    parts = as_autoencoder(CODER, VOLUME, slices_per_batch=slices_per_batch)
    latent = parts.encode(VOLUME)
    np.testing.assert_allclose(latent, encode(VOLUME), atol=1e-6)
    np.testing.assert_allclose(parts.decode(latent), decode(latent), atol=1e-6)
    weights = jnp.arange(VOLUME.size, dtype=jnp.float32).reshape(VOLUME.shape)
    found, expected = (
        jax.grad(lambda z, f=f: (weights * f(z) ** 2).sum())(latent) for f in (parts.decode, decode)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_equal_parts_compile_once():
    traces = []

    @jax.jit
    def encoded(parts):
        traces.append(1)
        return parts.encode(VOLUME)

    for _ in range(2):
        encoded(as_autoencoder(CODER, VOLUME, slices_per_batch=2))
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slices_per_batch": 0}, "slices_per_batch: expected an integer of at least 1, got 0"),
        (
            {"image": VOLUME[0]},
            r"slices_per_batch: expected None unless a volume \(s, h, w, c\) has latents \(s,"
            r" \.\.\.\)",
        ),
        (
            {
                "coder": ToyCoder(
                    lambda x: encode(x).reshape(-1), lambda z: decode(z.reshape(5, -1))
                )
            },
            r"got an image of shape \(5, 4, 4, 1\) with latents of shape \(30,\)",
        ),
        (
            {"coder": ToyCoder(encode, lambda z: decode(z)[:2])},
            r"one image of its shape .*, got \[\(2, 4, 4, 1\)\]",
        ),
        (
            {"coder": ToyCoder(lambda x: [encode(x)], decode)},
            "coder: expected encode to give one array, got list",
        ),
    ],
)
def test_mistakes_are_named(change, message):
    arguments = {"coder": CODER, "image": VOLUME, "slices_per_batch": 2} | change
    with pytest.raises(InputError, match=message):
        as_autoencoder(arguments.pop("coder"), arguments.pop("image"), **arguments)
