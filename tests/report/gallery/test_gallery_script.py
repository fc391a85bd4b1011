"""The logic of the gallery's script: which entries are shown, and in which order."""

import json
from pathlib import Path

import pytest

from cfx_jax import report

ALL = {"text": "", "prediction": "", "label": "", "target": "", "verdict": ""}
ORDER = {"score": None, "descending": False}
ENTRIES = [
    {"name": "Ward 1/a", "prediction": "sick", "label": "sick", "target": "well", "scores": [3]},
    {"name": "ward 2/b", "prediction": "sick", "label": "well", "target": "well", "scores": [1]},
    {"name": "ward 2/c", "prediction": "well", "label": "", "target": "sick", "scores": [None]},
    {"name": "ward 3/d", "prediction": "well", "label": "well", "target": "sick", "scores": [3]},
]


@pytest.fixture(scope="module")
def engine():
    quickjs = pytest.importorskip("quickjs", reason="quickjs is not installed")
    context = quickjs.Context()
    context.eval((Path(report.__file__).parent / "gallery/gallery.js").read_text(encoding="utf-8"))
    return context


def chosen(engine, **wanted):
    entries = [{"number": number, **entry} for number, entry in enumerate(ENTRIES)]
    call = f"chosen({json.dumps(entries)}, {json.dumps(ALL | ORDER | wanted)})"
    return json.loads(engine.eval(f"JSON.stringify({call}.map((entry) => entry.number))"))


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [0, 1, 2, 3]),
        ({"text": " WARD 2"}, [1, 2]),
        ({"text": "nothing"}, []),
        ({"prediction": "sick"}, [0, 1]),
        ({"label": "well"}, [1, 3]),
        ({"target": "sick", "text": "d"}, [2, 3]),
        ({"verdict": "right"}, [0, 3]),
        ({"verdict": "wrong"}, [1]),
        ({"score": 0}, [1, 0, 3, 2]),
        ({"score": 0, "descending": True}, [0, 3, 1, 2]),
    ],
)
def test_entries_are_filtered_and_sorted(engine, wanted, numbers):
    assert chosen(engine, **wanted) == numbers


@pytest.mark.parametrize(
    ("place", "step", "expected"), [(-1, 1, 0), (-1, -1, 3), (1, 1, 2), (1, -1, 0), (3, 1, 4)]
)
def test_arrow_keys_lead_to_the_neighbour(engine, place, step, expected):
    assert engine.eval(f"neighbour({place}, {step}, 4)") == expected


def test_infinite_scores_are_the_largest(engine):
    entries = [{"number": 0, "scores": [1]}, {"number": 1, "scores": [2]}]
    base = json.dumps([{"name": "", "label": "", **entry} for entry in entries])
    wanted = json.dumps(ALL | {"score": 0, "descending": True})
    call = f"chosen({base.replace('[1]', '[1e999]')}, {wanted}).map((entry) => entry.number)"
    assert engine.eval(f"JSON.stringify({call})") == "[0,1]"
