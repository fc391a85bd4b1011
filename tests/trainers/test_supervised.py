from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from toy_training import OPTIONS, bits, images_and_labels, net, source, validation

from cfx_jax.data import ArraySource
from cfx_jax.errors import InputError
from trainers import classifier
from trainers.nnx_views import evaluation_view, graph_of
from trainers.supervised import (
    SupervisedConfig,
    choose_model,
    init,
    make_evaluate,
    scheduled,
    scores,
)

CONFIG = SupervisedConfig(eval_batch_size=50, num_steps=1)


def test_initial_weights_depend_on_the_key_alone() -> None:
    one, same, other = (init(jax.random.key(seed), CONFIG, model=net) for seed in (0, 0, 1))
    assert bits(one) == bits(same) != bits(other)


PAPER_LABELS = np.repeat(
    [0, 1], [25_338, 6_406]
)  # 75 % of the 42,325 photographs of Boreiko et al.


@pytest.mark.parametrize(
    ("options", "labels", "expected"),
    [
        ({}, PAPER_LABELS, (500 * 395, 395, 395)),
        ({"epochs": 3}, PAPER_LABELS, (3 * 395, 395, 395)),
        (
            {"balanced": False, "epochs": 50, "batch_size": 32},
            np.zeros(11_917, int),
            (50 * 372, 372, 372),
        ),
        (
            {"epochs": 2, "batch_size": 8},
            np.array([0, 1, 1, 2]),
            (2, 1, 1),
        ),  # less than a batch is a step
        ({"num_steps": 7, "epochs": 3}, PAPER_LABELS, (7, 395, 395)),
        ({"num_steps": 7, "evaluate_every": 2, "checkpoint_every": 3}, PAPER_LABELS, (7, 2, 3)),
    ],
)
def test_epochs_are_counted_out_for_the_training_images(
    options: Any, labels: Any, expected: Any
) -> None:
    config = scheduled(SupervisedConfig(**options), labels)
    assert (config.num_steps, config.evaluate_every, config.checkpoint_every) == expected
    assert scheduled(config, labels) == config


def test_a_schedule_without_steps_is_refused() -> None:
    with pytest.raises(InputError, match="epochs: expected enough for one of 395 steps, got 0"):
        scheduled(SupervisedConfig(epochs=0), PAPER_LABELS)
    with pytest.raises(InputError, match="num_steps: expected at least 1, got 0"):
        init(jax.random.key(0), SupervisedConfig(), model=net)


def test_start_gives_its_weights_and_a_fresh_optimiser() -> None:
    model = net(nnx.Rngs(7))
    state = init(jax.random.key(0), CONFIG, model=net, start=model)
    np.testing.assert_array_equal(state.params["head"]["kernel"][...], model.head.kernel[...])
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(state.opt_state))


def test_the_configured_model_is_built_with_classes_channels_and_normalisation() -> None:
    config = SupervisedConfig(
        model="resnet_small", num_classes=3, in_channels=1, mean=(0.2,), std=(0.5,)
    )
    model: Any = nnx.eval_shape(lambda: choose_model(config, None)(nnx.Rngs(0)))
    view = nnx.view(model, use_running_average=True)
    logits = jax.eval_shape(
        lambda model, x: model(x), view, jax.ShapeDtypeStruct((2, 64, 64, 1), jnp.float32)
    )
    assert logits.shape == (2, 3)
    assert (model.mean, model.std) == ((0.2,), (0.5,))


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="resnet50"):
        init(jax.random.key(0), SupervisedConfig(model="resnet51", num_steps=1))


def test_evaluation_counts_right_answers_of_the_evaluation_mode() -> None:
    state, data = init(jax.random.key(0), CONFIG, model=net), validation()
    model = evaluation_view(graph_of(net), state.params, state.rest)
    right = np.asarray(model(data["image"])).argmax(axis=1) == data["label"]
    recalls = [right[data["label"] == label].mean() for label in (0, 1)]
    result = make_evaluate(CONFIG, data, model=net)(state)
    assert result["validation_accuracy"] == pytest.approx(right.mean())
    assert result["validation_balanced_accuracy"] == pytest.approx(np.mean(recalls))


def test_evaluations_of_new_weights_compile_nothing_new(caplog: pytest.LogCaptureFixture) -> None:
    evaluate = make_evaluate(CONFIG, validation(), model=net)
    evaluate(init(jax.random.key(0), CONFIG, model=net))
    with jax.log_compiles():
        evaluate(init(jax.random.key(1), CONFIG, model=net))
    assert not [
        record
        for record in caplog.records
        if "_map_batch" in record.message and "Compiling" in record.message
    ]


def test_a_tie_of_two_classes_is_decided_for_class_1() -> None:
    assert scores("x", np.zeros((4, 2)), np.array([0, 1, 1, 1]))["x_accuracy"] == 0.75


def test_scores_by_hand() -> None:
    logits, labels = np.array([[1.0, 0], [0, 1], [0, 1], [1, 0]]), np.array([0, 0, 0, 1])
    assert scores("x", logits, labels) == {
        "x_accuracy": 0.25,
        "x_balanced_accuracy": pytest.approx(1 / 6),
    }


def test_validation_images_and_labels_are_checked() -> None:
    data = validation()
    with pytest.raises(InputError, match="validation images: expected values in"):
        make_evaluate(CONFIG, {**data, "image": data["image"] * 3}, model=net)
    with pytest.raises(InputError, match=r"validation labels: expected a class in 0\.\.1, got 5"):
        make_evaluate(CONFIG, {**data, "label": data["label"] + 5}, model=net)


def test_data_that_does_not_fit_the_configuration_is_refused(tmp_path: Path) -> None:
    def train(**options: Any) -> None:
        config = classifier.Config(
            **{**OPTIONS, "num_steps": 1, "model": "resnet_small", **options}
        )  # type: ignore[arg-type]
        classifier.train(config, source(), np.arange(256), validation(), tmp_path, progress=False)

    with pytest.raises(
        InputError, match=r"num_classes: expected 2 as the data has \(healthy, ill\), got 3"
    ):
        train(num_classes=3)
    with pytest.raises(InputError, match="in_channels: expected 1 as the images have, got 3"):
        train()
    assert not list(tmp_path.iterdir())


def test_a_batch_that_the_devices_cannot_share_is_refused(tmp_path: Path) -> None:
    images, labels = images_and_labels(16, 0)
    config = classifier.Config(**{**OPTIONS, "num_steps": 1, "batch_size": 3})  # type: ignore[arg-type]
    mesh = jax.sharding.AbstractMesh((2,), ("data",))
    with pytest.raises(InputError, match="batch_size: expected a multiple of the 2 devices, got 3"):
        classifier.train(
            config,
            ArraySource(images, labels, ("a", "b")),
            np.arange(16),
            validation(),
            tmp_path,
            model=net,
            mesh=mesh,
        )
