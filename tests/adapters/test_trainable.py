"""Parameters of models of every adapter: what a framework trains, and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax.tree_util import Partial

from cfx_jax.adapters import Outputs, from_equinox, from_linen, from_nnx, trainable
from cfx_jax.errors import InputError
from cfx_jax.models import per_image

IMAGE = jnp.asarray(np.random.default_rng(0).uniform(size=(4, 4, 3)), jnp.float32)


class WithNorm(nnx.Module):
    def __init__(self, rngs):
        self.norm, self.head = nnx.BatchNorm(3, rngs=rngs), nnx.Linear(3, 2, rngs=rngs)

    def __call__(self, images):
        return self.head(self.norm(images).mean((1, 2)))


class LinenWithNorm(linen.Module):
    @linen.compact
    def __call__(self, images, train):
        maps = linen.BatchNorm(use_running_average=not train)(images)
        return linen.Dense(2)(maps.mean((1, 2)))


def nnx_model():
    return from_nnx(WithNorm(nnx.Rngs(0))), 3 + 3 + 6 + 2


def native_model():
    return per_image(WithNorm(nnx.Rngs(0))), 3 + 3 + 6 + 2


def linen_model():
    module = LinenWithNorm()
    variables = module.init(jax.random.key(0), IMAGE[None], train=False)
    return from_linen(module, variables, train=False), 3 + 3 + 6 + 2


def equinox_model():
    eqx = pytest.importorskip("equinox")

    class Network(eqx.Module):
        norm: eqx.nn.BatchNorm
        head: eqx.nn.Linear

        def __init__(self):
            self.norm = eqx.nn.BatchNorm(3, axis_name="batch", mode="batch")
            self.head = eqx.nn.Linear(3, 2, key=jax.random.key(0))

        def __call__(self, image, state):
            maps, state = self.norm(image, state)
            return self.head(maps.mean((1, 2))), state

    module, state = eqx.nn.make_with_state(Network)()
    return from_equinox(module, state=state), 3 + 3 + 6 + 2


def keras_model():
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "jax":
        pytest.skip("Keras runs on another backend")
    from cfx_jax.adapters import from_keras

    layers = keras.layers
    parts = [layers.Input((4, 4, 3)), layers.BatchNormalization(), layers.GlobalAveragePooling2D()]
    return from_keras(keras.Sequential([*parts, layers.Dense(2)])), 3 + 3 + 6 + 2


def torch_model():
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchax")
    from cfx_jax.adapters import from_torch

    pool = torch.nn.AdaptiveAvgPool2d(1)
    layers = (torch.nn.BatchNorm2d(3), pool, torch.nn.Flatten(), torch.nn.Linear(3, 2))
    return from_torch(torch.nn.Sequential(*layers).eval()), 3 + 3 + 6 + 2


MODELS = [nnx_model, native_model, linen_model, equinox_model, keras_model, torch_model]


@pytest.mark.parametrize("make", MODELS)
def test_what_a_framework_trains_is_found_and_put_back(make):
    classifier, count = make()
    parts = trainable(classifier)
    assert sum(values.size for values in parts.parameters.values()) == count
    expected = classifier(IMAGE)
    np.testing.assert_allclose(parts.rebuild(parts.parameters)(IMAGE), expected, atol=1e-6)
    nothing = {name: jnp.zeros_like(values) for name, values in parts.parameters.items()}
    np.testing.assert_array_equal(parts.rebuild(nothing)(IMAGE), 0)
    np.testing.assert_array_equal(classifier(IMAGE), expected)


@pytest.mark.parametrize("make", MODELS)
def test_logits_have_a_gradient_by_the_parameters(make):
    parts = trainable(make()[0])
    slopes = jax.jit(jax.grad(lambda given: parts.rebuild(given)(IMAGE)[1]))(parts.parameters)
    shapes = sorted(values.shape for values in slopes.values())
    assert shapes in ([(2,), (2, 3), (3,), (3,)], [(2,), (3,), (3,), (3, 2)])
    bias = next(values for values in slopes.values() if values.shape == (2,))
    np.testing.assert_allclose(bias, [0, 1], atol=1e-6)


def test_facts_on_outputs_stay():
    classifier = from_nnx(WithNorm(nnx.Rngs(0)), outputs=Outputs(label=1))
    parts = trainable(classifier)
    np.testing.assert_allclose(parts.rebuild(parts.parameters)(IMAGE), classifier(IMAGE))
    assert float(classifier(IMAGE)[0]) == 0


def test_classifiers_without_parameters():
    with pytest.raises(InputError, match="model: expected one whose parameters JAX knows"):
        trainable(lambda image: jnp.stack([0.5, image.mean()]))
    parts = trainable(Partial(lambda weight, image: weight * image.mean(), jnp.ones(2)))
    with pytest.raises(InputError, match="parameters: expected"):
        parts.rebuild({})
