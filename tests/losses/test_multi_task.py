"""The loss of lesion and side: the side counts for images with a lesion alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.losses import multi_task_terms

RNG = np.random.default_rng(0)
LESION, SIDE = (
    RNG.normal(size=(5, 2)).astype(np.float32),
    RNG.normal(size=(5, 3)).astype(np.float32),
)
LABELS = np.array([0, 1, 3, 0, 2])
WEIGHTS = np.array([1.2, 0.9, 0.9, 1.2, 0.9], np.float32)


def minus_log(logits, index):
    return -np.log(np.exp(np.float64(logits[index])) / np.exp(np.float64(logits)).sum())


def test_terms_by_hand():
    found = multi_task_terms(LESION, SIDE, LABELS, WEIGHTS)
    lesion = [
        minus_log(logits, int(label > 0)) for logits, label in zip(LESION, LABELS, strict=True)
    ]
    side = [minus_log(SIDE[row], LABELS[row] - 1) for row in (1, 2, 4)]
    assert float(found["lesion"]) == pytest.approx(
        (WEIGHTS * lesion).sum() / WEIGHTS.sum(), rel=1e-5
    )
    assert float(found["side"]) == pytest.approx(np.mean(side), rel=1e-5)


def test_the_side_learns_nothing_from_images_without_a_lesion():
    def side(logits, labels):
        return multi_task_terms(LESION, logits, labels, WEIGHTS)["side"]

    slope = np.asarray(jax.grad(side)(jnp.asarray(SIDE), jnp.asarray(LABELS)))
    assert (slope[[0, 3]] == 0).all() and (slope[[1, 2, 4]] != 0).all()
    assert side(SIDE, 0 * LABELS) == 0
