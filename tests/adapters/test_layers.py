"""Layers of models that JAX traces: each framework's against the network cut in two by hand."""

import os
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import counted_compilations
from flax import linen, nnx
from jax import export

from cfx_jax.adapters import Outputs, from_equinox, from_exported, from_keras, from_linen, from_nnx
from cfx_jax.attributions import grad_cam, guided_backprop, layer_cam
from cfx_jax.errors import InputError
from cfx_jax.models import Parts, guided_relu
from cfx_jax.objectives import class_score

IMAGES = np.random.default_rng(0).uniform(size=(3, 8, 6, 3)).astype(np.float32)


class Case(NamedTuple):
    """A classifier, its layers, its two parts by hand for a given ReLU, and the layer between."""

    classifier: Any
    layers: dict[str, tuple[int, ...]]
    parts: Any
    cut: str


class Linen(linen.Module):
    """A layer that is called twice, by its name ``act``."""

    @linen.compact
    def __call__(self, x):
        act = linen.Dense(4, name="act")
        x = linen.relu(act(linen.Conv(4, (3, 3), 2, name="conv")(x)))
        return linen.Dense(2, name="last")(jax.nn.relu(act(x) - 0.1).mean((1, 2)))


def linen_case():
    module = Linen()
    variables = module.init(jax.random.key(0), IMAGES)
    weights = variables["params"]

    def parts(relu):
        def features(image):
            conv = linen.Conv(4, (3, 3), 2)
            return conv.apply({"params": weights["conv"]}, image[None])[0]

        def head(maps):
            x = relu(maps @ weights["act"]["kernel"] + weights["act"]["bias"])
            x = relu(x @ weights["act"]["kernel"] + weights["act"]["bias"] - 0.1)
            return x.mean((0, 1)) @ weights["last"]["kernel"] + weights["last"]["bias"]

        return Parts(features, head)

    shapes = {"conv": (4, 3, 4), "act": (4, 3, 4), "act:2": (4, 3, 4), "last": (2,)}
    return Case(from_linen(module, variables), shapes, parts, "conv")


class Block(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 4, (3, 3), strides=2, rngs=rngs)

    def __call__(self, x):
        return self.conv(x)


class Doubled(Block):
    """A class that calls the method of its parent, which is one call of one layer."""

    def __call__(self, x):
        return 2 * super().__call__(x)


class Network(nnx.Module):
    def __init__(self, rngs):
        self.blocks, self.last = nnx.List([Doubled(rngs)]), nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x):
        return self.last(nnx.relu(self.blocks[0](x)).mean((1, 2)))


def nnx_case():
    module = Network(nnx.Rngs(0))

    def parts(relu):
        return Parts(
            lambda image: 2 * module.blocks[0].conv(image[None])[0],
            lambda maps: module.last(relu(maps).mean((0, 1))),
        )

    shapes = {"blocks.0.conv": (4, 3, 4), "blocks.0": (4, 3, 4), "last": (2,)}
    return Case(from_nnx(module), shapes, parts, "blocks.0")


def equinox_case():
    eqx = pytest.importorskip("equinox", reason="the extra 'parity' is not installed")
    keys = jax.random.split(jax.random.key(0))
    conv, last = eqx.nn.Conv2d(3, 4, 3, 2, key=keys[0]), eqx.nn.Linear(4, 2, key=keys[1])
    layers = [conv, eqx.nn.Lambda(jax.nn.relu), eqx.nn.Lambda(lambda x: x.mean((1, 2))), last]

    def parts(relu):
        return Parts(
            lambda image: conv(image.transpose(2, 0, 1)).transpose(1, 2, 0),
            lambda maps: last(relu(maps).mean((0, 1))),
        )

    shapes = {"layers.0": (3, 2, 4), "layers.1": (3, 2, 4), "layers.2": (4,), "layers.3": (2,)}
    return Case(from_equinox(eqx.nn.Sequential(layers)), shapes, parts, "layers.0")


def keras_case():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras", reason="the extra 'parity' is not installed")
    keras.utils.set_random_seed(0)
    conv = keras.layers.Conv2D(4, 3, strides=2, name="conv")
    last = keras.layers.Dense(2, name="last", activation="softmax")
    layers = [keras.layers.Input((8, 6, 3)), conv, keras.layers.ReLU(name="relu")]
    model = keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D(name="mean"), last])

    def parts(relu):
        kernel, bias = (jnp.asarray(variable.value) for variable in last.variables)
        return Parts(
            lambda image: conv(image[None])[0],
            lambda maps: jax.nn.log_softmax(relu(maps).mean((0, 1)) @ kernel + bias),
        )

    shapes = {"conv": (3, 2, 4), "relu": (3, 2, 4), "mean": (4,), "last": (2,)}
    return Case(from_keras(model, outputs=Outputs("probabilities")), shapes, parts, "conv")


@pytest.fixture(scope="module", params=[linen_case, nnx_case, equinox_case, keras_case])
def case(request):
    return request.param()


def test_layers_have_names_and_shapes_in_the_order_in_which_they_end(case):
    found = case.classifier.layers(IMAGES[0])
    assert list(found.items()) == list(case.layers.items())
    spatial = [name for name, shape in case.layers.items() if len(shape) == 3]
    assert case.classifier.last_spatial_layer(IMAGES[0]) == spatial[-1]


def test_maps_are_those_of_the_network_cut_by_hand(case):
    cut, layer = case.parts(jax.nn.relu), case.cut
    tap = case.classifier.tap(layer)
    for method in (grad_cam, layer_cam):
        expected = np.stack([method(cut, image, 1) for image in IMAGES])
        assert expected.max() > 0
        tolerance = 1e-5 * expected.max()
        found = jax.jit(jax.vmap(lambda image, method=method: method(tap, image, 1)))(IMAGES)
        np.testing.assert_allclose(found, expected, atol=tolerance)
        np.testing.assert_allclose(method(tap, IMAGES[0], 1), expected[0], atol=tolerance)
    with counted_compilations() as compilations:
        grad_cam(case.classifier.tap(layer), IMAGES[1], 1)
    assert not compilations


def test_the_shift_is_added_to_the_value(case):
    cut, layer = case.parts(jax.nn.relu), case.cut
    tap, image = case.classifier.tap(layer), jnp.asarray(IMAGES[0])
    shift = jax.random.normal(jax.random.key(1), case.layers[layer])
    for found, expected in zip(tap(image, shift), cut(image, shift), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(tap(image).logits, case.classifier(image), atol=1e-6)


def test_guided_backpropagation_is_that_of_the_network_with_guided_relus(case):
    guided = jax.grad(lambda image: case.parts(guided_relu)(image).logits[1])
    by_hand = jax.jit(jax.vmap(guided))(IMAGES)
    view = case.classifier.guided()
    found = jax.jit(jax.vmap(lambda x: guided_backprop(class_score(view, 1, of="logit"), x)))(
        IMAGES
    )
    np.testing.assert_allclose(found, by_hand, atol=1e-5 * np.abs(by_hand).max())
    plain = jax.jit(jax.vmap(jax.grad(class_score(case.classifier, 1, of="logit"))))(IMAGES)
    assert not np.allclose(found, plain, atol=1e-3 * np.abs(by_hand).max())
    np.testing.assert_allclose(view(IMAGES[0]), case.classifier(IMAGES[0]), atol=1e-6)


def test_a_layer_that_is_not_there_is_named(case):
    with pytest.raises(InputError, match=r"layer: expected the name of a layer, .*got 'layer4'"):
        grad_cam(case.classifier.tap("layer4"), IMAGES[0], 1)


def test_layers_within_a_loop_are_left_out():
    """Their values are of the loop's own trace."""

    class Looped(nnx.Module):
        def __init__(self, rngs):
            self.inner, self.last = nnx.Linear(3, 3, rngs=rngs), nnx.Linear(3, 2, rngs=rngs)

        def __call__(self, x):
            return self.last(jax.vmap(lambda row: self.inner(row))(x).mean((1, 2)))

    classifier = from_nnx(Looped(nnx.Rngs(0)))
    assert list(classifier.layers(IMAGES[0])) == ["last"]
    with pytest.raises(InputError, match=r"feature maps \(fh, fw, f\), .*got none among 1 layers"):
        classifier.last_spatial_layer(IMAGES[0])


def test_classes_are_as_they_were_after_a_model_that_raises():
    before = Block.__call__
    classifier = from_nnx(Network(nnx.Rngs(0)))
    with pytest.raises(InputError, match="give Inputs"):
        classifier.layers(IMAGES[0, ..., :2])
    assert Block.__call__ is before


def test_serialised_functions_have_no_layers():
    shape = jax.ShapeDtypeStruct((1, 8, 6, 3), jnp.float32)
    function = export.export(jax.jit(lambda images: images.mean((1, 2))))(shape)
    pytest.importorskip("flatbuffers", reason="the extra 'parity' is not installed")
    classifier = from_exported(bytes(function.serialize(vjp_order=1)))
    for call in (lambda: classifier.layers(IMAGES[0]), lambda: classifier.tap("conv")):
        with pytest.raises(InputError, match="got a serialised function, which has none"):
            call()
