"""The parameter randomisation test on every attribution of the package, with one trained network.

Adebayo et al. 2018: maps by gradients and Grad-CAM lose what they showed when the weights are
replaced from the last layer on; a product with the image keeps the image; guided backpropagation
keeps much as long as the first layer stays; a map that is made of edges keeps all. The other
methods are judged by which of these they are built like.
"""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cfx_jax.attributions import (
    augment_average,
    grad_cam,
    grad_cam_plus_plus,
    gradient,
    guided_backprop,
    input_x_gradient,
    integrated_gradients,
    mask_perturbation,
    path_attribution,
    path_attribution_along,
    perceptual_perturbation,
    random_map,
    score_cam,
    smooth_grad,
    vce_saliency,
)
from cfx_jax.counterfactuals import vce
from cfx_jax.maps import smooth
from cfx_jax.metrics import parameter_randomisation
from cfx_jax.models import Parts, guided_relu
from cfx_jax.objectives import class_score, negative_margin

KEY, SIZE, LAYERS = jax.random.key(0), 16, ("conv1", "conv2", "conv3", "head")
CHANNELS = (1, 8, 16, 16)


def features(parameters, image, *, act=jax.nn.relu):
    x = image[None] - 0.5
    for layer, stride in zip(LAYERS, (1, 2, 1), strict=False):
        kernel, bias = parameters[layer]["kernel"], parameters[layer]["bias"]
        x = jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = act(x + bias)
    return x[0]


def head(parameters, maps):
    return maps.mean(axis=(0, 1)) @ parameters["head"]["kernel"] + parameters["head"]["bias"]


def classifier(parameters, image, **options):
    return head(parameters, features(parameters, image, **options))


def bars(seed, count):
    """Images of one bright bar in noise, and whether it lies (0) or stands (1)."""
    rng = np.random.default_rng(seed)
    images, labels = 0.3 * rng.random((count, SIZE, SIZE, 1)), rng.integers(2, size=count)
    for image, label in zip(images, labels, strict=True):
        height, width = (7, 2) if label else (2, 7)
        top, left = rng.integers(SIZE - height), rng.integers(SIZE - width)
        image[top : top + height, left : left + width] += 0.5
    return images.astype(np.float32), labels


IMAGES, LABELS = bars(1, 8)


@cache
def trained():
    rng = np.random.default_rng(0)
    shapes = {f"conv{i}": (3, 3, *CHANNELS[i - 1 : i + 1]) for i in (1, 2, 3)} | {
        "head": (CHANNELS[-1], 2)
    }
    parameters = {
        layer: {
            "kernel": jnp.asarray(
                rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape), jnp.float32
            ),
            "bias": jnp.asarray(rng.normal(0, 0.01, shape[-1]), jnp.float32),
        }
        for layer, shape in shapes.items()
    }
    optimiser = optax.adam(5e-3)

    @jax.jit
    def step(parameters, state, images, labels):
        def loss(parameters):
            logits = jax.vmap(partial(classifier, parameters))(images)
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        updates, state = optimiser.update(jax.grad(loss)(parameters), state)
        return optax.apply_updates(parameters, updates), state

    state, (images, labels) = optimiser.init(parameters), bars(0, 64 * 60)
    for batch in np.arange(len(images)).reshape(-1, 64):
        parameters, state = step(parameters, state, images[batch], labels[batch])
    return parameters


def by_score(explain, **options):
    """An attribution that takes a score and an image, as a function of the parameters."""
    return lambda parameters, image, target: explain(
        class_score(partial(classifier, parameters, **options), target), image
    )


def by_parts(explain):
    return lambda parameters, image, target: explain(
        Parts(partial(features, parameters), partial(head, parameters)), image, target
    )


def by_margin(parameters, image, target):
    margin = negative_margin(partial(classifier, parameters), target)
    return perceptual_perturbation(
        margin, partial(features, parameters), image, num_steps=10, optimiser=optax.sgd(1e-5)
    )


def by_counterfactual(parameters, image, target):
    found = vce(partial(classifier, parameters), image, 1 - target, p=2, radius=1.0, num_steps=10)
    return vce_saliency(image, found.image)


def by_probability(explain):
    return lambda parameters, image, target: explain(
        class_score(partial(classifier, parameters), target, of="probability"), image
    )


def blurred(image):
    return smooth(image, sigma=2.0)


ATTRIBUTIONS = {
    "gradient": by_score(gradient),
    "smooth_grad": by_score(
        lambda score, x: smooth_grad(KEY, partial(gradient, score), x, num_samples=8)
    ),
    "augment_average": by_score(
        lambda score, x: augment_average(KEY, partial(gradient, score), x, num=2)
    ),
    "input_x_gradient": by_score(input_x_gradient),
    "integrated_gradients": by_score(lambda score, x: integrated_gradients(score, x, num_steps=8)),
    "guided_backprop": by_score(guided_backprop, act=guided_relu),
    "grad_cam": by_parts(grad_cam),
    "grad_cam_plus_plus": by_parts(grad_cam_plus_plus),
    "score_cam": by_parts(score_cam),
    "mask_perturbation": by_probability(
        lambda score, x: mask_perturbation(score, x, mask_shape=(8, 8), num_steps=20)
    ),
    "perceptual_perturbation": by_margin,
    "path_attribution": by_score(
        lambda score, x: path_attribution(score, x, blurred(x), num_steps=8).map
    ),
    "path_attribution_along": by_score(
        lambda score, x: (
            path_attribution_along(
                score, jnp.square, jnp.sqrt(x), jnp.sqrt(blurred(x)), num_steps=8
            ).map
        )
    ),
    "vce_saliency": by_counterfactual,
    "random_map": lambda parameters, image, target: random_map(KEY, image),
    "edges": lambda parameters, image, target: jnp.abs(jnp.diff(image, axis=0, append=image[-1:])),
}


@cache
def kept(name):
    """How much of the map is left, by absolute values, once each layer and all after it are
    replaced.

    The mean over images and draws of the weights; a map that is empty then keeps nothing.
    """
    results = [
        parameter_randomisation(
            key, ATTRIBUTIONS[name], trained(), IMAGES, targets=LABELS, groups=LAYERS
        )
        for key in jax.random.split(KEY, 5)
    ]
    left = np.nan_to_num([result.absolute for result in results]).mean(axis=(0, 2))
    return dict(zip(LAYERS[::-1], left, strict=True))


def each(*names, slow=()):
    return pytest.mark.parametrize(
        "name", [*names, *(pytest.param(name, marks=pytest.mark.slow) for name in slow)]
    )


def test_the_network_has_learnt_what_it_is_to_explain():
    images, labels = bars(2, 400)
    logits = jax.vmap(partial(classifier, trained()))(images)
    assert (np.asarray(logits).argmax(axis=1) == labels).mean() > 0.95


@each(
    "gradient",
    slow=(
        "smooth_grad",
        "augment_average",
        "perceptual_perturbation",
        "mask_perturbation",
        "vce_saliency",
    ),
)
def test_maps_made_by_the_weights_are_lost_with_them(name):
    left = kept(name)
    assert max(left.values()) < 0.85
    assert left["conv2"] < 0.4
    assert left["conv1"] < 0.35


def test_guided_backpropagation_keeps_clearly_more_than_the_gradient_while_the_first_layer_stays():
    guided, plain = kept("guided_backprop"), kept("gradient")
    assert guided["head"] > plain["head"] + 0.1
    assert guided["conv3"] > plain["conv3"] + 0.1
    assert guided["conv2"] > plain["conv2"] + 0.2
    assert guided["conv1"] < guided["conv2"] - 0.15


@each("input_x_gradient", "integrated_gradients")
def test_a_product_with_the_image_keeps_the_image(name):
    left = kept(name)
    assert kept("gradient")["conv1"] + 0.2 < left["conv1"] < 0.75


@each(slow=("path_attribution", "path_attribution_along"))
def test_a_product_with_the_squared_way_keeps_most_of_the_way(name):
    left = kept(name)
    assert 0.6 < min(left.values()) <= max(left.values()) < 0.97


def test_grad_cam_is_lost_with_the_last_layers():
    assert max(kept("grad_cam").values()) < 0.65


@each("grad_cam_plus_plus", "score_cam")
def test_maps_whose_weights_are_all_positive_keep_what_all_feature_maps_share(name):
    """Grad-CAM++ and Score-CAM: any positive mixture of the features is bright where the image
    is.
    """
    left = kept(name)
    assert all(left[layer] > kept("grad_cam")[layer] + 0.1 for layer in LAYERS)
    assert left["conv1"] < left["head"] - 0.1


@each("random_map", "edges")
def test_a_map_that_explains_nothing_keeps_all(name):
    np.testing.assert_allclose(list(kept(name).values()), 1, atol=1e-6)
