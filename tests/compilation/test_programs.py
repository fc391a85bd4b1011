"""Eager calls in a plain loop compile once; what a callable holds is seen as it is now; old
programs are let go.
"""

from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from compilations import counted_compilations
from flax import nnx
from jax.tree_util import Partial
from small_classifiers import images
from toy_coder import CODER
from toy_coder import classifier as toy_classifier

from cfx_jax.attributions import gradient, integrated_gradients_and_residual, over_slices
from cfx_jax.checks import num_classes
from cfx_jax.compilation import (
    SideEffectError,
    as_pytree,
    compiled,
    let_go_of_programs,
    num_mappings,
    programs,
)
from cfx_jax.counterfactuals import (
    cyce,
    latent_counterfactual_batch,
    latent_shift_batch,
    naive_adversarial,
    similar_adversarial,
    syce_latent_path,
    vce_batch,
    xgem_batch,
)
from cfx_jax.errors import InputError
from cfx_jax.geometry import box, lp_ball_in_box
from cfx_jax.losses import trades_attack
from cfx_jax.metrics import parameter_randomisation, robustly_correct
from cfx_jax.models import two_logits
from cfx_jax.objectives import class_score
from cfx_jax.optimise import from_optax, gradient_descent, run

SIZE = 4
IMAGES = images(8, size=SIZE)
KEYS = jax.random.split(jax.random.key(0), 8)
WEIGHTS = jnp.asarray(np.random.default_rng(0).normal(size=(SIZE * SIZE, 2)), jnp.float32)


def classifier_of(weights):
    """A function made anew, as users make them in a loop."""
    return lambda image: image.reshape(-1) @ weights


def eager_calls(key, image):
    """Calls that ``conformance_table`` has not, since they take several images or give no image."""
    classifier, batch = classifier_of(WEIGHTS), jnp.stack([image, 1 - image])
    keys, targets = jax.random.split(key), np.asarray([0, 1])
    ball = partial(lp_ball_in_box, image, 0.5)

    def darker(x):
        return 0.9 * x

    def coder():
        return SimpleNamespace(encode=lambda x: 2 * x, decode=lambda z: z / 2)

    def attribution(weights, x):
        return gradient(class_score(classifier_of(weights), 1), x)

    return {
        "project": lambda: [ball(p).project(image + 0.3) for p in (1, 2, np.inf)],
        "linear_minimiser": lambda: [
            ball(p).linear_minimiser(image - 0.5) for p in (1, 1.5, 2, np.inf)
        ],
        "sample": lambda: [
            ball(p, mask=image[..., 0] > 0).sample(key) for p in (1, 1.5, 2, np.inf)
        ],
        "box": lambda: (
            box(image / 2, image).sample(key) + box(image / 2, image).linear_minimiser(image - 0.5)
        ),
        "run": lambda: run(
            from_optax(optax.adam(0.1), num_steps=2), class_score(classifier, 1), image
        ),
        "integrated_gradients_and_residual": lambda: integrated_gradients_and_residual(
            class_score(classifier, 1), image, num_steps=3, nodes_per_batch=2
        ),
        "similar_adversarial": lambda: similar_adversarial(lambda x: (x, darker(x)), image),
        "naive_adversarial": lambda: naive_adversarial(darker, image),
        "cyce": lambda: cyce([darker, lambda x: jnp.sqrt(x)], classifier, image),
        "syce_latent_path": lambda: syce_latent_path([coder(), coder()], classifier, image)[1:],
        "over_slices": lambda: over_slices(lambda x, index: x * index, batch, slices_per_batch=1),
        "trades_attack": lambda: trades_attack(key, classifier, image, num_steps=2),
        "vce_batch": lambda: vce_batch(
            classifier, batch, targets, p=2, radius=0.5, num_steps=2, key=key
        ),
        "latent_counterfactual_batch": lambda: latent_counterfactual_batch(
            CODER, lambda x: toy_classifier(x), batch, targets, num_steps=2
        ),
        "latent_shift_batch": lambda: latent_shift_batch(
            CODER, lambda x: toy_classifier(x), batch, targets
        ),
        "xgem_batch": lambda: xgem_batch(
            coder(), classifier, batch, gradient_descent(num_steps=2, step_size=0.1)
        ),
        "robustly_correct": lambda: robustly_correct(
            keys[0],
            two_logits(lambda x: 9 + 0 * x.sum()),
            batch,
            np.ones(2, int),
            radius=0.1,
            num_steps=2,
            num_restarts=1,
        ),
        "parameter_randomisation": lambda: parameter_randomisation(
            key, lambda w, x: attribution(w, x), WEIGHTS, batch
        ),
    }


@pytest.mark.parametrize("name", sorted(eager_calls(KEYS[0], jnp.asarray(IMAGES[0]))))
def test_eager_calls_compile_once(name):
    def call_with(index):
        return jax.block_until_ready(eager_calls(KEYS[index], jnp.asarray(IMAGES[index]))[name]())

    call_with(0), call_with(1)
    with counted_compilations() as compilations:
        for index in range(8):
            call_with(index)
    assert not compilations


def test_new_weights_are_seen_in_closures_globals_and_attributes():
    image = jnp.asarray(IMAGES[0])
    held = {"weights": WEIGHTS}

    class Network:
        def __init__(self):
            self.weights = WEIGHTS

        def logits(self, x):
            return x.reshape(-1) @ self.weights

        def __call__(self, x):
            return self.logits(x)

    network, calls = Network(), []

    def closed_over(x):
        calls.append(1)
        return x.reshape(-1) @ held["weights"]

    for factor in (1, 2, -3):
        held["weights"] = network.weights = factor * WEIGHTS
        expected = factor * (WEIGHTS[:, 1] - WEIGHTS[:, 0]).reshape(image.shape)
        for classifier in (
            closed_over,
            closed_over,
            classifier_of(factor * WEIGHTS),
            network,
            network.logits,
        ):
            np.testing.assert_allclose(
                gradient(class_score(classifier, 1), image), expected, rtol=1e-5
            )
    assert len(calls) == 3, (
        "traced once for each of the weights, though it changes a list that it holds"
    )


def test_a_global_name_may_be_given_another_meaning():
    names = {"jnp": jnp, "__name__": "a_notebook"}
    exec("def classifier(image):\n    return stretch(image).reshape(-1) @ weights", names)
    exec("def stretch(image):\n    return image * factor", names)
    for factor in (1.0, 2.0):
        names |= {"weights": WEIGHTS + factor, "factor": factor}
        found = compiled(names["classifier"], jnp.asarray(IMAGES[0]))
        np.testing.assert_allclose(
            found, factor * IMAGES[0].reshape(-1) @ (WEIGHTS + factor), rtol=1e-5
        )


def test_other_numbers_arrays_and_code_are_not_taken_for_equal():
    def multiplied(factor, *, power=1):
        return lambda x: (x * factor) ** power

    image = jnp.asarray(IMAGES[0])
    for factor in (
        1,
        1.0,
        True,
        2,
        -0.0,
        0.0,
        np.float32(3),
        np.asarray([2.0]),
        np.asarray([5.0]),
        jnp.ones(1),
        (7,),
    ):
        by = factor[0] if isinstance(factor, tuple) else factor
        found = compiled(multiplied(factor[0] if isinstance(factor, tuple) else factor), image)
        np.testing.assert_array_equal(found, image * by)
        assert found.dtype == (image * by).dtype
        np.testing.assert_array_equal(np.signbit(found), np.signbit(image * by))
    np.testing.assert_array_equal(compiled(multiplied(2, power=2), image), (image * 2) ** 2)
    np.testing.assert_array_equal(compiled(lambda x: x - 1, image), image - 1)
    np.testing.assert_array_equal(compiled(lambda x: x - 2, image), image - 2)


def test_equal_callables_have_one_structure():
    structures = [
        jax.tree.structure(as_pytree(classifier_of(weights)))
        for weights in (WEIGHTS, WEIGHTS, 2 * WEIGHTS)
    ]
    assert structures[0] == structures[1] != structures[2]
    assert structures[0] != jax.tree.structure(as_pytree(lambda image: image))
    scores = [
        as_pytree(class_score(Partial(jnp.matmul, weights), 1))
        for weights in (WEIGHTS, 2 * WEIGHTS)
    ]
    assert jax.tree.structure(scores[0]) == jax.tree.structure(scores[1]), (
        "arrays of pytrees are leaves"
    )
    assert jax.tree.leaves(scores[1])[0] is not WEIGHTS


def test_callables_that_ask_for_values_or_hold_themselves_still_run():
    threshold, table = jnp.asarray(0.5), np.asarray([4.0, 9.0])

    def asks(x):
        return x.sum() if threshold > 0 else -x.sum()

    def by_numpy(x):
        return x.sum() * np.sqrt(table)[1]

    def recursive(x, depth=2):
        return recursive(x * threshold, depth - 1) if depth else x

    def asking_classifier(x):
        return x.reshape(-1) @ (WEIGHTS if float(threshold) > 0 else -WEIGHTS)

    image = jnp.asarray(IMAGES[0])
    options = {"p": 2, "radius": 0.5, "num_steps": 2}
    found, expected = (
        vce_batch(f, IMAGES[:2], [0, 1], **options)
        for f in (asking_classifier, classifier_of(WEIGHTS))
    )
    np.testing.assert_allclose(found.probability, expected.probability, rtol=1e-5)
    assert float(compiled(asks, image)) == pytest.approx(float(image.sum()))
    assert float(compiled(by_numpy, image)) == pytest.approx(3 * float(image.sum()), rel=1e-6)
    np.testing.assert_allclose(compiled(recursive, image), image / 4)


def test_a_model_in_training_mode_is_refused():
    model = nnx.BatchNorm(2, rngs=nnx.Rngs(0))

    def classifier(image):
        return model(jnp.broadcast_to(image, (*image.shape[:2], 2))).mean(axis=(0, 1))

    with pytest.raises(
        SideEffectError, match="classifier: expected a model that a call leaves as it is"
    ):
        num_classes(classifier, IMAGES[0])
    model.eval()
    assert num_classes(classifier, IMAGES[0]) == 2


def test_errors_come_as_they_are():
    with pytest.raises(InputError, match="score: expected one image"):
        gradient(lambda x: x, jnp.asarray(IMAGES[0]))
    with pytest.raises(ZeroDivisionError):
        compiled(lambda x: x / (1 // 0), IMAGES[0])


@pytest.mark.skipif(not num_mappings(), reason="only Linux tells the memory mappings of a process")
def test_old_programs_are_let_go_when_there_are_many(monkeypatch):
    def many_programs():
        return [jax.block_until_ready(compiled(jnp.sin, jnp.ones(size))) for size in range(1, 20)]

    let_go_of_programs(above=0)
    before = num_mappings()
    first = many_programs()
    grown = num_mappings()
    assert grown > before + 100
    let_go_of_programs(above=grown + 1000)
    assert num_mappings() >= grown - 10, "few programs are kept"
    let_go_of_programs(above=before)
    assert num_mappings() < before + 50
    for old, new in zip(first, many_programs(), strict=True):
        np.testing.assert_array_equal(old, new)
    monkeypatch.setattr(programs, "_looks", {"calls": 0, "left": 0})
    monkeypatch.setattr(programs, "_MANY", 0.0)
    for _ in range(32):
        compiled(jnp.cos, jnp.ones(3))
    assert num_mappings() < before + 50, "looked at by the calls themselves"


def test_programs_may_be_let_go_while_a_function_is_traced():
    @jax.jit
    def function(x):
        y = compiled(jnp.sin, x)
        jax.clear_caches()
        return jax.lax.scan(lambda carry, _: (compiled(jnp.sin, carry), None), y, None, length=2)[0]

    np.testing.assert_allclose(function(jnp.ones(3)), np.sin(np.sin(np.sin(np.ones(3)))), rtol=1e-5)


@pytest.mark.parametrize("way", ["single", "batch"])
def test_two_precisions_of_products_are_two_programs(way):
    """The first precision finds its program again."""

    def call():
        classifier, batch = classifier_of(WEIGHTS), jnp.asarray(IMAGES[:2])
        if way == "single":
            return gradient(class_score(classifier, 1), batch[0])
        options = {"p": 2, "radius": 0.5, "num_steps": 2}
        return vce_batch(classifier, batch, np.array([0, 1]), **options)

    counts = []
    for precision in ("high", "highest", "high"):
        with jax.default_matmul_precision(precision), counted_compilations() as compilations:
            call()
        counts.append(len(compilations))
    assert counts[0] >= counts[1] >= 1 and counts[2] == 0
