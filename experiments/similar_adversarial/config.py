"""The settings of the experiment, beside those that both of Charachon's experiments have."""

from dataclasses import dataclass, field

from experiments.charachon_shared import CharachonConfig
from experiments.shared import AT_LEAST_1, limits
from experiments.similar_adversarial.compared_generators import NAMES


@dataclass(frozen=True)
class Config(CharachonConfig):
    """Trains a classifier and generators of every kind, compares their maps with others' maps.

    Of ``similar_adversarial`` the two class weights hold for every row of the paper's table I; the
    other weights are that row's.
    """

    generators: tuple[str, ...] = NAMES
    """Rows of the paper's tables, by name; the naive one and Single AE2 (W,TV) must be among them.
    """
    duo_batch_size: int = field(default=4, metadata=AT_LEAST_1)
    """Images of one step of the Duo generators, over all devices (paper: 4); they see as many
    images as the others.
    """
    num_runs: int = field(default=1, metadata=AT_LEAST_1)
    """Trainings of each generator, which differ by their seeds. Tables and figures show the first;
    what the paper says of how to train needs several (three or more), or stays undecided (paper:
    1)."""
    percentiles: tuple[float, ...] = field(
        default=(80.0, 85.0, 90.0, 95.0, 98.0), metadata=limits(most=100, may_be_empty=False)
    )
    """Thresholds of the maps, ascending (paper: 80, 85, 90, 95, 98)."""
    num_averaged: int = field(default=10, metadata=AT_LEAST_1)
    """Moved images over which explanations are averaged (paper: 10)."""
    num_shown: int = 4
    """Images in each figure, at most."""
