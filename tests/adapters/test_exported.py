import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import counted_compilations
from jax import export

from cfx_jax.adapters import from_exported
from cfx_jax.counterfactuals import vce
from cfx_jax.errors import InputError

IMAGES = np.random.default_rng(0).uniform(size=(5, 6, 6, 3)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(3, 2)).astype(np.float32)


def network(images):
    return jnp.tanh(images.mean((1, 2)) @ WEIGHTS)


def exported(size, function=network, count=1):
    shape = export.symbolic_shape(f"{size}, 6, 6, 3")
    image = jax.ShapeDtypeStruct(shape, jnp.float32)
    return export.export(jax.jit(function))(*[image] * count)


@pytest.mark.parametrize("size", ["n", "1", "2"])
def test_values_and_gradients_are_those_of_the_function(tmp_path, size):
    path = tmp_path / "network.bin"
    path.write_bytes(exported(size).serialize(vjp_order=1))
    classifier = from_exported(path)
    np.testing.assert_allclose(jax.jit(jax.vmap(classifier))(IMAGES), network(IMAGES), atol=1e-6)
    expected = jax.grad(lambda images: network(images)[:, 1].sum())(IMAGES)
    slope = jax.grad(lambda image: classifier(image)[1])
    np.testing.assert_allclose(jax.jit(jax.vmap(slope))(IMAGES), expected, atol=1e-6)
    np.testing.assert_allclose(slope(IMAGES[0]), expected[0], atol=1e-6)


def test_many_calls_compile_once():
    classifier = from_exported(bytes(exported("n").serialize(vjp_order=1)))
    vce(classifier, IMAGES[0], 1, p=2, radius=1.0, num_steps=2)
    with counted_compilations() as compilations:
        vce(classifier, IMAGES[1], 1, p=2, radius=1.0, num_steps=2)
    assert not compilations


def test_what_cannot_be_explained_is_named(tmp_path):
    (tmp_path / "text.bin").write_text("no function")
    for given, message in (
        (np.mean, "exported: expected an Exported, its bytes or a path"),
        (b"no function", "exported: expected bytes of jax.export"),
        (tmp_path / "text.bin", "expected bytes of jax.export"),
        (tmp_path / "none.bin", "expected a file of jax.export"),
        (bytes(exported("n").serialize()), "without: serialise it with serialize\\(vjp_order=1\\)"),
        (exported("n", lambda a, b: network(a + b), 2), "expected a function of images alone"),
    ):
        with pytest.raises(InputError, match=message):
            from_exported(given)
