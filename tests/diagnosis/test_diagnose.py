"""Classifiers and images with one fault each: it is found, named, and nothing else is."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.tree_util import Partial
from small_classifiers import convolutional_classifier, images, linear_classifier

from cfx_jax.adapters import Adapted, Inputs, Outputs
from cfx_jax.diagnosis import check_diagnosis, diagnose
from cfx_jax.errors import InputError
from cfx_jax.models import calibrated, ensemble, per_image, two_logits

IMAGES = images(3)


class Net(nnx.Module):
    """A convolution, and batch norm or dropout."""

    def __init__(self, *, norm):
        rngs = nnx.Rngs(0)
        self.conv = nnx.Conv(1, 4, (3, 3), rngs=rngs)
        self.layer = nnx.BatchNorm(4, rngs=rngs) if norm else nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, batch):
        return self.head(self.layer(nnx.relu(self.conv(batch))).mean(axis=(1, 2)))


def scaled(scale):
    return lambda image: scale * linear_classifier(image)


def only(found, name, severity="error"):
    (finding,) = found
    assert (finding.name, finding.severity) == (name, severity)
    assert "\n" not in finding.message
    return finding


@pytest.mark.parametrize(
    ("classifier", "batch"),
    [
        (convolutional_classifier, IMAGES),
        (lambda image: linear_classifier(image).astype(jnp.bfloat16), IMAGES),
        (linear_classifier, jnp.asarray(IMAGES[:1])),
        (linear_classifier, np.full((2, 8, 8, 1), 0.5, np.float32)),
        (calibrated(linear_classifier, 2.0), 0 * IMAGES),
    ],
)
def test_nothing_is_found_where_all_is_well(classifier, batch):
    assert diagnose(classifier, batch) == ()


@pytest.mark.parametrize("norm", [True, False])
def test_a_model_seen_through_per_image_is_well(norm):
    model = Net(norm=norm)
    model.train()
    assert diagnose(per_image(model), IMAGES) == ()


@pytest.mark.parametrize(
    ("batch", "name", "message", "places"),
    [
        (
            IMAGES[0],
            "images",
            r"images: expected a batch of images \(n, h, w, c\), got shape \(8, 8, 1\)",
            (),
        ),
        (IMAGES[:0], "images", "images: expected at least one image, got an empty batch", ()),
        (
            (255 * IMAGES).astype(np.uint8),
            "images",
            "got uint8: divide by 255 and cast to float32",
            (),
        ),
        (
            255 * np.stack([IMAGES[0], 0 * IMAGES[0]]),
            "range",
            r"got \[0, 25.*\] on 1 of 2 images: divide by 255",
            (0,),
        ),
        (
            3 * IMAGES - 1.5,
            "range",
            "got .* on 3 of 3 images: if they are standardised, move the normal",
            (0, 1, 2),
        ),
        (1.5 * IMAGES, "range", "rescale before the call", (0, 1, 2)),
        (
            np.where(IMAGES > 0.99, np.nan, IMAGES),
            "not_finite",
            "finite values, got NaN or infinity on . of 3",
            None,
        ),
    ],
)
def test_images_of_another_form_or_range_are_named(batch, name, message, places):
    finding = only(diagnose(linear_classifier, batch), name)
    with pytest.raises(InputError, match=message):
        raise InputError(finding.message)
    assert finding.images == (
        tuple(np.flatnonzero(np.isnan(batch).any((1, 2, 3)))) if places is None else places
    )


def test_images_divided_twice_are_a_warning():
    finding = only(diagnose(linear_classifier, IMAGES / 256), "range", "warning")
    assert "expected values in [0, 1], got none above 0.00389" in finding.message
    assert finding.message.endswith("were they divided by 255 twice?")


def test_targets_that_do_not_fit_are_named():
    finding = only(diagnose(linear_classifier, IMAGES, targets=np.zeros(2, int)), "targets")
    assert finding.message == "targets: expected one for each of 3 images, got shape (2,)"
    finding = only(diagnose(linear_classifier, IMAGES, targets=np.asarray([0, 1, 2])), "no_class")
    assert (
        finding.message == "targets: expected a class in 0..1, got 2: the classifier has 2 classes"
    )


def test_a_classifier_of_batches_is_named():
    finding = only(diagnose(lambda image: linear_classifier(image)[None], IMAGES), "output")
    assert finding.message.startswith(
        "classifier: expected one image -> logits (k,) with k >= 2, got (1, 2)"
    )


def test_dropout_in_training_mode_is_random_and_untraceable():
    model = Net(norm=False)
    model.train()
    untraceable, random = diagnose(lambda image: model(image[None])[0], IMAGES)
    assert (untraceable.name, random.name) == ("untraceable", "random")
    assert "expected a model that a call leaves as it is" in untraceable.message
    assert random.message == (
        "classifier: expected the same logits of the same image, got others at the second call: a"
        " model in training mode does so; models.per_image(model) is in inference mode"
    )


def test_batch_norm_in_training_mode_is_untraceable():
    model = Net(norm=True)
    model.train()
    finding = only(diagnose(lambda image: model(image[None])[0], IMAGES), "untraceable")
    assert finding.message.startswith(
        "classifier: expected a function that jax.jit and jax.vmap can trace, got SideEffectError ("
    )


def test_random_numbers_of_numpy_are_found():
    rng = np.random.default_rng(0)
    found = diagnose(lambda image: linear_classifier(image) + rng.normal(size=2), IMAGES)
    assert [each.name for each in found] == ["random", "vmap"]
    assert found[0].images == (0,)
    assert found[1].message.startswith(
        "classifier: expected the logits of single calls under jax.vmap, got others on 3 of 3"
    )


def test_state_that_is_read_while_tracing_is_found():
    calls = itertools.count()

    def changing(image):
        return linear_classifier(image) + jnp.asarray([0.0, 1.0]) * (next(calls) < 2)

    def longer(image):
        return jnp.append(
            linear_classifier(image), jnp.zeros(0 if isinstance(image, jax.core.Tracer) else 1)
        )

    for classifier in (changing, longer):
        assert only(diagnose(classifier, IMAGES), "vmap", "warning").images == (0, 1, 2)


def test_a_classifier_that_fails_is_named():
    def broken(image):
        raise ZeroDivisionError("by zero\nand more")

    def traced_only(image):
        if not isinstance(image, jax.core.Tracer):
            raise RuntimeError
        return linear_classifier(image)

    untraceable, raises = diagnose(broken, IMAGES)
    assert "got ZeroDivisionError (by zero): " in untraceable.message
    assert raises.name == "raises"
    finding = only(diagnose(traced_only, IMAGES), "raises")
    assert finding.message == (
        "classifier: expected one image -> logits also outside of jit, got RuntimeError: mend the"
        " classifier"
    )


def test_values_that_are_no_logits_are_named():
    finding = only(
        diagnose(lambda image: jnp.log(image.mean() - 0.5) * jnp.ones(2), 0.9 * IMAGES), "logits"
    )
    assert finding.message.startswith("classifier: expected finite logits, got NaN or infinity on ")
    assert finding.images
    finding = only(
        diagnose(lambda image: jax.nn.softmax(linear_classifier(image)), IMAGES), "probabilities"
    )
    assert finding.message.startswith(
        "classifier: expected logits, got probabilities (non-negative, sum 1)"
    )


@pytest.mark.parametrize("kind", ["probabilities", "log_probabilities"])
def test_probabilities_that_do_not_sum_to_1_are_those_of_several_labels(kind):
    def made(activation, label=None):
        def network(batch):
            values = activation(jax.vmap(convolutional_classifier)(batch))
            return jnp.log(values) if kind == "log_probabilities" else values

        return Adapted(Partial(network), Inputs(), Outputs(kind, label))

    finding = only(diagnose(made(jax.nn.sigmoid), IMAGES), "labels")
    total = jax.nn.sigmoid(convolutional_classifier(IMAGES[0])).sum()
    assert f"with the sum 1, as of classes that exclude each other, got {total:.3g}" in str(finding)
    assert finding.message.endswith(f"choose one with Outputs('{kind}', label=...)")
    for sound in (made(jax.nn.sigmoid, 1), made(jax.nn.softmax)):
        assert "labels" not in {one.name for one in diagnose(sound, IMAGES)}


@pytest.mark.parametrize(("label", "name"), [(None, "probability"), (1, "sigmoids")])
def test_values_that_are_said_to_be_probabilities_are_no_warning(label, name):
    """The log-odds of a probability above 1/2 may all lie between 0 and 1 too."""
    values = jnp.array([0.55] if label is None else [0.6, 0.55, 0.52])

    def batched(images):
        return values + 0.01 * jnp.arange(1, 1 + len(values)) * images.mean((1, 2, 3))[:, None]

    said = diagnose(Adapted(batched, Inputs(), Outputs("probabilities", label)), IMAGES)
    assert not {"probability", "sigmoids"} & {finding.name for finding in said}
    only(diagnose(Adapted(batched, Inputs(), Outputs()), IMAGES), name, "warning")


def test_sigmoids_of_several_labels_in_place_of_logits_are_a_warning():
    def labels(image):
        value = linear_classifier(image)[1]
        return jnp.stack([value, value + 1, -value])

    assert diagnose(labels, IMAGES) == ()
    finding = only(diagnose(lambda x: jax.nn.sigmoid(labels(x)), IMAGES), "sigmoids", "warning")
    assert "Outputs('probabilities', label=...)" in finding.message


def test_a_sigmoid_in_place_of_a_logit_is_a_warning():
    def logit(image):
        return linear_classifier(image)[1]

    assert diagnose(two_logits(logit), IMAGES) == ()
    finding = only(
        diagnose(two_logits(lambda x: jax.nn.sigmoid(logit(x))), IMAGES), "probability", "warning"
    )
    assert finding.message == (
        "classifier: expected logits (0, z) of two classes with z of either sign, got z in [0, 1]"
        " on all images and on noise: if z is a probability, return the value before the sigmoid"
    )


def test_log_probabilities_are_a_warning():
    for classifier in (
        lambda x: jax.nn.log_softmax(linear_classifier(x)),
        ensemble([linear_classifier] * 2),
    ):
        finding = only(diagnose(classifier, IMAGES), "log_probabilities", "warning")
        assert finding.message.startswith(
            "classifier: expected logits, got log-probabilities, as of an ensemble: right for"
        )


@pytest.mark.parametrize(
    "classifier",
    [
        lambda image: jnp.asarray([1.0, 2.0]) + 0 * image.sum(),
        lambda image: jnp.asarray([1.0, 2.0]) + image.sum(),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_classifier_that_ignores_its_input_is_named(classifier, count):
    finding = only(diagnose(classifier, IMAGES[:count]), "constant")
    assert finding.message.startswith(
        "classifier: expected logits that depend on the image, got the same for all images and for"
        " noise"
    )


def test_saturation_is_found_at_both_ends():
    images_of_one, images_of_other = np.zeros((2, 1, 8, 8, 1), np.float32)
    images_of_one[:, :, :2], images_of_other[:, :, 6:] = 1, 1
    batch = np.concatenate([images_of_one, IMAGES[:1] * 0 + 0.5, images_of_other])
    for targets, where in ((None, (0, 2)), ([1, 0, 1], (0, 2))):
        found = diagnose(
            scaled(100.0), batch, targets=None if targets is None else np.asarray(targets)
        )
        finding = only([each for each in found if each.name != "reached"], "saturated", "warning")
        assert finding.images == where
        assert (
            "got 0 or 1 by rounding on 2 of 3 images: the probability's gradient vanishes there"
            in finding.message
        )
    assert diagnose(scaled(0.1), batch) == ()


def test_targets_that_are_reached_are_found():
    predicted = np.stack([convolutional_classifier(image) for image in IMAGES]).argmax(axis=1)
    other = (predicted + 1) % 3
    assert diagnose(convolutional_classifier, IMAGES, targets=other) == ()
    targets = np.where([True, False, True], predicted, other)
    finding = only(
        diagnose(convolutional_classifier, IMAGES, targets=targets), "reached", "warning"
    )
    assert finding.images == (0, 2)
    assert finding.message == (
        "targets: expected classes that are not predicted yet, got the predicted class on 2 of 3"
        " images: choose another where the class is to change"
    )


def test_gradients_that_are_not_finite_are_found():
    batch = IMAGES.copy()
    batch[1, 0, 0] = 0
    finding = only(diagnose(lambda image: linear_classifier(jnp.sqrt(image)), batch), "gradient")
    assert finding.images == (1,)
    assert finding.message.startswith(
        "classifier: expected finite gradients, got NaN or infinity on 1 of 3 images: look for"
    )


def test_gradients_that_are_zero_are_an_error_on_all_images_and_a_warning_on_some():
    finding = only(
        diagnose(lambda image: linear_classifier(jnp.round(255 * image) / 255), IMAGES),
        "zero_gradient",
    )
    assert finding.images == (0, 1, 2)
    assert finding.message.startswith(
        "classifier: expected gradients that are not zero, got 0 at every pixel on 3 of 3"
    )
    batch = IMAGES.copy()
    batch[2] = 0.2

    def off(image):
        return linear_classifier(jax.nn.relu(image - 0.5))

    assert only(diagnose(off, batch), "zero_gradient", "warning").images == (2,)


def test_a_classifier_that_has_no_gradient_is_named():
    def callback(image):
        shape = jax.ShapeDtypeStruct((2,), jnp.float32)
        return jax.pure_callback(
            lambda x: np.stack([x.mean(), -x.mean()]), shape, image, vmap_method="sequential"
        )

    finding = only(diagnose(callback, IMAGES), "undifferentiable")
    assert finding.message.startswith(
        "classifier: expected a function that jax.grad takes, got ValueError (Pure callback"
    )
    assert finding.message.endswith("): compute float logits in JAX")


def test_in_a_script_errors_stop_and_warnings_are_shown():
    with pytest.raises(
        InputError, match=r"^targets: expected one .*; images: expected values in \[0, 1\], got"
    ):
        check_diagnosis(linear_classifier, 255 * IMAGES, targets=np.zeros(1, int))
    shown = []
    (warning,) = check_diagnosis(ensemble([linear_classifier]), IMAGES, show=shown.append)
    assert shown == [f"warning: {warning.message}"]
    assert check_diagnosis(linear_classifier, IMAGES, show=shown.append) == ()
    assert len(shown) == 1


@pytest.mark.parametrize(
    ("pictures", "targets", "name", "message"),
    [
        (
            np.array([["a"]]),
            None,
            "images",
            "expected numbers, got dtype <U1: cast it",
        ),
        (
            [[1.0], [1.0, 2.0]],
            None,
            "images",
            "expected floats .* got dtype object: stack images of one size",
        ),
        (
            np.zeros((2, 0, 0, 1), np.float32),
            None,
            "images",
            r"expected at least one pixel, got shape \(2, 0, 0, 1\)",
        ),
        (
            np.full((1, 8, 8, 1), 0.5, np.float32),
            ["a"],
            "targets",
            "expected class indices .integers., got dtype <U1",
        ),
    ],
)
def test_what_is_no_batch_of_images_is_a_finding_too(pictures, targets, name, message):
    (found,) = diagnose(lambda image: image[:2, 0, 0], pictures, targets=targets)
    assert (found.name, found.severity) == (name, "error")
    assert re.search(message, found.message)
