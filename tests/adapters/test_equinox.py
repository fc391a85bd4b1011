import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import counted_compilations

from cfx_jax.adapters import Inputs, from_equinox
from cfx_jax.counterfactuals import vce
from cfx_jax.errors import InputError

eqx = pytest.importorskip("equinox", reason="the extra 'parity' is not installed")

IMAGES = np.random.default_rng(0).uniform(size=(3, 6, 6, 3)).astype(np.float32)


class Network(eqx.Module):
    convolution: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm
    dropout: eqx.nn.Dropout
    last: eqx.nn.Linear

    def __init__(self, key):
        self.convolution = eqx.nn.Conv2d(3, 4, 3, key=key)
        self.norm = eqx.nn.BatchNorm(4, axis_name="batch", mode="batch")
        self.dropout = eqx.nn.Dropout(0.5)
        self.last = eqx.nn.Linear(4, 2, key=key)

    def __call__(self, x, state):
        x, state = self.norm(self.convolution(x), state)
        return self.last(self.dropout(jax.nn.relu(x).mean((1, 2)))), state


def test_logits_are_those_of_the_network_in_inference_mode():
    module, state = eqx.nn.make_with_state(Network)(jax.random.key(0))
    frozen = eqx.nn.inference_mode(module)
    normalised = jnp.asarray((IMAGES - 0.5) / 0.25).transpose(0, 3, 1, 2)
    expected = jnp.stack([frozen(image, state)[0] for image in normalised])
    inputs = Inputs("channels_first", mean=0.5, std=0.25)
    classifier = from_equinox(module, state=state, inputs=inputs)
    np.testing.assert_allclose(jax.vmap(classifier)(IMAGES), expected, atol=1e-6)
    vce(classifier, IMAGES[0], 1, p=2, radius=1.0, num_steps=2)
    with counted_compilations() as compilations:
        vce(classifier, IMAGES[1], 1, p=2, radius=1.0, num_steps=2)
    assert not compilations


def test_other_objects_are_named():
    with pytest.raises(InputError, match=r"module: expected an equinox.Module, got function"):
        from_equinox(jnp.mean)
