import os

import jax
import numpy as np
import pytest
from compilations import counted_compilations

from cfx_jax.adapters import Inputs, Outputs, from_keras
from cfx_jax.counterfactuals import vce
from cfx_jax.errors import InputError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras", reason="the extra 'parity' is not installed")

IMAGES = np.random.default_rng(0).uniform(size=(3, 6, 6, 3)).astype(np.float32)
INPUTS = Inputs(value_range=(0, 255))


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Input((6, 6, 3)), keras.layers.Rescaling(1 / 255)]
    layers += [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()]
    layers += [keras.layers.Dropout(0.5), keras.layers.GlobalAveragePooling2D()]
    return keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax")])


@pytest.mark.parametrize("is_file", [False, True])
def test_probabilities_are_those_of_the_model(model, tmp_path, is_file):
    expected = keras.ops.convert_to_numpy(model(IMAGES * 255, training=False))
    given = model
    if is_file:
        given = tmp_path / "model.keras"
        model.save(given)
    classifier = from_keras(given, inputs=INPUTS, outputs=Outputs("probabilities"))
    probabilities = jax.nn.softmax(jax.vmap(classifier)(IMAGES))
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    vce(classifier, IMAGES[0], 1, p=2, radius=1.0, num_steps=2)
    with counted_compilations() as compilations:
        vce(classifier, IMAGES[1], 1, p=2, radius=1.0, num_steps=2)
    assert not compilations


def test_other_objects_and_files_are_named(tmp_path):
    (tmp_path / "text.keras").write_text("no model")
    for given, message in (
        (np.mean, "model: expected a keras.Model or a .keras file"),
        (tmp_path / "none.keras", "expected a .keras file, found none"),
        (tmp_path / "text.keras", "expected a .keras file, got"),
    ):
        with pytest.raises(InputError, match=message):
            from_keras(given)
