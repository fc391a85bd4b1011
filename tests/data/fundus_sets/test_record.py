from pathlib import Path

import pytest

from cfx_jax.data.fundus_sets.record import FundusRecord, checked, digest
from cfx_jax.errors import InputError

RECORD = FundusRecord("a", Path("x/a.jpg"), "1", 2, 1, {"haemorrhages": Path("x/a.tif")})


def test_digest_changes_with_each_fact_but_not_with_the_place_of_the_files():
    others = [
        RECORD._replace(**change)
        for change in (
            {"name": "b"},
            {"patient": "2"},
            {"grade": None},
            {"gradable": 0},
            {"masks": {}},
        )
    ]
    assert len({digest([each]) for each in [RECORD, *others]}) == 6
    assert digest([RECORD, others[0]]) != digest([others[0], RECORD])
    moved = RECORD._replace(image=Path("y/a.jpg"), masks={"haemorrhages": Path("y/a.tif")})
    assert digest([moved]) == digest([RECORD])


def test_records_need_names_of_their_own_and_images(tmp_path):
    (tmp_path / "a.jpg").touch()
    records = [
        FundusRecord("a", tmp_path / "a.jpg", "1"),
        FundusRecord("b", tmp_path / "deep/b.jpg", "1"),
    ]
    assert checked(records[:1], tmp_path) == records[:1]
    with pytest.raises(
        InputError,
        match=r"expected 2 photographs, 1 are missing, the first is '.*deep/b.jpg': unpack",
    ):
        checked(records, tmp_path)
    with pytest.raises(
        InputError, match="expected each photograph once, got 'a' twice: remove one of its rows"
    ):
        checked([records[0], records[0]], tmp_path)
