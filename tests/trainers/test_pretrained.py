"""The start from a file of weights, against PyTorch networks of torchvision's names with random
weights.
"""

import hashlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from torch_parity import nchw, vary_batch_norms

from cfx_jax.data import ArraySource
from cfx_jax.errors import InputError
from cfx_jax.files import digest
from cfx_jax.models import FindingClassifier, ResNet
from trainers import classifier, pretrained, supervised
from trainers.pretrained import weights_digest, with_pretrained
from trainers.supervised import init, starting_model

torch = pytest.importorskip(
    "torch", reason="files of PyTorch need it: pip install 'cfx-jax[parity]'"
)
SIZES: dict[str, Any] = {"block": "bottleneck", "stage_sizes": (1, 1), "widths": (8, 16)}


@pytest.fixture(scope="module")
def network() -> Any:
    from benchmarks.torch_resnet import TorchResNet

    torch.manual_seed(0)
    return vary_batch_norms(TorchResNet(**SIZES, num_classes=10)).eval()


@pytest.fixture(scope="module")
def file(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def test_a_training_starts_from_the_file_and_other_weights_are_another_training(
    file: Path, network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimiser = classifier.OptimiserConfig(learning_rate=1e-6, schedule="constant")
    weights = tmp_path / "weights.pth"
    weights.write_bytes(file.read_bytes())
    config = classifier.Config(
        weights=str(weights),
        epochs=1,
        batch_size=4,
        eval_batch_size=4,
        optimiser=optimiser,
        select="none",
    )
    drawn: Any = init(
        jax.random.split(jax.random.key(0))[0], classifier.Config(num_steps=1), model=resnet
    ).params
    start: Any = starting_model(config, resnet)
    np.testing.assert_array_equal(start.head.kernel[...], drawn["head"]["kernel"][...])
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
    model: Any = classifier.train(config, *given, model=resnet, progress=False)
    kernel = network.conv1.weight.detach().numpy().transpose(2, 3, 1, 0)
    np.testing.assert_allclose(model.stem.conv.kernel[...], kernel, atol=1e-4)
    before = weights_digest(weights)
    with pytest.raises(
        InputError, match="weights: expected none, since the training starts from a given model"
    ):
        classifier.train(config, *given, model=resnet, start=start, progress=False)
    with (
        monkeypatch.context() as patch
    ):  # a finished training needs neither the tensors nor PyTorch
        patch.setattr(supervised, "with_pretrained", None)
        again: Any = classifier.train(config, *given, model=resnet, progress=False)
    np.testing.assert_array_equal(again.stem.conv.kernel[...], model.stem.conv.kernel[...])
    torch.save({name: 2 * each for name, each in network.state_dict().items()}, weights)
    assert weights_digest(weights) != before == weights_digest(file) and weights_digest("") == ""
    with pytest.raises(InputError, match="another configuration"):
        classifier.train(config, *given, model=resnet, progress=False)


def test_a_file_is_hashed_once_while_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, hashed = tmp_path / "weights.pth", []
    monkeypatch.setattr(pretrained, "digest", lambda path: hashed.append(path) or digest(path))
    path.write_bytes(b"one")
    first = {weights_digest(path) for _ in range(3)}
    assert first == {hashlib.sha256(b"one").hexdigest()[:12]} and len(hashed) == 1
    path.write_bytes(b"other")
    assert weights_digest(path) == hashlib.sha256(b"other").hexdigest()[:12] and len(hashed) == 2


def test_weights_of_another_architecture_are_named(
    file: Path, network: Any, tmp_path: Path
) -> None:
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
