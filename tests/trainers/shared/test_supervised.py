"""What trainings of classifiers share: validation by hand, and the start from a file of weights."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from torch_parity import nchw, vary_batch_norms
from toy_training import OPTIONS, bits, images_and_labels, net, source, validation, with_options

from cfx_jax import files
from cfx_jax.data import ArraySource
from cfx_jax.errors import InputError
from cfx_jax.models import EfficientNet, FindingClassifier, ResNet, Stage
from trainers import (
    Inputs,
    OptimiserSettings,
    SupervisedConfig,
    classifier,
    train,
    weights_digest,
    with_pretrained,
    with_run,
)
from trainers.shared import evaluation_view, graph_of, supervised
from trainers.shared.supervised import choose_model, init, make_evaluate, score_logits

CONFIG = with_run(SupervisedConfig(), eval_batch_size=50, num_steps=1)
INPUTS = Inputs(validation=validation(), model=net)
SIZES: dict[str, Any] = {"block": "bottleneck", "stage_sizes": (1, 1), "widths": (8, 16)}


def test_initial_weights_depend_on_the_key_alone() -> None:
    one, same, other = (init(jax.random.key(seed), CONFIG, INPUTS) for seed in (0, 0, 1))
    assert bits(one) == bits(same) != bits(other)


def test_start_gives_its_weights_and_a_fresh_optimiser() -> None:
    model = net(nnx.Rngs(7))
    state = init(jax.random.key(0), CONFIG, Inputs(model=net, start=model))
    np.testing.assert_array_equal(state.params["head"]["kernel"][...], model.head.kernel[...])
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(state.opt_state))


def test_the_configured_model_is_built_with_classes_channels_and_normalisation() -> None:
    config = SupervisedConfig(
        model="resnet_small", num_classes=3, in_channels=1, mean=(0.2,), std=(0.5,)
    )
    model: Any = nnx.eval_shape(lambda: choose_model(config, Inputs())(nnx.Rngs(0)))
    view = nnx.view(model, use_running_average=True)
    logits = jax.eval_shape(
        lambda model, x: model(x), view, jax.ShapeDtypeStruct((2, 64, 64, 1), jnp.float32)
    )
    assert logits.shape == (2, 3)
    assert (model.mean, model.std) == ((0.2,), (0.5,))


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="resnet50"):
        init(jax.random.key(0), replace(CONFIG, model="resnet51"), Inputs())


def test_evaluation_counts_right_answers_of_the_evaluation_mode() -> None:
    state, data = init(jax.random.key(0), CONFIG, INPUTS), validation()
    model = evaluation_view(graph_of(net), state.params, state.rest)
    right = np.asarray(model(data["image"])).argmax(axis=1) == data["label"]
    recalls = [right[data["label"] == label].mean() for label in (0, 1)]
    result = make_evaluate(CONFIG, INPUTS)(state)
    assert result["validation_accuracy"] == pytest.approx(right.mean())
    assert result["validation_balanced_accuracy"] == pytest.approx(np.mean(recalls))


def test_evaluations_of_new_weights_compile_nothing_new(caplog: pytest.LogCaptureFixture) -> None:
    evaluate = make_evaluate(CONFIG, INPUTS)
    evaluate(init(jax.random.key(0), CONFIG, INPUTS))
    with jax.log_compiles():
        evaluate(init(jax.random.key(1), CONFIG, INPUTS))
    assert not [
        record
        for record in caplog.records
        if "_map_batch" in record.message and "Compiling" in record.message
    ]


def test_a_tie_of_two_classes_is_decided_for_class_1() -> None:
    assert score_logits("x", np.zeros((4, 2)), np.array([0, 1, 1, 1]))["x_accuracy"] == 0.75


def test_scores_by_hand() -> None:
    logits, labels = np.array([[1.0, 0], [0, 1], [0, 1], [1, 0]]), np.array([0, 0, 0, 1])
    assert score_logits("x", logits, labels) == {
        "x_accuracy": 0.25,
        "x_balanced_accuracy": pytest.approx(1 / 6),
    }


def test_validation_images_and_labels_are_checked() -> None:
    data = validation()
    with pytest.raises(InputError, match="validation images: expected values in"):
        brighter = {**data, "image": data["image"] * 3}
        make_evaluate(CONFIG, Inputs(validation=brighter, model=net))
    with pytest.raises(InputError, match=r"validation labels: expected a class in 0\.\.1, got 5"):
        others = {**data, "label": data["label"] + 5}
        make_evaluate(CONFIG, Inputs(validation=others, model=net))


def test_data_that_does_not_fit_the_configuration_is_refused(tmp_path: Path) -> None:
    def train_with(**options: Any) -> None:
        given = {**OPTIONS, "num_steps": 1, "model": "resnet_small", **options}
        config, data = with_options(classifier.Config(), **given), (source(), np.arange(256))
        train(classifier.TRAINER, config, *data, validation(), tmp_path, progress=False)

    with pytest.raises(
        InputError, match=r"num_classes: expected 2 as the data has \(healthy, ill\), got 3"
    ):
        train_with(num_classes=3)
    with pytest.raises(InputError, match="in_channels: expected 1 as the images have, got 3"):
        train_with()
    assert not list(tmp_path.iterdir())


def test_a_batch_that_the_devices_cannot_share_is_refused(tmp_path: Path) -> None:
    images, labels = images_and_labels(16, 0)
    config = with_options(classifier.Config(), **{**OPTIONS, "num_steps": 1, "batch_size": 3})
    mesh = jax.sharding.AbstractMesh((2,), ("data",))
    with pytest.raises(InputError, match="batch_size: expected a multiple of the 2 devices, got 3"):
        train(
            classifier.TRAINER,
            config,
            ArraySource(images, labels, ("a", "b")),
            np.arange(16),
            validation(),
            tmp_path,
            model=net,
            mesh=mesh,
        )


@pytest.fixture(scope="module")
def network() -> Any:
    torch = pytest.importorskip("torch", reason="files of PyTorch need cfx-jax[parity]")
    from benchmarks.torch_resnet import TorchResNet

    torch.manual_seed(0)
    return vary_batch_norms(TorchResNet(**SIZES, num_classes=10)).eval()


@pytest.fixture(scope="module")
def file(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    path = tmp_path_factory.mktemp("weights") / "network.pth"
    torch.save(network.state_dict(), path)
    return path


def resnet(rngs: nnx.Rngs, channels: int = 3) -> ResNet:
    return ResNet(**SIZES, num_classes=2, in_channels=channels, rngs=rngs)


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("hidden", [False, True])
def test_feature_maps_are_those_of_the_file_and_the_last_layers_stay(
    file: Path, network: Any, channels: int, hidden: bool
) -> None:
    model: Any = resnet(nnx.Rngs(1), channels)
    if hidden:
        model = FindingClassifier(model, rngs=nnx.Rngs(2))
    images = np.random.default_rng(0).uniform(size=(2, 32, 32, channels)).astype(np.float32)
    loaded: Any = with_pretrained(model, file)
    view: Any = nnx.view(loaded, use_running_average=True, raise_if_not_found=False)
    colours = np.broadcast_to(images, (2, 32, 32, 3))  # a grey image in three equal channels
    expected = network.features(nchw(colours)).detach().numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(view.features(jnp.asarray(images)), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(loaded.head.kernel[...], model.head.kernel[...])


def norm_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    arrays = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{array}": (width,) for array in arrays}


def efficientnet(channels: int) -> EfficientNet:
    return EfficientNet(
        stages=(Stage(1, 3, 1, 4, 1),),
        stem_width=4,
        top_width=8,
        num_classes=2,
        in_channels=channels,
        rngs=nnx.Rngs(0),
    )


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("channels", [3, 1])
def test_an_efficientnet_starts_from_a_file_by_timms_names(
    tmp_path: Path, channels: int, hidden: bool
) -> None:
    safetensors = pytest.importorskip("safetensors.numpy", reason="needs safetensors")
    shapes = {
        "conv_stem.weight": (4, 3, 3, 3),
        **norm_shapes("bn1", 4),
        "blocks.0.0.conv_dw.weight": (4, 1, 3, 3),
        **norm_shapes("blocks.0.0.bn1", 4),
        "blocks.0.0.se.conv_reduce.weight": (1, 4, 1, 1),
        "blocks.0.0.se.conv_reduce.bias": (1,),
        "blocks.0.0.se.conv_expand.weight": (4, 1, 1, 1),
        "blocks.0.0.se.conv_expand.bias": (4,),
        "blocks.0.0.conv_pw.weight": (4, 4, 1, 1),
        **norm_shapes("blocks.0.0.bn2", 4),
        "conv_head.weight": (8, 4, 1, 1),
        **norm_shapes("bn2", 8),
        "classifier.weight": (10, 8),
        "classifier.bias": (10,),
    }
    rng = np.random.default_rng(0)
    tensors = {name: rng.uniform(0.5, 1.5, size).astype("f4") for name, size in shapes.items()}
    safetensors.save_file(tensors, tmp_path / "timm.safetensors")
    model: Any = efficientnet(channels)
    if hidden:
        model = FindingClassifier(model, rngs=nnx.Rngs(2))
    loaded: Any = with_pretrained(model, tmp_path / "timm.safetensors")
    kernel = tensors["conv_stem.weight"].transpose(2, 3, 1, 0)
    expected = kernel if channels == 3 else kernel.sum(axis=2, keepdims=True)
    found = (loaded.backbone if hidden else loaded).stem.conv.kernel[...]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(loaded.head.kernel[...], model.head.kernel[...])


def test_a_training_starts_from_the_file_and_other_weights_are_another_training(
    file: Path, network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    weights = tmp_path / "weights.pth"
    weights.write_bytes(file.read_bytes())
    run: dict[str, int] = {"epochs": 1, "num_steps": 0, "batch_size": 4, "eval_batch_size": 4}
    optimiser = OptimiserSettings(rule="sgd", learning_rate=1e-6)
    config = with_options(
        classifier.Config(weights=str(weights), optimiser=optimiser, select="none"), **run
    )
    counted, inputs = with_run(config, num_steps=1), Inputs(model=resnet)
    plain, started = (
        init(jax.random.key(0), given, inputs).params
        for given in (replace(counted, weights=""), counted)
    )
    # The last layer is the one that the training's seed draws.
    np.testing.assert_array_equal(started["head"]["kernel"][...], plain["head"]["kernel"][...])
    assert bits(started["stem"]) != bits(plain["stem"])
    images, labels = (
        np.random.default_rng(0).uniform(size=(4, 32, 32, 3)).astype(np.float32),
        np.array([0, 1, 0, 1]),
    )
    given = (
        ArraySource(images, labels, ("a", "b")),
        np.arange(4),
        {"image": images, "label": labels},
        tmp_path / "w",
    )
    options: dict[str, Any] = {"model": resnet, "progress": False}
    model = train(classifier.TRAINER, config, *given, **options)
    kernel = network.conv1.weight.detach().numpy().transpose(2, 3, 1, 0)
    np.testing.assert_allclose(model.stem.conv.kernel[...], kernel, atol=1e-4)
    before = weights_digest(weights)
    with pytest.raises(
        InputError, match="weights: expected none, since the training starts from a given model"
    ):
        start = resnet(nnx.Rngs(0))
        train(classifier.TRAINER, config, *given, start=start, **options)
    # A finished training needs neither the tensors nor PyTorch.
    with monkeypatch.context() as patch:
        patch.setattr(supervised, "with_pretrained", None)
        again = train(classifier.TRAINER, config, *given, **options)
    np.testing.assert_array_equal(again.stem.conv.kernel[...], model.stem.conv.kernel[...])
    torch.save({name: 2 * each for name, each in network.state_dict().items()}, weights)
    assert weights_digest(weights) != before == weights_digest(file) and weights_digest("") == ""
    with pytest.raises(InputError, match="another configuration"):
        train(classifier.TRAINER, config, *given, **options)


def test_a_file_is_hashed_once_while_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, hashed = tmp_path / "weights.pth", []
    digest = files.digest
    monkeypatch.setattr(files, "digest", lambda path: hashed.append(path) or digest(path))
    path.write_bytes(b"one")
    first = {weights_digest(path) for _ in range(3)}
    assert first == {hashlib.sha256(b"one").hexdigest()[:12]} and len(hashed) == 1
    path.write_bytes(b"other")
    assert weights_digest(path) == hashlib.sha256(b"other").hexdigest()[:12] and len(hashed) == 2


def test_weights_of_another_architecture_are_named(
    file: Path, network: Any, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    tensors = {
        name: value for name, value in network.state_dict().items() if not name.startswith("layer2")
    }
    torch.save(tensors, tmp_path / "short.pth")
    with pytest.raises(
        InputError, match=r"weights: .*short\.pth does not fit ResNet: tensors: .* 20 missing"
    ):
        with_pretrained(resnet(nnx.Rngs(0)), tmp_path / "short.pth")
    with pytest.raises(InputError, match="does not exist"):
        with_pretrained(resnet(nnx.Rngs(0)), tmp_path / "none.pth")
    with pytest.raises(
        InputError, match=r"weights: expected a file of weights, .*none\.pth cannot be read"
    ):
        weights_digest(tmp_path / "none.pth")
