"""The presets of path-based attribution: what they write out of the library's released values."""

from cfx_jax.losses import CYCE, SYCE
from experiments.path_attribution.presets import PAPER


def test_the_papers_weights_are_the_released_ones_of_the_losses():
    assert (PAPER.syce.weights, PAPER.cyce.weights) == (SYCE, CYCE)
