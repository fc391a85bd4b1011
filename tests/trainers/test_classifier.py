import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_training
import tyro
from flax import nnx
from toy_training import OPTIONS, batch, bits, net, source, validation, with_options

from cfx_jax.errors import InputError
from cfx_jax.losses import cross_entropy
from cfx_jax.models import EfficientNet, Stage
from trainers import Inputs, OptimiserSettings, load, train
from trainers.classifier import FINE_TUNING, TRAINER, Config, init, make_evaluate, make_step
from trainers.shared import graph_of, training_view, variables_of

INPUTS = Inputs(validation=validation(), model=net)
SGD = OptimiserSettings(rule="sgd", learning_rate=0.01)


def _config(num_steps: int, **options: Any) -> Config:
    return with_options(Config(), num_steps=num_steps, **{**OPTIONS, **options})


def _train(workdir: Path, config: Config, **options: Any) -> nnx.Module:
    data, given = (source(), np.arange(256), validation()), {"model": net, **options}
    return train(TRAINER, config, *data, workdir, progress=False, **given)


def test_defaults_are_those_of_the_method_card() -> None:
    config = Config()
    assert (config.model, config.run.batch_size, config.balanced) == ("resnet50", 128, True)
    assert (config.run.epochs, config.select, config.weights) == (500, "balanced_accuracy", "")
    assert config.optimiser == OptimiserSettings("sgd", 0.01, 0.9, True, 5e-4, "cosine")
    tuned = FINE_TUNING
    assert (tuned.run.epochs, tuned.run.batch_size) == (3, 128)
    assert tuned.optimiser == OptimiserSettings(
        "sgd", 1e-3, 0.9, False, 5e-4, "triangle", turn=1 / 3
    )
    assert tuned.select == "balanced_accuracy"


def test_loss_falls_and_parameters_and_statistics_move() -> None:
    config = _config(50)
    state, step = init(jax.random.key(0), config, INPUTS), jax.jit(make_step(config, INPUTS))
    first = state
    losses = []
    for index in range(50):
        state, metrics = step(state, jax.random.key(index), batch())
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.6 * losses[0]
    for before, after in zip(
        jax.tree.leaves((first.params, first.rest)),
        jax.tree.leaves((state.params, state.rest)),
        strict=True,
    ):
        if jnp.issubdtype(before.dtype, jnp.floating):
            assert (before != after).any()


def test_first_step_is_sgd_on_the_cross_entropy_of_the_training_mode() -> None:
    config = _config(
        10, optimiser=OptimiserSettings(rule="sgd", learning_rate=0.1, schedule="cosine")
    )
    state, data = init(jax.random.key(0), config, INPUTS), batch()

    @jax.jit
    @jax.value_and_grad
    def loss(params: Any) -> jax.Array:
        module: Any = training_view(graph_of(net), params, state.rest)
        return cross_entropy(module(data["image"]), jnp.asarray(data["label"]))

    value, gradient = loss(state.params)
    new, metrics = jax.jit(make_step(config, INPUTS))(state, jax.random.key(0), data)
    assert metrics["loss"] == pytest.approx(float(value), rel=1e-5)
    moved = jax.tree.map(lambda a, b: a - 0.1 * b, state.params, gradient)
    for expected, got in zip(jax.tree.leaves(moved), jax.tree.leaves(new.params), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_training_gives_a_good_classifier_in_evaluation_mode(tmp_path: Path) -> None:
    model: Any = _train(tmp_path, _config(80))
    data = validation()
    right = np.asarray(model(data["image"])).argmax(axis=1) == data["label"]
    assert right.mean() > 0.95
    np.testing.assert_allclose(model(data["image"][:1]), model(data["image"])[:1], atol=1e-4)


def dropping(rngs: nnx.Rngs) -> EfficientNet:
    """A tiny EfficientNet that draws much: dropout, and stochastic depth in its second block."""
    return EfficientNet(
        stages=(Stage(2, 3, 1, 4, 2),),
        stem_width=4,
        top_width=8,
        num_classes=2,
        in_channels=1,
        stem="patch",
        dropout=0.3,
        drop_rate=0.8,
        rngs=rngs,
    )


@pytest.mark.slow
def test_a_training_in_bfloat16_is_as_accurate_as_one_in_float32(tmp_path: Path) -> None:
    """Paired over test images, which neither has seen: the 95 % interval of the difference of their
    accuracies has 0 in it and is narrow.
    """
    images, labels = toy_training.images_and_labels(1000, seed=9)
    correct = {}
    for dtype in ("float32", "bfloat16"):
        config = _config(60, compute_dtype=dtype, select="none")
        model: Any = _train(tmp_path / dtype, config)
        correct[dtype] = (np.asarray(model(images)).argmax(axis=1) == labels).astype(float)
    assert min(of.mean() for of in correct.values()) > 0.85
    difference = correct["bfloat16"] - correct["float32"]
    spread = 1.96 * difference.std() / np.sqrt(len(difference))
    assert abs(difference.mean()) <= max(spread, 0.005) and spread < 0.02


def test_an_efficientnet_draws_anew_in_every_step_and_not_in_evaluation() -> None:
    # So small a rate leaves every weight that plays a part as it is.
    config = _config(2, optimiser=OptimiserSettings(rule="sgd", learning_rate=1e-30))
    inputs = Inputs(validation=validation(), model=dropping)
    state, step = init(jax.random.key(0), config, inputs), jax.jit(make_step(config, inputs))
    once, first = step(state, jax.random.key(0), batch())
    again, same = step(state, jax.random.key(0), batch())
    _, second = step(once, jax.random.key(0), batch())
    assert first["loss"] == same["loss"] != second["loss"]
    assert bits(once) == bits(again)
    evaluate = make_evaluate(config, inputs)
    assert evaluate(once) == evaluate(once)


@pytest.mark.slow
def test_an_efficientnet_goes_on_from_its_checkpoint_to_the_same_bits(tmp_path: Path) -> None:
    def train_dropping(workdir: Path) -> tuple[list[bytes], ...]:
        config = _config(8, checkpoint_every=3, evaluate_every=4, select="none")
        return tuple(map(bits, variables_of(_train(workdir, config, model=dropping))))

    whole = train_dropping(tmp_path)
    shutil.rmtree(tmp_path / "checkpoints" / "step_00000008")
    assert [
        path.name for path in (tmp_path / "checkpoints").glob("step_*")
    ]  # an earlier one to go on from
    assert train_dropping(tmp_path) == whole


def test_fine_tuning_goes_on_from_a_model_and_does_not_change_it(tmp_path: Path) -> None:
    start = net(nnx.Rngs(5))
    before = bits(variables_of(start))
    config = _config(1, optimiser=replace(SGD, schedule="triangle"), select="none")
    model = _train(tmp_path, config, start=start)
    assert bits(variables_of(model)[0]) == bits(
        variables_of(start)[0]
    )  # the triangle's first rate is 0
    assert bits(variables_of(start)) == before


def test_other_data_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    _train(tmp_path, _config(2))
    with pytest.raises(
        InputError, match=r"another configuration \(data.train_indices was .*choose another workdir"
    ):
        data = source(), np.arange(255), validation()
        train(TRAINER, _config(2), *data, tmp_path, model=net, progress=False)


def test_an_unknown_metric_of_selection_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match="select: expected one of 'balanced_accuracy', 'accuracy', 'none', got 'f1'",
    ):
        _train(tmp_path, _config(2, select="f1"))


def test_help_of_the_command_line_explains_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    config = tyro.cli(
        Config, args=["--optimiser.learning-rate", "0.2", "--mean", "0.1", "--std", "0.3"]
    )
    optimiser = replace(Config().optimiser, learning_rate=0.2)
    assert config == Config(optimiser=optimiser, mean=(0.1,), std=(0.3,))
    with pytest.raises(SystemExit):
        tyro.cli(Config, args=["--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for text in (
        "Images of one step, over all devices",
        "Largest learning rate of the schedule",
    ):
        assert text in shown


SCRIPT = """
import sys
import numpy as np
from toy_training import Net, OPTIONS, source, validation, with_options
from trainers import classifier, train

def model(rngs):
    return Net(rngs=rngs, dropout=0.2)

def noisy(image, rng):
    return np.clip(image + 0.01 * rng.normal(size=image.shape), 0, 1).astype(np.float32)

options = {**OPTIONS, "checkpoint_every": 7, "evaluate_every": 10, "num_steps": 120}
config = with_options(classifier.Config(), **options)
data = source(), np.arange(256), validation()
train(classifier.TRAINER, config, *data, sys.argv[1], model=model, augment=noisy)
"""


def _start(workdir: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(workdir)]
    return subprocess.Popen(command, env=_environment(), text=True, stderr=subprocess.PIPE)


def _environment() -> dict[str, str]:
    here, root = Path(toy_training.__file__).parent, Path(__file__).parents[2]
    return {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": f"{here}{os.pathsep}{root}"}


def _finish(workdir: Path) -> None:
    process = _start(workdir)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors and "Exception" not in errors


def _kill_at_a_random_step(workdir: Path) -> None:
    """Waits for some new lines of metrics, then a moment: at a step, in an evaluation, in a
    checkpoint.
    """
    lines = _count_lines(workdir) + random.randint(1, 20)
    process = _start(workdir)
    while process.poll() is None and _count_lines(workdir) < lines:
        time.sleep(0.002)
    time.sleep(random.uniform(0, 0.05))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def _count_lines(workdir: Path) -> int:
    path = workdir / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def _contents(workdir: Path) -> dict[str, Any]:
    """The record of the last checkpoint (place in the data, best value), its arrays and metrics."""
    import orbax.checkpoint as ocp

    folder = workdir / "checkpoints" / "step_00000120"
    arrays = ocp.PyTreeCheckpointer().restore(folder / "arrays")
    record = (folder / "record.json").read_text()
    metrics = (workdir / "metrics.jsonl").read_bytes()
    return {
        "record": record,
        "metrics": metrics,
        **{name: np.asarray(x).tobytes() for name, x in arrays.items()},
    }


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
@pytest.mark.slow
def test_a_training_that_was_killed_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["-c", str(tmp_path / "whole")])
    exec(SCRIPT, {})
    _kill_at_a_random_step(tmp_path / "parts")
    _finish(tmp_path / "parts")
    whole, parts = _contents(tmp_path / "whole"), _contents(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    leaves = json.loads(whole["record"])["leaves"]
    assert any("best" in name for name in leaves) and any("opt_state" in name for name in leaves)
    assert [name for name in whole if whole[name] != parts[name]] == []


SHARED = """
import sys
from cfx_jax.parallel import start_distributed
start_distributed(coordinator=sys.argv[2], num_processes=2, index=int(sys.argv[3]))
import numpy as np
from toy_training import OPTIONS, net, source, validation, with_options
from trainers import OptimiserSettings, classifier, train
options = {**OPTIONS, "checkpoint_every": 7, "num_steps": int(sys.argv[4]), "select": "none"}
sgd = OptimiserSettings(rule="sgd", learning_rate=0.01)
config = with_options(classifier.Config(), optimiser=sgd, **options)
data = source(), np.arange(256), validation()
train(classifier.TRAINER, config, *data, sys.argv[1], model=net, progress=False)
"""


def _run_two_processes(workdir: Path, num_steps: int) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    commands = [
        [sys.executable, "-c", SHARED, str(workdir), address, str(i), str(num_steps)]
        for i in (0, 1)
    ]
    processes = [
        subprocess.Popen(command, env=_environment(), stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors


@pytest.mark.slow
def test_two_processes_train_together_and_go_on_from_their_checkpoint(tmp_path: Path) -> None:
    config = _config(20, select="none", checkpoint_every=7, optimiser=SGD)
    alone = _train(tmp_path / "alone", config)
    _run_two_processes(tmp_path / "two", 20)
    shutil.rmtree(tmp_path / "two" / "checkpoints" / "step_00000020")
    _run_two_processes(tmp_path / "two", 20)
    together = load(TRAINER, tmp_path / "two", model=net)
    for one, two in zip(
        *(jax.tree.leaves(variables_of(model)[0]) for model in (alone, together)), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-5)


def test_weights_of_classes_reach_the_loss() -> None:
    config, data = _config(1, balanced=False, weighted=True), source()
    ill = np.flatnonzero(data.labels)
    rows = np.concatenate([np.flatnonzero(data.labels == 0)[:10], ill[:30]])
    weights = (
        np.array([40 / 10, 40 / 30], np.float32) / 2
    )  # inverse to the frequencies, on average 1
    inputs = Inputs(data, rows, validation(), model=net)
    state = init(jax.random.key(0), config, inputs)
    _, metrics = jax.jit(make_step(config, inputs))(state, jax.random.key(0), batch())
    logits = training_view(graph_of(net), state.params, state.rest)(batch()["image"])
    expected = cross_entropy(logits, batch()["label"], class_weights=weights)
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)


def test_weighting_comes_instead_of_balancing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="weighted: expected it instead of balanced"):
        _train(tmp_path, _config(1, weighted=True))
    assert not list(tmp_path.iterdir())
