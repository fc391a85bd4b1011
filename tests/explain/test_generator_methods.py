"""Generators beside the other methods: what they draw is what their networks draw, and a generator
of another classifier, shape or classes is refused.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_classifiers import images, linear_classifier

from cfx_jax.errors import InputError
from cfx_jax.explain import (
    Network,
    explain,
    load_explanations,
    load_generator,
    save_generator,
    trained_generator,
)
from cfx_jax.models import ProgressiveGenerator, SingleAE, UNetGenerator

SHAPE = (8, 8, 1)
UNET = {"in_channels": 1, "filters": [2, 3]}
SINGLE = UNET | {"head_filters": [2]}
SWEEP = {"in_channels": 1, "filters": [2, 3], "num_bins": 4}
BUILT = {
    "similar_adversarial": [(SingleAE, SINGLE)],
    "naive_adversarial": [(UNetGenerator, UNET)],
    "syce": [(UNetGenerator, UNET)] * 2,
    "cyce": [(UNetGenerator, UNET)] * 2,
    "progressive": [(ProgressiveGenerator, SWEEP)],
}
IMAGES = images(6, seed=3)


def three_classes(image):
    left, right = image[:, :4].mean(), image[:, 4:].mean()
    above = 20 * (image[:4].mean() - 0.5)
    return 6 * jnp.stack([left - right, right - left, above + 0.15])


def generator(method, *, classifier=linear_classifier, sides=((0,), (1,)), classes=("a", "b")):
    networks = [
        Network(kind.__name__, options, kind(**options, rngs=nnx.Rngs(7 + number)))
        for number, (kind, options) in enumerate(BUILT[method])
    ]
    return trained_generator(
        method,
        networks,
        classifier,
        classes=classes,
        sides=sides,
        shape=SHAPE,
        model="small_classifiers:linear_classifier",
        training={},
    )


def explain_by(*generators, classifier=linear_classifier, **options):
    return explain(classifier, IMAGES, methods=(), generators=generators, batch_size=4, **options)


def test_sagen_draws_what_its_network_draws():
    made = generator("similar_adversarial")
    answers = explain_by(made)
    similar, adversarial = made.networks[0].module(jnp.asarray(IMAGES))
    np.testing.assert_allclose(answers.pictures["similar_adversarial"], adversarial, atol=1e-6)
    difference = np.abs(similar - adversarial)
    np.testing.assert_allclose(answers.pictures["similar_adversarial_map"], difference, atol=1e-6)
    error = np.square(similar - IMAGES).mean((1, 2, 3))
    redrawing = answers.scores["similar_adversarial"]["redrawing"]
    np.testing.assert_allclose(redrawing, -10 * np.log10(error), rtol=1e-5)
    assert answers.classes == ("a", "b")


def test_a_target_that_is_decided_already_keeps_its_side():
    made = generator("similar_adversarial")
    answers = explain_by(made, targets="b")
    similar, adversarial = made.networks[0].module(jnp.asarray(IMAGES))
    decided = np.asarray(jax.vmap(linear_classifier)(IMAGES)).argmax(1)
    assert set(decided) == {0, 1}
    wanted = np.where((decided == 1)[:, None, None, None], similar, adversarial)
    np.testing.assert_allclose(answers.pictures["similar_adversarial"], wanted, atol=1e-6)


@pytest.mark.parametrize("method", ["syce", "cyce"])
def test_the_generator_of_the_decided_side_draws(method):
    made = generator(method)
    answers = explain_by(made)
    decided = np.asarray(jax.vmap(linear_classifier)(IMAGES)).argmax(1)
    for number, side in enumerate(decided):
        network = made.networks[side].module
        adversary = network(jnp.asarray(IMAGES[number : number + 1]))
        kept = network(adversary) if method == "syce" else IMAGES[number : number + 1]
        np.testing.assert_allclose(answers.pictures[method][number], adversary[0], atol=1e-6)
        difference = np.abs(kept - adversary)[0]
        np.testing.assert_allclose(answers.pictures[f"{method}_map"][number], difference, atol=1e-6)


def test_the_naive_generator_is_shown_as_sagen():
    made = generator("naive_adversarial")
    answers = explain_by(made)
    drawn = made.networks[0].module(jnp.asarray(IMAGES))
    np.testing.assert_allclose(answers.pictures["similar_adversarial"], drawn, atol=1e-6)
    assert "redrawing" not in answers.scores["similar_adversarial"]


def test_progressive_sweeps_to_the_far_end_of_the_targets_side():
    made = generator("progressive")
    answers = explain_by(made)
    network = nnx.view(made.networks[0].module, use_running_average=True)
    logits = np.asarray(jax.vmap(linear_classifier)(IMAGES))
    own = np.minimum(4 / (1 + np.exp(logits[:, 0] - logits[:, 1])), 3).astype(int)
    for number, decided in enumerate(logits.argmax(1)):
        image = jnp.asarray(IMAGES[number : number + 1])
        latent = network.encode(image, jnp.asarray(own[number : number + 1]))
        bins = np.arange(4)[::-1] if decided == 1 else np.arange(4)  # towards the other side
        drawn = [network.decode(latent, jnp.array([bin]))[0] for bin in bins]
        np.testing.assert_allclose(answers.pictures["progressive"][number], drawn[-1], atol=1e-5)
        sweep = answers[number].sweeps["progressive"]
        np.testing.assert_allclose(sweep.pictures, drawn[:-1], atol=1e-5)
        np.testing.assert_allclose(sweep.positions, [0.125, 0.375, 0.625, 0.875])
        target = 1 - decided
        wanted = [jax.nn.softmax(linear_classifier(image))[target] for image in drawn]
        np.testing.assert_allclose(sweep.probabilities, wanted, atol=1e-5)


def test_a_folder_keeps_the_generator(tmp_path):
    made = generator("syce")
    folder = save_generator(tmp_path / "syce", made)
    first = explain_by(made)
    second = explain_by(folder)
    for name, pictures in first.pictures.items():
        np.testing.assert_array_equal(second.pictures[name], pictures)
    kept = load_generator(folder)
    assert (kept.classes, kept.sides, kept.shape) == (made.classes, made.sides, made.shape)


def test_explanations_are_stored_and_shown(tmp_path):
    folder = tmp_path / "explanations"
    explain_by(generator("cyce"), generator("progressive"), folder=folder)
    again = load_explanations(folder)
    page = again.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "cyce" in page and "progressive" in page
    assert "PSNR of the redrawn image" in page and "probability asked for" in page
    assert "where the two drawings differ" in page


def test_another_generator_makes_another_run(tmp_path):
    explain_by(generator("cyce"), folder=tmp_path)
    explain_by(generator("cyce"), folder=tmp_path)
    with pytest.raises(InputError, match="the generators"):
        explain_by(generator("cyce", sides=((1,), (0,))), folder=tmp_path)


def test_one_class_against_the_rest():
    sides = ((0, 1), (2,))
    made = generator("syce", classifier=three_classes, sides=sides, classes=("a", "b", "c"))
    assert made.side_names == ("not c", "c")
    answers = explain_by(made, classifier=three_classes, targets="c")
    logits = np.asarray(jax.vmap(three_classes)(IMAGES))
    is_of_c = logits[:, 2] >= np.logaddexp(logits[:, 0], logits[:, 1])
    assert is_of_c.any() and not is_of_c.all()
    drawers = [network.module for network in made.networks]
    for number, side in enumerate(is_of_c.astype(int)):
        drawn = drawers[side](jnp.asarray(IMAGES[number : number + 1]))
        wanted = drawers[side](drawn) if side else drawn  # of class c already: what keeps it
        np.testing.assert_allclose(answers.pictures["syce"][number], wanted[0], atol=1e-6)


def test_a_generator_of_another_classifier_is_refused():
    with pytest.raises(InputError, match="decisions of another model, small_classifiers:linear"):
        explain_by(generator("syce"), classifier=lambda image: 1.2 * linear_classifier(image))


def test_what_is_added_to_all_logits_changes_nothing():
    answers = explain_by(generator("syce"), classifier=lambda image: linear_classifier(image) + 3.0)
    assert "syce" in answers.pictures


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ("b", "a")}, "trained for the classes a, b, these are b, a"),
        ({"generators": [generator("syce")] * 2}, "got two of syce"),
        ({"generators": "folder"}, "generators: expected a list"),
    ],
)
def test_generators_that_do_not_fit(options, message):
    given = {"generators": [generator("syce")], **options}
    with pytest.raises(InputError, match=message):
        explain(linear_classifier, IMAGES, methods=(), **given)


def test_images_of_another_shape():
    with pytest.raises(InputError, match="trained on images of 8x8 pixels and 1 channels, these"):
        explain(
            linear_classifier,
            images(2, channels=3),
            methods=(),
            generators=[generator("similar_adversarial")],
        )


def test_folders_without_a_generator(tmp_path):
    with pytest.raises(InputError, match=r"found no generator\.json"):
        load_generator(tmp_path)
    (tmp_path / "training.json").write_text("{}")
    with pytest.raises(InputError, match="is not finished"):
        load_generator(tmp_path)


def test_damaged_folders(tmp_path):
    folder = save_generator(tmp_path, generator("syce"))
    facts = json.loads((folder / "generator.json").read_text())
    wrong = {"method": ["magic", 3], "networks": [[["SingleAE", {}]], [], {}, None]}
    wrong |= {"classes": ["ab", [0, 1], None], "sides": [[["a"], ["b"]], [[0]], 3]}
    wrong |= {"shape": ["abc", [8, 8], ["a", 8, 1], {}]}
    for wrong_facts in ({name: value} for name in wrong for value in wrong[name]):
        (folder / "generator.json").write_text(json.dumps(facts | wrong_facts))
        with pytest.raises(InputError, match="is damaged"):
            load_generator(folder)
    (folder / "generator.json").write_text(json.dumps(facts))
    save_generator(tmp_path / "other", generator("similar_adversarial"))
    (folder / "generator.npz").write_bytes((tmp_path / "other/generator.npz").read_bytes())
    with pytest.raises(InputError, match=r"generator\.npz is not the one"):
        load_generator(folder)
