import numpy as np

from cfx_jax.data import first_copies, shared_copies
from cfx_jax.data.duplicates import fingerprint


def test_fingerprints_tell_shape_type_and_values_apart():
    zeros = np.zeros((2, 3, 1), np.float32)
    others = (zeros + 1, zeros.reshape(3, 2, 1), zeros.astype(np.float16))
    assert fingerprint(zeros) == fingerprint(zeros.copy())
    assert len({fingerprint(pixels) for pixels in (zeros, *others)}) == 4


def test_copies_have_the_place_of_the_first():
    assert first_copies("abcab").tolist() == [0, 1, 2, 0, 1]
    assert first_copies([]).tolist() == []


def test_copies_are_counted_between_each_two_parts():
    copies = first_copies("abcabb")
    parts = {"train": np.array([0, 1]), "validation": np.array([2]), "test": np.array([3, 4, 5])}
    assert shared_copies(copies, parts) == {("train", "test"): 3}
