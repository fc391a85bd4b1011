import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from toy_training import Net, batch, bits, net

from trainers.shared import classifier_of, evaluation_view, graph_of, training_view, variables_of


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
