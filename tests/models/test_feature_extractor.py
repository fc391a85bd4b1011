"""Features of images for the distances between sets, from a file of weights to the figure."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.metrics import frechet_distance, kernel_distance
from cfx_jax.models import (
    FeatureExtractor,
    InceptionV3,
    ResNet,
    classifier_extractor,
    extract_features,
    import_weights,
    inception_extractor,
    per_image,
    read_tensors,
    torchvision_name,
)


@functools.cache
def network():
    return ResNet(
        block="basic", stage_sizes=(1,), widths=(5,), num_classes=2, stem="patch", rngs=nnx.Rngs(0)
    )


def random_images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype(np.float32)


def random_tensors(model):
    """A PyTorch state dict for an architecture, each kernel in PyTorch's order of axes."""
    rng, tensors = np.random.default_rng(0), {}
    for path, array in nnx.to_flat_state(nnx.state(model, (nnx.Param, nnx.BatchStat))):
        name, shape = torchvision_name(model, path), array.shape
        if name.endswith(("weight", "var")) and len(shape) == 1:
            tensors[name] = rng.uniform(0.8, 1.2, shape)
        elif path[-1] == "kernel":
            shape = (1, 1, *shape) if len(shape) == 2 and "conv" in name else shape
            kernel = rng.normal(size=shape) * (2 / np.prod(shape[:-1])) ** 0.5
            tensors[name] = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        else:
            tensors[name] = rng.uniform(0, 0.2, shape)
    return {name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()}


@pytest.fixture
def save():
    module = pytest.importorskip(
        "safetensors.numpy", reason="needs safetensors: pip install safetensors"
    )
    return module.save_file


def test_features_of_a_classifier_are_the_means_of_its_last_maps():
    extractor = classifier_extractor(network(), name="tiny")
    images = random_images(5, 12, 16, 3)
    features = extract_features(extractor, images, batch_size=2)
    view = nnx.view(network(), use_running_average=True)
    assert extractor.name == "tiny" and features.shape == (5, 5)
    np.testing.assert_allclose(
        features, np.asarray(view.features(jnp.asarray(images))).mean((1, 2)), rtol=1e-5
    )
    logits = features @ view.head.kernel[...] + view.head.bias[...]
    np.testing.assert_allclose(logits, jax.vmap(per_image(network()))(images), rtol=1e-4, atol=1e-5)


def test_batches_change_nothing():
    extractor, images = classifier_extractor(network(), name="tiny"), random_images(5, 12, 12, 3)
    found = [extract_features(extractor, images, batch_size=size) for size in (None, 1, 3)]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-5)


def test_distances_grow_with_the_change_of_the_images(save, tmp_path):
    save(random_tensors(network()), tmp_path / "tiny.safetensors")
    model = import_weights(network(), read_tensors(tmp_path / "tiny.safetensors"))
    extractor = classifier_extractor(model, name="tiny")
    first, second = random_images(300, 8, 8, 3), random_images(300, 8, 8, 3, seed=1)
    features = [
        extract_features(extractor, images)
        for images in (first, second, second * 0.8, second * 0.3)
    ]
    for distance in (frechet_distance, kernel_distance):
        same, near, far = (distance(features[0], other) for other in features[1:])
        assert same < 0.5 * near < 0.25 * far


def test_an_extractor_of_ones_own_is_a_function_of_one_image():
    extractor = FeatureExtractor("colours", lambda image: image.mean((0, 1)))
    images = random_images(4, 3, 5, 2)
    np.testing.assert_allclose(extract_features(extractor, images), images.mean((1, 2)), rtol=1e-5)


def inception_shapes(network):
    options = {"num_classes": 1008 if network == "fid" else 7, "network": network, "dropout": 0}
    return nnx.eval_shape(lambda: InceptionV3(**options, rngs=nnx.Rngs(0)))


@functools.cache
def inception_tensors(network):
    return random_tensors(inception_shapes(network))


def pooled_features(network, images):
    """What the extractor is to compute: (h, w, 3) at 299 pixels already, scaled by hand."""
    tensors = inception_tensors(network)
    view = nnx.view(import_weights(inception_shapes(network), tensors), use_running_average=True)
    return jax.jit(lambda view, x: view.features(2 * x - 1).mean((1, 2)))(view, jnp.asarray(images))


@pytest.mark.slow
@pytest.mark.parametrize("network", ["fid", "torchvision"])
def test_inception_features_from_a_file_are_those_of_its_network(network, save, tmp_path):
    """Linear resizing of two grey pixels has a closed form: constant in the outer quarters, a ramp
    between them.
    """
    save(inception_tensors(network), tmp_path / "weights.safetensors")
    extractor = inception_extractor(tmp_path / "weights.safetensors")
    assert extractor.name == f"Inception-v3 ({network}), weights.safetensors"
    images, pixels = random_images(2, 299, 299, 3), random_images(2, 2, 1, 1)
    found = [extract_features(extractor, each, batch_size=1) for each in (images, pixels)]
    rows = np.clip((np.arange(299) + 0.5) / 299 * 2 - 0.5, 0, 1).astype(np.float32)[:, None, None]
    resized = np.broadcast_to(pixels[:, :1] * (1 - rows) + pixels[:, 1:] * rows, (2, 299, 299, 3))
    for features, expected in zip(found, (images, resized), strict=True):
        assert features.shape == (2, 2048) and features.std() > 1e-3
        np.testing.assert_allclose(
            features, pooled_features(network, expected), rtol=1e-3, atol=1e-4
        )
    with pytest.raises(
        InputError,
        match=r"images: expected 1 or 3 channels for Inception-v3, got shape \(90, 90, 2\)",
    ):
        extract_features(extractor, random_images(1, 90, 90, 2))


def test_files_of_other_networks_are_refused(save, tmp_path):
    save({"conv1.weight": np.zeros(3, np.float32)}, tmp_path / "a.safetensors")
    message = (
        "weights_file: expected Inception-v3's tensors by torchvision's names, got none called"
        " 'fc.weight' in .*a.safe"
    )
    with pytest.raises(InputError, match=message):
        inception_extractor(tmp_path / "a.safetensors")


def test_images_that_cannot_be_explained_are_refused():
    extractor = classifier_extractor(network(), name="tiny")
    with pytest.raises(
        InputError,
        match=r"images: expected a batch of images \(n, h, w, c\), got shape \(8, 8, 3\)",
    ):
        extract_features(extractor, random_images(8, 8, 3))
    with pytest.raises(InputError, match=r"images: expected values in \[0, 1\]"):
        extract_features(extractor, 255 * random_images(2, 8, 8, 3))
    with pytest.raises(InputError, match="batch_size: expected an integer of at least 1, got 0"):
        extract_features(extractor, random_images(2, 8, 8, 3), batch_size=0)


def test_models_without_feature_maps_are_refused():
    with pytest.raises(
        InputError,
        match="model: expected the methods features and classify, Linear has no features",
    ):
        classifier_extractor(nnx.Linear(2, 3, rngs=nnx.Rngs(0)), name="linear")
