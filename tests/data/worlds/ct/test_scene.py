from typing import NamedTuple

import numpy as np

from cfx_jax.data.worlds.ct import numbers_of


class Parts(NamedTuple):
    place: tuple[float, float]
    count: int
    length: np.float64


def test_single_numbers_become_factors_and_the_rest_does_not():
    assert numbers_of(Parts((0.1, 0.2), 3, np.float64(0.5)), "its_") == {
        "its_count": 3.0,
        "its_length": 0.5,
    }
