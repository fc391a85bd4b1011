from pathlib import Path

from cfx_jax.data.sets import FundusRecord
from cfx_jax.data.sets.stored.spec import digest

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
