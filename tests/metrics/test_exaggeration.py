"""Scores of explanations for all bins, by hand."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics import score_exaggerations


def test_scores_by_hand() -> None:
    """Of three images decided 0 and one decided 1, with two bins; their means weigh the two
    decisions alike.
    """
    found = {
        "probability": np.array([0.1, 0.2, 0.3, 0.9]),
        "desired": np.broadcast_to([0.25, 0.75], (4, 2)),
        "achieved": np.array([[0.25, 0.75], [0.25, 0.45], [0.05, 0.75], [0.45, 0.95]]),
        "psnr": np.array([20.0, 30.0, 40.0, np.inf]),
        "spread": np.array([0.1, 0.2, 0.3, 0.4]),
    }
    expected = {
        "compatibility": ((0 + 0.15 + 0.1) / 3 + 0.2) / 2,
        "crossed": (2 / 3 + 1) / 2,
        "psnr": (30 + 60) / 2,
        "spread": (0.2 + 0.4) / 2,
        "score": 45 * (2 / 3 + 1) / 2,
        # Ranks of the achieved: 2.5, 2.5, 1 and 4.5 of the lower bin, 6.5, 4.5, 6.5 and 8 of the
        # upper one; three ties.
        "rank_correlation": (2 * 7.5 + 2 * 7.5) / np.sqrt(8 * 2**2 * (42 - 1.5)),
    }
    result = score_exaggerations(found, np.array([0, 0, 0, 1]))
    assert result == {name: pytest.approx(value) for name, value in expected.items()}


def test_the_scores_of_an_explainer_without_effect_are_numbers() -> None:
    found = {
        "probability": np.array([0.1, 0.9]),
        "desired": np.broadcast_to([0.25, 0.75], (2, 2)),
        "achieved": np.full((2, 2), 0.5),
        "psnr": np.full(2, 10.0),
        "spread": np.zeros(2),
    }
    result = score_exaggerations(found, np.array([0, 1]))
    assert result["rank_correlation"] == result["spread"] == 0


@pytest.mark.parametrize(
    ("changes", "decisions", "message"),
    [
        ({"psnr": None}, [0, 1], "explained: expected probability, .*, got no psnr"),
        (
            {"desired": np.zeros(3)},
            [0, 1],
            r"desired: expected \(n, k\) of n = 2 images, .* \(3,\)",
        ),
        ({"desired": np.zeros((2, 4))}, [0, 1], r"desired: .* got shape \(2, 4\)"),
        ({"spread": np.zeros((2, 1))}, [0, 1], r"spread: expected \(n,\) of n = 2 images"),
        ({}, [0, 1, 1], r"probability: expected \(n,\) of n = 3 images"),
        ({}, [1, 1], "decisions: expected both 0 and 1, got one of them"),
        ({}, [0, 2], "decisions: expected 0 and 1 .*, got 2"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(changes, decisions, message) -> None:
    arrays = {name: np.full(2, 0.5) for name in ("probability", "psnr", "spread")}
    arrays |= {name: np.full((2, 3), 0.5) for name in ("desired", "achieved")} | changes
    given = {name: values for name, values in arrays.items() if values is not None}
    with pytest.raises(InputError, match=message):
        score_exaggerations(given, np.array(decisions))
