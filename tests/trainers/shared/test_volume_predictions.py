"""Scores of predicted classes of volumes, by hand."""

import numpy as np
import pytest

from cfx_jax.models import HalfBrainLogits
from trainers.shared.volume_predictions import score_volumes


def test_scores_of_classes_and_of_sides_by_hand() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 4.0]], np.float32)
    found = score_volumes(logits, np.array([0, 1, 1, 1]))
    entropy = np.log1p(np.exp([-2.0, -1.0, 3.0, -4.0])).mean()
    assert found == pytest.approx(
        {
            "validation_accuracy": 0.75,
            "validation_balanced_accuracy": (1 + 2 / 3) / 2,
            "validation_cross_entropy": entropy,
        }
    )
    side = np.array([[5.0, 0, 0], [0, 0, 5.0], [5.0, 0, 0], [0, 5.0, 0]], np.float32)
    found = score_volumes(
        HalfBrainLogits(logits, side), np.array([0, 3, 1, 1])
    )  # decided: none, both, none, right
    assert found["validation_accuracy"] == 0.5 and found["validation_lesion_accuracy"] == 0.75
    assert found["validation_balanced_accuracy"] == pytest.approx((1 + 1 + 0) / 3)
