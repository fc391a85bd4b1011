"""The number of a classifier's classes, by tracing a network once; and messages of many choices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.tree_util import Partial

from cfx_jax.checks import check_choice, num_classes
from cfx_jax.errors import InputError
from cfx_jax.models import per_image

IMAGE = np.zeros((4, 4, 1), np.float32)
TRACED = []


class Network(nnx.Module):
    """Logits of all pixels; each trace of it leaves the number of its classes behind."""

    def __init__(self, classes=3, seed=0):
        self.weights = nnx.Param(jax.random.normal(jax.random.key(seed), (16, classes)))

    def __call__(self, images):
        TRACED.append(self.weights.shape[1])
        return images.reshape(len(images), -1) @ self.weights[...][: images[0].size]


@pytest.fixture(autouse=True)
def nothing_traced():
    TRACED.clear()
    jax.clear_caches()


def test_a_network_is_traced_once_for_all_weights_and_again_for_other_shapes():
    for seed in range(3):
        assert num_classes(per_image(Network(seed=seed)), IMAGE) == 3
    assert TRACED == [3]
    assert num_classes(per_image(Network(classes=5)), IMAGE) == 5
    assert num_classes(per_image(Network()), IMAGE[:2]) == 3
    assert TRACED == [3, 5, 3]


def test_a_function_that_changes_is_asked_anew():
    logits = np.zeros(2)

    def classifier(image):
        return jnp.asarray(logits) + image.sum()

    assert num_classes(classifier, IMAGE) == 2
    logits = np.zeros(4)
    assert num_classes(classifier, IMAGE) == 4


def test_callables_of_any_kind_are_understood():
    class Sums(tuple):
        def __call__(self, image):
            return jnp.stack([each(image) for each in self])

    class Unhashable:
        __hash__ = None

        def __call__(self, image):
            return image[0, :3, 0]

    assert num_classes(Sums((jnp.sum, jnp.mean, jnp.max)), IMAGE) == 3
    assert num_classes(Unhashable(), IMAGE) == 3
    assert (
        num_classes(
            Partial(lambda weights, image: weights * image.sum(), np.ones(4, np.float32)), IMAGE
        )
        == 4
    )


def test_weights_may_be_traced_or_mapped_over():
    networks = [per_image(Network(seed=seed)) for seed in range(2)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *networks)

    def count(network, image):
        return jnp.asarray(num_classes(network, image))

    assert jax.jit(count)(networks[0], IMAGE) == 3
    np.testing.assert_array_equal(jax.vmap(count, (0, None))(stacked, IMAGE), [3, 3])
    np.testing.assert_array_equal(jax.jit(jax.vmap(count, (0, None)))(stacked, IMAGE), [3, 3])


def test_what_gives_no_vector_of_logits_is_explained():
    for classifier, found in (
        (Network(), r"\(4, 3\): wrap a batched model with models.per_image"),
        (lambda image: image.sum(), r"\(\): models.two_logits"),
        (lambda image: (image, image), "<class 'tuple'>: wrap"),
        (per_image(Network(classes=1)), r"\(1,\): models.two_logits makes"),
    ):
        image = IMAGE[0] if isinstance(classifier, Network) else IMAGE
        with pytest.raises(
            InputError, match=rf"expected one image -> logits \(k,\) with k >= 2, got {found}"
        ):
            num_classes(classifier, image)


def test_a_message_lists_some_of_thousands_of_choices():
    with pytest.raises(
        InputError, match=r"target: expected one of 'class 0', .* more, got 'x'"
    ) as told:
        check_choice("x", tuple(f"class {number}" for number in range(21_000)), name="target")
    assert len(str(told.value)) < 1000
    check_choice("class 3", tuple(f"class {number}" for number in range(5)), name="target")
