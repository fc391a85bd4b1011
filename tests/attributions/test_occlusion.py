"""Occlusion against a loop over windows in NumPy, and against Captum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import convolutional_classifier, images

from cfx_jax.attributions import occlusion
from cfx_jax.errors import InputError

IMAGE = images(1, channels=3)[0][:, :7]
WEIGHTS = np.random.default_rng(1).normal(size=IMAGE.shape).astype(np.float32)


def score(image):
    return jnp.tanh((WEIGHTS * image).sum() / 4)


def by_loops(window, stride, baseline):
    falls, counts = np.zeros(IMAGE.shape[:2]), np.zeros(IMAGE.shape[:2])
    value = np.tanh((WEIGHTS.astype(float) * IMAGE).sum() / 4)
    row = 0
    while True:
        column = 0
        while True:
            hidden = IMAGE.astype(float)
            hidden[row : row + window, column : column + window] = baseline
            drop = value - np.tanh((WEIGHTS * hidden).sum() / 4)
            falls[row : row + window, column : column + window] += drop
            counts[row : row + window, column : column + window] += 1
            if column + window >= IMAGE.shape[1]:
                break
            column += stride
        if row + window >= IMAGE.shape[0]:
            break
        row += stride
    assert counts.min() > 0
    return falls / counts


@pytest.mark.parametrize(("window", "stride"), [(3, 1), (3, 2), (2, 2), (4, 3), (7, 7), (1, 1)])
@pytest.mark.parametrize("baseline", [0.0, 0.5, [0.1, 0.2, 0.3]])
def test_it_is_the_mean_fall_over_the_windows_of_a_pixel(window, stride, baseline):
    found = occlusion(score, IMAGE, window=window, stride=stride, baseline=jnp.asarray(baseline))
    np.testing.assert_allclose(found, by_loops(window, stride, baseline), atol=1e-6)


@pytest.mark.parametrize("windows_per_batch", [1, 4, None])
def test_the_batch_of_windows_changes_nothing(windows_per_batch):
    found = occlusion(score, IMAGE, window=3, windows_per_batch=windows_per_batch)
    np.testing.assert_allclose(found, by_loops(3, 2, 0.0), atol=1e-6)


@pytest.mark.parametrize(("window", "stride"), [(3, 1), (3, 2), (4, 3)])
def test_it_is_that_of_captum(window, stride):
    torch = pytest.importorskip("torch")
    captum = pytest.importorskip("captum.attr")
    batch = images(2, channels=3)

    classify = jax.jit(jax.vmap(convolutional_classifier))

    def values(tensor):
        return torch.tensor(np.asarray(classify(tensor.permute(0, 2, 3, 1).numpy())))

    tensor = torch.tensor(batch).permute(0, 3, 1, 2)
    expected = captum.Occlusion(values).attribute(
        tensor, (3, window, window), strides=(3, stride, stride), target=2, baselines=0.25
    )
    found = jax.vmap(
        lambda image: occlusion(
            lambda x: convolutional_classifier(x)[2],
            image,
            window=window,
            stride=stride,
            baseline=0.25,
        )
    )(batch)
    np.testing.assert_allclose(found, expected[:, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 8}, "window: expected at most 7 pixels"),
        ({"window": 2, "stride": 3}, "a window of 2 and a stride of 3"),
        ({"window": 0}, "window: expected an integer of at least 1"),
        ({"window": 2, "windows_per_batch": 0}, "windows_per_batch: expected an integer"),
        ({"window": 2, "baseline": np.zeros(4)}, "baseline: expected one value"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(InputError, match=message):
        occlusion(score, IMAGE, **options)
