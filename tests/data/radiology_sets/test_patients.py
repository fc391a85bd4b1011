import numpy as np
import pytest

from cfx_jax.data.radiology_sets import split_patients
from cfx_jax.errors import InputError

PATIENTS = np.repeat(
    [f"BRATS_{number:03d}" for number in range(484)], np.random.default_rng(0).integers(1, 5, 484)
)
SHARES = {"train": 363 / 484, "validation": 48 / 484, "test": 73 / 484}


def test_parts_have_their_number_of_patients_and_share_none():
    parts = split_patients(PATIENTS, SHARES, seed=0)
    patients = [set(PATIENTS[items]) for items in parts.values()]
    assert [len(each) for each in patients] == [363, 48, 73]
    assert len(set.union(*patients)) == 484
    np.testing.assert_array_equal(
        np.sort(np.concatenate([*parts.values()])), np.arange(len(PATIENTS))
    )


def test_seed_fixes_the_split():
    one, same, other = (split_patients(PATIENTS, SHARES, seed=seed)["test"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_impossible_shares_are_refused():
    with pytest.raises(
        InputError, match="fractions: expected shares above 0 that sum to at most 1"
    ):
        split_patients(PATIENTS, {"train": 0.9, "test": 0.2}, seed=0)
    with pytest.raises(InputError, match="split 'b' would be empty"):
        split_patients(["p", "p"], {"a": 0.5, "b": 0.5}, seed=0)
