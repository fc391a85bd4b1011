from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from toy_training import Net, batch, bits, net

from cfx_jax.losses import cross_entropy
from cfx_jax.parallel import data_mesh
from trainers import RunSettings
from trainers.shared import (
    Batch,
    State,
    classifier_of,
    evaluation_view,
    graph_of,
    mean_gradients,
    training_view,
    variables_of,
)
from trainers.shared.networks import _parts


class Plain(nnx.Module):
    """Two layers without norm."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.hidden, self.head = nnx.Linear(64, 8, rngs=rngs), nnx.Linear(8, 2, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        return self.head(nnx.relu(self.hidden(images.reshape(len(images), -1))))


def _model() -> Net:
    model = net(nnx.Rngs(3))
    model.norm.mean[...] = jnp.full(16, 0.3)
    return model


def test_graph_is_that_of_the_model_and_costs_no_weights() -> None:
    assert graph_of(net) == nnx.split(_model(), nnx.Param, ...)[0]


def test_training_view_normalises_by_the_batch_and_leaves_the_given_variables_alone() -> None:
    params, rest = variables_of(_model())
    before = bits(rest)
    view = training_view(graph_of(net), params, rest)
    images = batch()["image"]
    hidden = np.asarray(
        4 * (images.reshape(len(images), -1) - 0.5) @ np.asarray(params["hidden"]["kernel"][...])
    )
    view(images)
    new = variables_of(view)[1]
    np.testing.assert_allclose(
        new["norm"]["mean"][...], 0.9 * 0.3 + 0.1 * hidden.mean(axis=0), rtol=1e-3, atol=1e-4
    )
    assert bits(rest) == before


def test_evaluation_view_uses_running_statistics_and_ignores_the_rest_of_the_batch() -> None:
    params, rest = variables_of(_model())
    images = batch()["image"]
    view = evaluation_view(graph_of(net), params, rest)
    np.testing.assert_allclose(view(images)[:3], view(images[:3]), atol=1e-5)
    classifier = classifier_of(graph_of(net), params, rest)
    np.testing.assert_allclose(jax.vmap(classifier)(images), view(images), atol=1e-5)


def test_dropout_is_on_in_training_and_off_in_evaluation() -> None:
    def model(rngs: nnx.Rngs) -> Net:
        return Net(rngs=rngs, dropout=0.5)

    params, rest = variables_of(model(nnx.Rngs(0)))
    images = batch()["image"]
    view = training_view(graph_of(model), params, rest)
    assert not np.allclose(view(images), view(images))
    view = evaluation_view(graph_of(model), params, rest)
    np.testing.assert_array_equal(view(images), view(images))


def _gradients(model: Any, accumulate: int) -> tuple[Any, Any, dict[str, jax.Array]]:
    graphdef, (params, rest) = graph_of(model), variables_of(model(nnx.Rngs(3)))

    def loss_of(params: Any, rest: Any, key: jax.Array, batch: Batch) -> Any:
        network: Any = training_view(graphdef, params, rest)
        loss = cross_entropy(network(batch["image"]), batch["label"])
        draw = jax.random.uniform(key)
        return loss, (variables_of(network)[1], {"loss": loss, "draw": draw})

    run, state = RunSettings(accumulate=accumulate), State(params, rest, ())
    return mean_gradients(loss_of, state, jax.random.key(5), batch(), run, data_mesh())


def test_parts_of_a_batch_give_the_gradient_and_metrics_of_the_whole() -> None:
    whole, parts = _gradients(Plain, 1), _gradients(Plain, 4)
    for one, other in zip(jax.tree.leaves(whole[0]), jax.tree.leaves(parts[0]), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(whole[2]["loss"], parts[2]["loss"], rtol=1e-5)
    draws = [jax.random.uniform(key) for key in jax.random.split(jax.random.key(5), 4)]
    np.testing.assert_allclose(parts[2]["draw"], np.mean(draws), rtol=1e-5)


def test_batch_norm_sees_each_part_alone_and_its_averages_move_once_for_each() -> None:
    params, images = variables_of(net(nnx.Rngs(3)))[0], batch()["image"]
    kernel, mean = np.asarray(params["hidden"]["kernel"][...]), np.zeros(16)
    hidden = 4 * (images.reshape(len(images), -1) - 0.5) @ kernel
    for part in np.split(hidden, 4):
        mean = 0.9 * mean + 0.1 * part.mean(axis=0)
    moved = _gradients(net, 4)[1]["norm"]["mean"][...]
    np.testing.assert_allclose(moved, mean, rtol=1e-3, atol=1e-4)


def test_each_device_keeps_its_images_and_every_part_has_some_of_each() -> None:
    """Of 2 devices and 2 parts, images 0 to 3 are the first device's."""
    numbers = _parts({"image": jnp.arange(8)}, 2, num_devices=2)["image"]
    np.testing.assert_array_equal(numbers, [[0, 1, 4, 5], [2, 3, 6, 7]])
