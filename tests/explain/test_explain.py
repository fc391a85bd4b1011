import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from small_resnet import small_resnet

from cfx_jax.adapters import from_nnx
from cfx_jax.attributions import grad_cam, integrated_gradients, occlusion
from cfx_jax.counterfactuals import smallest_counterfactual, vce
from cfx_jax.errors import InputError
from cfx_jax.explain import METHODS, automatic_radius, explain, load_explanations
from cfx_jax.explain.page import cautions_of
from cfx_jax.layer_taps import Tapped
from cfx_jax.objectives import class_score

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0.3, 0.7, size=(5, 6, 6, 1)).astype(np.float32)
WEIGHTS = jnp.asarray(RNG.normal(size=(36, 3)), jnp.float32)
CLASSES = ("healthy", "sick", "unknown")
OF_ANY_CLASSIFIER = tuple(
    name for name, method in METHODS.items() if not method.needs_layer and name != "guided_backprop"
)
QUICK = {"num_steps": 6, "num_nodes": 4, "num_samples": 3, "radius": 0.5}


def network(weights, image):
    return 8 * jnp.tanh((image.ravel() - 0.5) @ weights)


CLASSIFIER = Partial(network, WEIGHTS)


@pytest.fixture(scope="module")
def answers():
    names = [f"scan {number}" for number in range(5)]
    options = {"methods": OF_ANY_CLASSIFIER, "classes": CLASSES, "names": names, **QUICK}
    return explain(CLASSIFIER, IMAGES, **options, key=jax.random.key(1), batch_size=2)


def test_targets_are_the_runners_up(answers):
    order = np.argsort(np.stack([CLASSIFIER(image) for image in IMAGES]), axis=1)
    np.testing.assert_array_equal(answers.predictions, order[:, -1])
    np.testing.assert_array_equal(answers.targets, order[:, -2])
    np.testing.assert_allclose(answers.probabilities.sum(1), 1, rtol=1e-6)


def test_every_method_gives_what_it_gives_alone(answers):
    image, target = jnp.asarray(IMAGES[3]), int(answers.targets[3])
    alone = vce(CLASSIFIER, image, target, p=2, radius=0.5, num_steps=6)
    np.testing.assert_allclose(answers.pictures["vce"][3], alone.image, atol=1e-6)
    scores = answers.scores["vce"]
    np.testing.assert_allclose(scores["probability"][3], alone.probability, rtol=1e-5)
    change = np.asarray(alone.image) - IMAGES[3]
    np.testing.assert_allclose(scores["distance"][3], np.linalg.norm(change), rtol=1e-5)
    np.testing.assert_allclose(scores["changed_share"][3], (abs(change) > 1 / 255).mean())
    assert scores["valid"][3] == (np.argmax(CLASSIFIER(alone.image)) == target)
    smallest = smallest_counterfactual(
        CLASSIFIER, image, target, p=2, largest_radius=2.0, num_steps=6
    )
    radius = smallest.radius if smallest.reached else np.inf
    np.testing.assert_allclose(answers.scores["smallest"]["radius"][3], radius, rtol=1e-4)
    score = class_score(CLASSIFIER, int(answers.predictions[3]))
    expected = integrated_gradients(score, image, num_steps=4)
    np.testing.assert_allclose(answers.pictures["integrated_gradients"][3], expected, atol=1e-4)
    rise = score(image) - score(jnp.zeros_like(image))
    residual = answers.scores["integrated_gradients"]["residual"][3]
    np.testing.assert_allclose(residual, expected.sum() - rise, atol=1e-4)
    gradient = jax.grad(score)(image)
    np.testing.assert_allclose(answers.pictures["gradient"][3], gradient, atol=1e-4)
    np.testing.assert_allclose(answers.pictures["input_x_gradient"][3], image * gradient, atol=1e-4)


def test_an_images_result_does_not_depend_on_the_batch(answers):
    options = {"methods": ("vce", "smooth_grad"), **QUICK, "key": jax.random.key(1)}
    alone = explain(CLASSIFIER, IMAGES[:2], **options)
    for method in options["methods"]:
        np.testing.assert_allclose(alone.pictures[method], answers.pictures[method][:2], atol=1e-6)


def test_a_change_that_a_random_start_repeats_is_1_and_noise_is_told():
    def smooth(image):
        value = 4 * (image.mean() - 0.5)
        return jnp.stack([-value, value])

    options = {"methods": ["vce"], "radius": 0.5, "num_steps": 30}
    steady = explain(smooth, IMAGES, **options)
    np.testing.assert_allclose(steady.scores["vce"]["repeated"], 1, atol=1e-3)
    assert not cautions_of(steady)

    def rough(image):
        value = jnp.sin(400 * image).sum()
        return jnp.stack([-value, value])

    noisy = explain(rough, IMAGES, **options)
    assert noisy.scores["vce"]["repeated"].mean() < 0.5
    assert "mostly noise" in cautions_of(noisy)[-1]


@pytest.mark.parametrize("targets", ["sick", 1, [1, 1, 1, 1, 1], np.ones(5, int), ["sick"] * 5])
def test_targets_by_name_and_number(targets):
    options = {"methods": ["gradient"], "classes": CLASSES, **QUICK}
    np.testing.assert_array_equal(
        explain(CLASSIFIER, IMAGES, targets=targets, **options).targets, 1
    )


def test_saved_explanations_come_back(answers, tmp_path):
    back = load_explanations(answers.save(tmp_path / "new" / "folder"))
    assert (back.names, back.classes, back.settings) == (
        answers.names,
        answers.classes,
        answers.settings,
    )
    for method in OF_ANY_CLASSIFIER:
        np.testing.assert_array_equal(back.pictures[method], answers.pictures[method])
        for name, values in answers.scores[method].items():
            np.testing.assert_array_equal(back.scores[method][name], values)
    np.testing.assert_array_equal(back.images, IMAGES)
    sweep = back[2].sweeps["vce"]
    np.testing.assert_array_equal(sweep.pictures, answers[2].sweeps["vce"].pictures)
    np.testing.assert_allclose(sweep.positions, [0.125, 0.25, 0.5])
    with pytest.raises(InputError, match="expected a folder of explanations"):
        load_explanations(tmp_path / "none")


def test_a_sweep_holds_what_smaller_radii_give(answers):
    image, target = jnp.asarray(IMAGES[3]), int(answers.targets[3])
    sweep = answers[3].sweeps["vce"]
    for index, radius in enumerate(sweep.positions[:-1]):
        alone = vce(CLASSIFIER, image, target, p=2, radius=float(radius), num_steps=6)
        np.testing.assert_allclose(sweep.pictures[index], alone.image, atol=1e-6)
        np.testing.assert_allclose(sweep.probabilities[index], alone.probability, rtol=1e-5)
    np.testing.assert_allclose(
        sweep.probabilities[-1], answers.scores["vce"]["probability"][3], rtol=1e-6
    )
    assert not explain(CLASSIFIER, IMAGES, methods=["vce"], radii=(), **QUICK)[0].sweeps


def test_a_folder_of_another_run_is_not_written(answers, tmp_path):
    answers.save(tmp_path)
    other = explain(CLASSIFIER, 1 - IMAGES, methods=["gradient"])
    with pytest.raises(InputError, match="give --replace"):
        other.save(tmp_path)
    assert load_explanations(tmp_path).run.methods == tuple(OF_ANY_CLASSIFIER)
    other.save(tmp_path, replace=True)
    assert load_explanations(tmp_path).run.methods == ("gradient",)


def test_names_of_any_characters_are_drawn_and_kept(tmp_path):
    names = ["a\nb", "\udcff", "$x_{", "<script>alert()</script>", "ü"]
    options = {"names": names, "classes": ["$^", "\udcff", "<b>"]}
    answers = explain(CLASSIFIER, IMAGES, methods=["gradient"], **options)
    assert load_explanations(answers.save(tmp_path)).names == answers.names
    assert answers.names[2:] == tuple(names[2:])
    assert "<script>alert" not in answers.report(tmp_path / "page.html").read_text()
    answers.show(count=5).savefig(tmp_path / "figure.png")


def test_one_image_without_logits_behind_the_diagnosed_ones_is_told():
    images = np.concatenate([IMAGES, IMAGES, np.full((1, 6, 6, 1), 0.99, np.float32)])

    def classifier(image):
        return jnp.where(image.mean() > 0.9, jnp.nan, CLASSIFIER(image))

    with pytest.raises(InputError, match=r"image 10: expected .* logits are NaN or infinite"):
        explain(classifier, images, methods=["gradient"])


def test_the_page_shows_every_image_method_and_word(answers, tmp_path):
    text = answers.report(tmp_path / "page.html").read_text()
    for word in (
        *answers.names,
        *OF_ANY_CLASSIFIER,
        "healthy",
        "smallest radius",
        "completeness residual",
    ):
        assert word in text, word
    assert text.count("<img") >= 2 * len(METHODS)
    figure = answers.show(count=3)
    assert len(figure.axes) == 3 * (1 + len(OF_ANY_CLASSIFIER))
    assert answers._repr_html_().startswith('<img alt="')


def test_what_no_radius_reaches_is_said_in_words(tmp_path):
    options = {"methods": ["smallest"], **QUICK, "radius": 1e-3, "probability": 0.999}
    answers = explain(CLASSIFIER, IMAGES, **options)
    assert np.isinf(answers.scores["smallest"]["radius"]).all()
    text = answers.report(tmp_path / "page.html").read_text()
    assert text.count("<dd>none up to 0.004 reaches 0.999</dd>") == len(IMAGES)
    assert text.count("<dt>target predicted</dt><dd>no</dd>") == len(IMAGES)


@pytest.fixture(scope="module")
def layered():
    """A small network of this library: its layers have names, and its activation is the ReLU."""
    model = small_resnet(in_channels=1)
    images = RNG.uniform(size=(2, 16, 16, 1)).astype(np.float32)
    return from_nnx(model), images


def test_maps_of_a_layer_are_those_of_its_tap_and_name_it(layered):
    classifier, images = layered
    answers = explain(classifier, images, methods=["grad_cam", "guided_backprop"])
    assert answers.settings.layer == "stages.1.0"

    def by_log_odds(image, shift=None):
        logits, value = classifier.tap("stages.1.0")(image, shift)
        return Tapped(jnp.stack([logits[0] - logits[1], logits[1] - logits[0]]), value)

    predicted = int(answers.predictions[0])
    expected = grad_cam(by_log_odds, images[0], predicted)
    found = answers.pictures["grad_cam"][0].sum(-1)
    np.testing.assert_allclose(found, expected, atol=1e-5 * float(expected.max()))
    score = class_score(classifier.guided(), predicted)
    guided = jax.grad(score)(jnp.asarray(images[0]))
    found = answers.pictures["guided_backprop"][0]
    np.testing.assert_allclose(found, guided, atol=1e-4 * float(jnp.abs(guided).max()))
    early = explain(classifier, images, methods=["layer_cam"], layer="stages.0.0")
    assert early.settings.layer == "stages.0.0"
    assert early.pictures["layer_cam"].shape == images.shape


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("layer4", "layer: expected the name of a layer"),
        ("head", "layer: expected one with feature maps .*got 'head'"),
    ],
)
def test_layers_that_cannot_be_shown_are_told_before_anything_runs(layered, layer, message):
    with pytest.raises(InputError, match=message):
        explain(*layered, methods=["gradient", "grad_cam"], layer=layer)


def test_methods_that_a_classifier_cannot_have_are_told():
    with pytest.raises(InputError, match=r"layer: expected a model whose layers have names"):
        explain(CLASSIFIER, IMAGES, methods=["score_cam"])
    with pytest.raises(InputError, match=r"expected one with jax.nn.relu"):
        explain(CLASSIFIER, IMAGES, methods=["guided_backprop"])
    with pytest.raises(InputError, match=r"images: expected 1 or 3 channels, .* got 2"):
        explain(CLASSIFIER, np.repeat(IMAGES, 2, axis=3), methods=["gradient"])


def test_occlusion_hides_the_window_that_is_asked_for():
    answers = explain(CLASSIFIER, IMAGES, methods=["occlusion"], occlusion_window=3)
    score = class_score(CLASSIFIER, int(answers.predictions[0]))
    expected = occlusion(score, IMAGES[0], window=3)
    np.testing.assert_allclose(answers.pictures["occlusion"][0, ..., 0], expected, atol=1e-5)


def test_the_radius_follows_the_size():
    quick = QUICK | {"radius": "auto"}
    answers = explain(CLASSIFIER, IMAGES[:1], methods=["vce"], **quick)
    assert answers.settings.radius == automatic_radius((6, 6, 1), 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": "vce"}, "methods: expected one or more names in a list, got 'vce'"),
        ({"methods": []}, "methods: expected one or more"),
        ({"classes": [1, 2, 3]}, "classes: expected texts"),
        ({"names": [None] * 5}, "names: expected texts"),
        ({"targets": None}, "targets: expected an integer"),
        ({"targets": 1.0}, "targets: expected an integer"),
        ({"radius": "large"}, "radius: expected one of 'auto'"),
        ({"radius": None}, "radius: expected a real number"),
        ({"probability": 1.5}, "probability: expected a value between 0 and 1"),
        ({"key": 3}, "key"),
        ({"methods": ["lime"]}, "methods: expected one of 'vce'"),
        ({"classes": ["a", "b"]}, "classes: expected 3 different names"),
        ({"classes": CLASSES, "targets": "ill"}, "targets: expected one of 'healthy'"),
        ({"targets": 3}, "targets"),
        ({"targets": [0, 1]}, "targets"),
        ({"names": ["a"]}, "names: expected 5"),
        ({"radius": -1.0}, "radius"),
        ({"num_steps": 0}, "num_steps"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        explain(CLASSIFIER, IMAGES, **{"methods": ["gradient"], **options})


def test_a_model_that_gives_probabilities_is_refused():
    with pytest.raises(InputError, match="classifier: expected logits"):
        explain(lambda image: jax.nn.softmax(CLASSIFIER(image)), IMAGES, methods=["gradient"])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_network_in_half_precision_has_decisions_and_numbers_in_float32(dtype):
    def classifier(image):
        return CLASSIFIER(image).astype(dtype)

    answers = explain(classifier, IMAGES[:2], methods=("gradient",))
    rounded = np.stack([CLASSIFIER(image).astype(dtype).astype(float) for image in IMAGES[:2]])
    assert answers.logits.dtype == np.float32
    np.testing.assert_array_equal(answers.logits, rounded)
    np.testing.assert_array_equal(answers.predictions, rounded.argmax(1))
    exact = np.exp(rounded) / np.exp(rounded).sum(1, keepdims=True)
    np.testing.assert_allclose(answers.probabilities, exact, rtol=1e-5)
