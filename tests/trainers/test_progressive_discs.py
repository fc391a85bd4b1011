"""Progressive exaggeration learns a world of discs: their radius decides, their place and the
background do not.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from toy_training import with_options

from cfx_jax.compilation import call
from cfx_jax.counterfactuals import progressive
from cfx_jax.data import ArraySource
from cfx_jax.losses import ProgressiveWeights
from cfx_jax.metrics import rank_correlation
from cfx_jax.models import exaggerator_of
from cfx_jax.parallel import map_examples
from trainers import train
from trainers.progressive import TRAINER, Config

SIDE = 16
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]


def discs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images with anti-aliased discs, their centres and their backgrounds."""
    rng = np.random.default_rng(seed)
    radius, background = rng.uniform(2, 5, count), rng.uniform(0.05, 0.3, count)
    centre = rng.uniform(6, 9, (count, 2))
    away = np.hypot(ROWS - centre[:, 0, None, None], COLUMNS - centre[:, 1, None, None])
    cover = np.clip(radius[:, None, None] - away + 0.5, 0, 1)
    images = background[:, None, None] * (1 - cover) + 0.8 * cover
    return images[..., None].astype(np.float32), centre, background


def soft_radius(image: jax.Array) -> jax.Array:
    area = jax.nn.sigmoid(20 * (image - 0.5)).sum()
    return jnp.sqrt(area / jnp.pi)


def classifier(image: jax.Array) -> jax.Array:
    odds = 3 * (soft_radius(image) - 3.5)
    return jnp.stack([jnp.zeros_like(odds), odds])


@pytest.mark.slow
def test_the_radius_follows_the_bin_and_the_place_and_the_background_stay(tmp_path: Path) -> None:
    images, _, _ = discs(512, 0)
    config = with_options(
        Config(),
        in_channels=1,
        filters=(8, 16, 32),
        discriminator_filters=(8, 16),
        stem_activation=False,
        last_block=False,
        weights=ProgressiveWeights(0.1, 1.0, 10.0, 10.0),
        critic_steps=1,
        learning_rate=2e-3,
        first_moment=0.5,
        num_steps=300,
        batch_size=16,
        evaluate_every=300,
        checkpoint_every=300,
    )
    held_out, centre, background = discs(60, 1)
    model = train(
        TRAINER,
        config,
        ArraySource(images, np.zeros(len(images), np.int32), ("small", "large")),
        np.arange(len(images)),
        {"image": held_out},
        tmp_path,
        classifier=classifier,
    )
    found = map_examples(
        call, Partial(progressive, exaggerator_of(model), Partial(classifier)), held_out
    )
    desired, achieved = np.ravel(found.desired), np.ravel(found.probabilities)
    assert rank_correlation(desired, achieved) > 0.9
    drawn = np.asarray(found.images)[..., 0]
    radius = np.sqrt((drawn > 0.5).sum((2, 3)) / np.pi)
    assert np.mean(np.diff(radius[:, ::3], axis=1) > 0) > 0.9
    inside = (drawn > 0.5) / np.maximum((drawn > 0.5).sum((2, 3), keepdims=True), 1)
    middle = np.stack([(inside * ROWS).sum((2, 3)), (inside * COLUMNS).sum((2, 3))], axis=-1)
    assert np.abs(middle - centre[:, None]).mean() < 0.5
    around = np.median(drawn.reshape(60, 10, -1), axis=-1)
    assert np.abs(around - background[:, None]).mean() < 0.05
    returned = np.asarray(found.images)[np.arange(60), np.asarray(found.source_bin)]
    assert np.abs(returned - held_out).mean() < 0.05
