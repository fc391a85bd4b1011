"""A model of volumes and maps as a classifier of one volume."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import HalfBrainLogits, LesionHead, as_pytree, with_saliency


class Weighted(nnx.Module):
    """Logits of the mean of the volume, weighted by the map, after batch norm; with dropout."""

    def __init__(self, *, heads=1):
        self.heads = heads
        self.norm, self.dropout = (
            nnx.BatchNorm(1, rngs=nnx.Rngs(0)),
            nnx.Dropout(0.5, rngs=nnx.Rngs(0)),
        )
        self.norm.mean[...] = jnp.full(1, 0.25)

    def __call__(self, volumes, saliency):
        score = self.dropout(self.norm((volumes * saliency).mean(axis=(1, 2, 3))))
        logits = jnp.concatenate([score, -score], axis=-1)
        return logits if self.heads == 1 else HalfBrainLogits(logits, jnp.zeros((len(logits), 3)))


def random_volumes(seed):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=(4, 2, 5, 5, 1)), jnp.float32)


def expected_of(volumes, saliency):
    score = ((np.asarray(volumes) * np.asarray(saliency)).mean(axis=(1, 2, 3)) - 0.25) / np.sqrt(
        1 + 1e-5
    )
    return np.concatenate([score, -score], axis=-1)


def test_it_is_a_row_of_the_batch_in_inference_mode():
    model, volumes, saliency = Weighted(), random_volumes(0), random_volumes(1)
    expected = expected_of(volumes, saliency)
    for volume, map_, row in zip(volumes, saliency, expected, strict=True):
        np.testing.assert_allclose(with_saliency(model, map_)(volume), row, rtol=1e-4, atol=1e-6)


def test_several_volumes_with_their_maps_go_through_vmap():
    model, volumes, saliency = Weighted(), random_volumes(0), random_volumes(1)
    found = jax.jit(jax.vmap(lambda map_, volume: with_saliency(model, map_)(volume)))(
        saliency, volumes
    )
    np.testing.assert_allclose(found, expected_of(volumes, saliency), rtol=1e-4, atol=1e-6)


def test_it_is_a_pytree_that_compiles_once_for_all_maps():
    model, volumes, saliency, traces = Weighted(), random_volumes(0), random_volumes(1), []

    @jax.jit
    def classify(classifier, volume):
        traces.append(volume.shape)
        return classifier(volume)

    for map_ in saliency[:2]:
        view = with_saliency(model, map_)
        assert as_pytree(view) is view
        classify(view, volumes[0])
    assert len(traces) == 1


def test_the_map_stays_when_the_volume_changes():
    model, volume, map_ = Weighted(), random_volumes(0)[0], random_volumes(1)[0]
    slope = jax.grad(lambda volume: with_saliency(model, map_)(volume)[0])(volume)
    np.testing.assert_allclose(slope, map_ / map_.size / np.sqrt(1 + 1e-5), rtol=1e-4)


def test_one_of_several_heads_must_be_chosen():
    volume, map_ = random_volumes(0)[0], random_volumes(1)[0]
    with pytest.raises(
        InputError, match=r"model: .* -> logits, got 2 heads: models.LesionHead has one"
    ):
        with_saliency(Weighted(heads=2), map_)(volume)
    found = with_saliency(LesionHead(Weighted(heads=2)), map_)(volume)
    np.testing.assert_allclose(
        found, expected_of(volume[None], map_[None])[0], rtol=1e-4, atol=1e-6
    )


def test_what_is_no_model_or_no_map_is_refused():
    with pytest.raises(
        InputError, match="model: expected an NNX model of volumes and saliency maps, got function"
    ):
        with_saliency(lambda volumes, saliency: volumes, random_volumes(1)[0])
    with pytest.raises(
        InputError, match=r"saliency: expected the map of one volume \(s, h, w, 1\), got shape"
    ):
        with_saliency(Weighted(), random_volumes(1))
