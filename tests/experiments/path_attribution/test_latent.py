"""Searches in a latent as explanations, with an autoencoder and a classifier known by formula."""

import dataclasses
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from cfx_jax.attributions import latent_saliency
from cfx_jax.counterfactuals import latent_counterfactual, latent_shift
from cfx_jax.models import Generator
from experiments.charachon_shared import Setup
from experiments.path_attribution import latent
from experiments.path_attribution.config import LatentConfig, SearchConfig
from experiments.path_attribution.latent import ATTENTION, prepare_searches
from experiments.path_attribution.presets import SMOKE
from experiments.shared import ImageSet, StoredImages, Workspace

WEIGHTS = np.random.default_rng(0).uniform(0.2, 1, (8, 8, 1)).astype(np.float32)
SEARCH = SearchConfig(quotient=1e-4, num_steps=10, step_size=5.0)


def linear(weights, image):
    """A classifier whose log-odds of class 1 are linear in the image."""
    score = 8 * ((image - 0.5) * weights).sum() / weights.sum()
    return jnp.stack([-score / 2, score / 2])


CLASSIFIER = Partial(linear, WEIGHTS)
CODER = Generator(Partial(jnp.multiply, 2.0), Partial(jnp.multiply, 0.5))


@pytest.fixture
def setup(monkeypatch, tmp_path):
    rng = np.random.default_rng(1)
    shift = np.linspace(-0.15, 0.15, 12)[:, None, None, None]
    images = np.clip(rng.uniform(0.2, 0.8, (12, 8, 8, 1)) + shift, 0, 1).astype(np.float32)
    arrays = {"image": images, "label": np.arange(12) % 2}
    shown = ImageSet.whole(StoredImages(arrays, ("healthy", "ill")), "toy")
    monkeypatch.setattr(latent, "run_training", lambda *given: None)
    monkeypatch.setattr(latent, "generator_of", lambda model: CODER)
    network = SimpleNamespace(classifier=CLASSIFIER, identity="linear")
    data = SimpleNamespace(train=shown, validation=shown, test=shown)
    return Setup(SMOKE, data, network, Workspace(tmp_path))


def test_nothing_is_trained_where_no_search_is_asked_for():
    searches = prepare_searches(LatentConfig(), None)
    assert searches.pairs == () and searches.maps(None, None) == {}


def test_pairs_are_the_reconstruction_and_the_librarys_counterfactual(setup):
    settings = LatentConfig(methods=("counterfactual", "shift"), search=SEARCH)
    searches = prepare_searches(settings, setup)
    assert [pair.name for pair in searches.pairs] == ["latent counterfactual", "latent shift"]
    counterfactual, shift = searches.pairs
    assert counterfactual.answers.turned.mean() == 1
    for image in map(jnp.asarray, setup.data.test.arrays["image"][[0, -1]]):
        target = int(CLASSIFIER(image)[1] < 0)
        expected = latent_counterfactual(
            CODER, CLASSIFIER, image, target, penalty=64e-4, num_steps=10, step_size=5.0
        )
        pair = counterfactual.explain(image)
        np.testing.assert_allclose(pair.similar, image, atol=1e-6)
        np.testing.assert_allclose(pair.adversarial, jnp.clip(expected.image, 0, 1), atol=1e-5)
        assert int(CLASSIFIER(pair.adversarial)[1] > 0) == target
        moved = latent_shift(CODER, CLASSIFIER, image, target)
        np.testing.assert_allclose(
            shift.explain(image).adversarial, jnp.clip(moved.image, 0, 1), atol=1e-5
        )


def test_the_attention_is_acats_map_of_both_classes(setup):
    searches = prepare_searches(LatentConfig(methods=("counterfactual",), search=SEARCH), setup)
    images = setup.data.test
    maps = searches.maps(images, setup)
    assert list(maps) == [ATTENTION]
    image = jnp.asarray(images.arrays["image"][3])
    options = {"penalty": 64e-4, "num_steps": 10, "step_size": 5.0}
    negative, positive = (
        latent_counterfactual(CODER, CLASSIFIER, image, target, **options) for target in (0, 1)
    )
    expected = latent_saliency(positive.reconstruction, positive.image, negative.image).map
    np.testing.assert_allclose(maps[ATTENTION][3], expected[..., 0], atol=1e-4)


def test_latent_shift_alone_has_no_attention(setup):
    searches = prepare_searches(LatentConfig(methods=("shift",), search=SEARCH), setup)
    assert searches.attention is None
    again = prepare_searches(
        dataclasses.replace(LatentConfig(methods=("shift", "shift")), search=SEARCH), setup
    )
    assert len(again.pairs) == 1
