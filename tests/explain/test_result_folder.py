"""The folder of a run gives back what was written, and names what is damaged."""

import json

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.explain import Settings, load_explanations
from cfx_jax.explain.explanation import Explanation
from cfx_jax.explain.result_folder import Skipped, open_store
from cfx_jax.explain.run_manifest import Run
from cfx_jax.locks import LockedError

RUN = Run(
    names=("a/b", "a_b", "\N{LATIN SMALL LETTER U WITH DIAERESIS} <1>", "x" * 300),
    labels=("sick", "", "well", ""),
    classes=("well", "sick"),
    methods=("gradient",),
    settings=Settings(2.0, 1.0, 4.0),
    targets="runner_up",
    shape=(2, 2, 1),
    batch_size=2,
    key=(0, 1),
    first={"0": ("digest", (0.0, 1.0))},
)


def explanation(number):
    image = np.full((2, 2, 1), number / 4, np.float32)
    arrays = {"image": image, "picture/gradient": -image, "sweep/gradient": np.stack([image] * 2)}
    return Explanation(
        number=number,
        name=RUN.names[number],
        label=RUN.labels[number],
        logits=np.array([0.1, number], np.float32),
        target=1,
        scores={"gradient": {"value": 0.1 + number, "endless": np.inf, "unknown": np.nan}},
        arrays=arrays,
        curves={"gradient": {"positions": [0.5, 1.0, 2.0], "probabilities": [0.1, 0.2, 0.3]}},
    )


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path, RUN)
    for number in (3, 0, 2):
        store.write(explanation(number))
    store.write(Skipped(1, "cut short"))
    return store


def test_explanations_come_back_whatever_their_names(store, tmp_path):
    answers = load_explanations(tmp_path)
    assert answers.run == RUN and answers.numbers == (0, 2, 3)
    assert answers.names == tuple(RUN.names[number] for number in (0, 2, 3))
    assert answers.skipped == {"a_b": "cut short"}
    for item in answers:
        expected = explanation(item.number)
        np.testing.assert_array_equal(item.image, expected.image)
        np.testing.assert_array_equal(item.pictures["gradient"], expected.pictures["gradient"])
        np.testing.assert_array_equal(item.logits, expected.logits)
        assert (item.label, item.target) == (expected.label, expected.target)
        assert item.scores["gradient"]["value"] == expected.scores["gradient"]["value"]
        assert item.scores["gradient"]["endless"] == np.inf
        assert np.isnan(item.scores["gradient"]["unknown"])
        sweep = item.sweeps["gradient"]
        assert sweep.pictures.shape == (2, 2, 2, 1) and sweep.positions.tolist() == [0.5, 1, 2]
        with pytest.raises(KeyError):
            item.pictures["vce"]
    assert answers[1:][0].number == 2


def test_a_result_ends_an_earlier_skip(store):
    store.write(explanation(1))
    assert store.find_results() == ([0, 1, 2, 3], {})


WRONG = [
    *((name, None) for name in ("names", "labels", "classes", "methods", "settings", "notes")),
    *(("names", value) for value in (3, "x", [], {}, [["a"]])),
    *(("classes", value) for value in ([], ["a"], {"a": "b"})),
    *(("shape", value) for value in (3, [8], [8, 8, 0], ["a", "b", "c"])),
    *(("skipped", 3), ("warnings", [["a"]]), ("first", 3), ("key", "x"), ("batch_size", 0)),
    *(("labels", ["a"]), ("settings", {"p": 2, "radius": "x", "largest_radius": 1})),
]
"""Facts of another kind than a run has, as an edit by hand may leave them."""


def test_damaged_files_are_named(store, tmp_path):
    (path,) = (tmp_path / "images").rglob("000002_*.npz")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"000002_.*: expected an explanation.*delete this file"):
        load_explanations(tmp_path).table()
    facts = json.loads((tmp_path / "run.json").read_text())
    for content, message in (
        ("{", "is damaged"),
        (json.dumps(facts | {"format": 1}), "got those of another"),
        (json.dumps({"format": 2, "settings": {}}), "is damaged"),
        (json.dumps({name: facts[name] for name in facts if name != "shape"}), "is damaged"),
        *(
            (json.dumps(facts | {name: value}), r"run.json' is damaged \(.*: explain the images")
            for name, value in WRONG
        ),
        (json.dumps(facts | {"methods": ["lime"]}), "that this version of cfx-jax has, got 'lime'"),
    ):
        (tmp_path / "run.json").write_text(content)
        with pytest.raises(InputError, match=message):
            load_explanations(tmp_path)


def test_results_that_are_being_computed_are_not_removed(store, tmp_path):
    before = sorted(path.name for path in tmp_path.rglob("*.npz"))
    with store.working((1, 2)):
        (lock,) = tmp_path.rglob(".lock")
        holder = json.loads(lock.read_text())
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(json.dumps(holder | {"host": "elsewhere"}))  # as another machine holds it
    with pytest.raises(LockedError, match="another process computes shard 1 of 2"):
        open_store(tmp_path, RUN, replace=True)
    assert sorted(path.name for path in tmp_path.rglob("*.npz")) == before
    lock.unlink()
    open_store(tmp_path, RUN, replace=True)
    assert not list(tmp_path.rglob("*.npz"))


def test_of_two_runs_that_start_at_once_the_first_stays(tmp_path):
    other = open_store(tmp_path, RUN).run
    assert other == RUN
    (tmp_path / "images/000").mkdir(parents=True)
    (tmp_path / "images/000/000000_a_b.npz").touch()
    changed = Run(**{**vars(RUN), "batch_size": 3})
    with pytest.raises(InputError, match="the batch size"):
        open_store(tmp_path, changed)
