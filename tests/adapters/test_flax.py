import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import counted_compilations
from flax import linen, nnx

from cfx_jax.adapters import Inputs, from_linen, from_nnx
from cfx_jax.counterfactuals import vce
from cfx_jax.errors import InputError

IMAGES = np.random.default_rng(0).uniform(size=(3, 6, 6, 3)).astype(np.float32)
INPUTS = Inputs(mean=0.5, std=0.25)


class Linen(linen.Module):
    @linen.compact
    def __call__(self, x, train=True):
        x = linen.BatchNorm(use_running_average=not train)(linen.Conv(4, (3, 3))(x))
        return linen.Dense(2)(linen.Dropout(0.5, deterministic=not train)(x).mean((1, 2)))


class Network(nnx.Module):
    def __init__(self, rngs):
        self.convolution = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.last = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x):
        return self.last(self.norm(self.convolution(x)).mean((1, 2)))


def linen_case():
    module = Linen()
    variables = module.init(jax.random.key(0), IMAGES, train=False)
    expected = module.apply(variables, (IMAGES - 0.5) / 0.25, train=False)
    return from_linen(module, variables, inputs=INPUTS, train=False), expected


def nnx_case():
    module = Network(nnx.Rngs(0))
    module.eval()
    expected = module((IMAGES - 0.5) / 0.25)
    module.train()
    return from_nnx(module, inputs=INPUTS), expected


@pytest.mark.parametrize("case", [linen_case, nnx_case])
def test_logits_are_those_of_the_network_and_weights_are_leaves(case):
    classifier, expected = case()
    np.testing.assert_allclose(jax.vmap(classifier)(IMAGES), expected, atol=1e-6)
    doubled = jax.tree.map(lambda leaf: 2 * leaf if leaf.ndim == 1 else leaf, classifier)
    assert not np.allclose(doubled(IMAGES[0]), classifier(IMAGES[0]))
    vce(classifier, IMAGES[0], 1, p=2, radius=1.0, num_steps=2)
    with counted_compilations() as compilations:
        vce(classifier, IMAGES[1], 1, p=2, radius=1.0, num_steps=2)
    assert not compilations


def test_other_objects_are_named():
    with pytest.raises(InputError, match=r"module: expected an nnx.Module, got function"):
        from_nnx(jnp.mean)
    with pytest.raises(InputError, match=r"module: expected a flax.linen.Module, got Network"):
        from_linen(Network(nnx.Rngs(0)), {})
