import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from cfx_jax.adapters import Inputs, Outputs
from cfx_jax.adapters.adapted import Adapted
from cfx_jax.errors import InputError

IMAGE = np.random.default_rng(0).uniform(size=(6, 4, 3)).astype(np.float32)


def test_images_become_what_the_model_expects():
    inputs = Inputs("channels_first", value_range=(0, 255), mean=(1, 2, 3), std=(4.0, 5.0, 6.0))
    expected = np.stack([(IMAGE[..., c] * 255 - (1, 2, 3)[c]) / (4, 5, 6)[c] for c in range(3)])
    np.testing.assert_allclose(inputs.prepare(jnp.asarray(IMAGE)), expected[None], rtol=1e-6)


def test_models_of_opencv_see_blue_first_with_mean_and_deviation_in_this_order():
    inputs = Inputs(channel_order="bgr", value_range=(0, 255), mean=(103, 116, 123), std=(1, 2, 3))
    expected = (IMAGE[..., [2, 1, 0]] * 255 - (103, 116, 123)) / (1, 2, 3)
    np.testing.assert_allclose(inputs.prepare(jnp.asarray(IMAGE))[0], expected, rtol=1e-4)
    grey = jnp.asarray(IMAGE[..., :1])
    repeated = Inputs(channels=3, channel_order="bgr").prepare(grey)[0]
    np.testing.assert_array_equal(repeated, np.repeat(grey, 3, axis=2))


def test_one_range_of_torchxrayvision():
    inputs = Inputs("channels_first", channels=1, value_range=(-1024, 1024))
    prepared = inputs.prepare(jnp.array([0.0, 0.5, 1.0]).reshape(1, 3, 1))
    np.testing.assert_allclose(prepared.ravel(), [-1024, 0, 1024])


def test_grey_is_repeated_and_colour_becomes_luminance():
    grey = jnp.asarray(IMAGE[..., :1])
    np.testing.assert_array_equal(Inputs(channels=3).prepare(grey)[0], np.repeat(grey, 3, axis=2))
    luminance = IMAGE @ np.array([0.299, 0.587, 0.114], np.float32)
    prepared = Inputs(channels=1).prepare(jnp.asarray(IMAGE))
    np.testing.assert_allclose(prepared[0, ..., 0], luminance, rtol=1e-6)


def test_images_are_resized_to_the_size():
    constant = jnp.full((6, 4, 1), 0.25)
    prepared = Inputs(size=(3, 8)).prepare(constant)
    np.testing.assert_allclose(prepared, np.full((1, 3, 8, 1), 0.25), rtol=1e-6)


@pytest.mark.parametrize(
    ("outputs", "values"),
    [
        (Outputs(), lambda p: np.log(p) + 3),
        (Outputs("probabilities"), lambda p: p),
        (Outputs("log_probabilities"), np.log),
    ],
)
def test_probabilities_of_classes_are_kept(outputs, values):
    probabilities = np.array([0.2, 0.5, 0.3], np.float32)
    logits = outputs.logits(jnp.asarray(values(probabilities)))
    np.testing.assert_allclose(jax.nn.softmax(logits), probabilities, rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("logits", np.log(0.2 / 0.8)), ("probabilities", 0.2), ("log_probabilities", np.log(0.2))],
)
@pytest.mark.parametrize("label", [None, 1])
def test_one_value_is_the_probability_of_class_1(kind, value, label):
    values = jnp.array([value] if label is None else [9.0, value, 9.0], jnp.float32)
    probabilities = jax.nn.softmax(Outputs(kind, label=label).logits(values))
    np.testing.assert_allclose(probabilities, [0.8, 0.2], rtol=1e-5)


@pytest.mark.parametrize("kind", ["probabilities", "log_probabilities"])
@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_logits_of_certain_probabilities_are_finite(kind, probability):
    with np.errstate(divide="ignore"):
        value = np.log(probability) if kind == "log_probabilities" else probability
    logits = Outputs(kind).logits(jnp.array([value], jnp.float32))
    assert np.argmax(logits) == probability
    assert np.isfinite(logits).all() or value == -np.inf


def test_a_classifier_is_one_of_one_image_and_its_weights_are_leaves():
    weights = jnp.ones((3, 2))
    batched = Partial(lambda weights, images: images.mean((1, 2)) @ weights, weights)
    classifier = Adapted(batched, Inputs(), Outputs())
    np.testing.assert_allclose(classifier(IMAGE), IMAGE.mean((0, 1)) @ weights, rtol=1e-6)
    assert jax.tree.leaves(classifier)[0] is weights


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Inputs(channel_order="gbr"), "channel_order: expected one of 'rgb', 'bgr'"),
        (lambda: Inputs("nchw"), "layout: expected one of 'channels_first', 'channels_last'"),
        (lambda: Inputs(channels=4), "channels: expected 1, 3 or None, got 4"),
        (lambda: Inputs(value_range=(1, 1)), "value_range: expected two different values"),
        (lambda: Inputs(std=(1.0, 0.0, 1.0)), "std: expected values other than 0"),
        (lambda: Inputs(size=4), "size: expected height and width"),
        (lambda: Inputs(size=(0, 4)), "size: expected an integer of at least 1"),
        (lambda: Inputs(size=(4.5, 4)), "size: expected an integer"),
        (lambda: Inputs(size=(4, 4, 3)), "size: expected height and width"),
        (lambda: Inputs(value_range=(0, 1, 2)), "value_range: expected two numbers"),
        (lambda: Inputs(value_range=255), "value_range: expected two numbers"),
        (lambda: Inputs(mean="a"), "mean: expected one finite number"),
        (lambda: Inputs(std=float("nan")), "std: expected one finite number"),
        (lambda: Inputs().prepare(jnp.zeros((2, 2))), "image: expected shape (h, w, c)"),
        (lambda: Outputs("softmax"), "kind: expected one of 'logits'"),
        (lambda: Outputs(label=-1), "label"),
        (lambda: Outputs(label=3).logits(jnp.zeros(3)), "label: expected below 3, got 3"),
        (lambda: Outputs().logits(jnp.zeros((2, 2))), "model: expected values (k,) for an image"),
        (lambda: Inputs(channels=3).prepare(jnp.zeros((2, 2, 2))), "expected 3 channels, or 1"),
        (lambda: Inputs(mean=(0.0, 0.0)).prepare(jnp.zeros((2, 2, 3))), "mean: expected one"),
    ],
)
def test_wrong_facts_are_named(make, message):
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize("values", [lambda x: {"logits": x}, lambda x: x.mean()])
def test_models_that_give_no_values_of_a_batch_are_named(values):
    with pytest.raises(InputError, match="model: expected images"):
        Adapted(Partial(values), Inputs(), Outputs())(IMAGE)


@pytest.mark.parametrize("make", [list, np.array])
def test_facts_in_lists_and_arrays_compare_by_value(make):
    given = Inputs(mean=make([0.1, 0.2, 0.3]), std=make([1.0, 2.0, 4.0]), size=[4, 4])
    expected = Inputs(mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 4.0), size=(4, 4))
    assert given == expected and hash(given) == hash(expected)


def test_what_a_model_raises_of_wrong_images_is_one_line():
    with pytest.raises(InputError, match=r"model: expected one of images \(1, .*raised TypeError"):
        Adapted(Partial(lambda x: x.reshape(1, -1) @ jnp.ones((7, 2))), Inputs(), Outputs())(
            jnp.zeros((2, 2, 3))
        )
