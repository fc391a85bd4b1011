"""The same explanation of an image whatever stops, shares or surrounds its computation."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from cfx_jax.data.sources.decoding import DamagedImage
from cfx_jax.errors import InputError
from cfx_jax.explain import explain, load_explanations
from cfx_jax.explain.batches import decide

RNG = np.random.default_rng(0)
COUNT = 11
IMAGES = RNG.uniform(0.3, 0.7, size=(COUNT, 6, 6, 1)).astype(np.float32)
WEIGHTS = jnp.asarray(RNG.normal(size=(36, 3)), jnp.float32)
QUICK = {"num_steps": 3, "num_nodes": 4, "num_samples": 3, "radius": 0.5, "radii": (0.5,)}
RUN = {"methods": ("vce", "smooth_grad"), "batch_size": 4, **QUICK}


def network(weights, image):
    return 8 * jnp.tanh((image.ravel() - 0.5) @ weights)  # of any shape with 36 values


CLASSIFIER = Partial(network, WEIGHTS)


class Source:
    """Images that are counted as they are read, and of which some are damaged."""

    class_names = ("healthy", "sick")

    def __init__(self, images=IMAGES, damaged=(), ends_at=None):
        self.images, self.damaged, self.ends_at, self.read = images, damaged, ends_at, []
        self.names = [f"p{number}/scan.png" for number in range(len(images))]
        self.labels = np.arange(len(images)) % 2

    def __len__(self):
        return len(self.images)

    def __getitem__(self, number):
        if number == self.ends_at:
            raise KeyboardInterrupt
        if number in self.damaged:
            raise DamagedImage("cut short")
        self.read.append(number)
        return {"image": self.images[number]}


def contents(folder):
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    explain(CLASSIFIER, Source(), folder=folder, **RUN)
    return folder


def test_a_folder_holds_what_memory_holds(whole):
    stored = load_explanations(whole)
    memory = explain(CLASSIFIER, Source(), **RUN)
    assert stored.names == memory.names == tuple(Source().names)
    assert stored.table() == memory.table()
    np.testing.assert_array_equal(stored.images, IMAGES)
    for method in RUN["methods"]:
        np.testing.assert_array_equal(stored.pictures[method], memory.pictures[method])
    np.testing.assert_array_equal(
        stored[5].sweeps["vce"].pictures, memory[5].sweeps["vce"].pictures
    )


def test_shards_in_any_order_give_the_same_bits(whole, tmp_path):
    for part in (3, 1, 2):
        answers = explain(CLASSIFIER, Source(), folder=tmp_path, shard=(part, 3), **RUN)
    assert len(answers) == COUNT
    assert contents(tmp_path / "images") == contents(whole / "images")


def test_a_run_goes_on_where_it_was_stopped_and_gives_the_same_bits(whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        explain(CLASSIFIER, Source(ends_at=9), folder=tmp_path, **RUN)
    partial = contents(tmp_path / "images")
    assert len(partial) < COUNT
    for name in list(partial)[1::2]:
        (tmp_path / "images" / name).unlink()
    explain(CLASSIFIER, Source(), folder=tmp_path, **RUN)
    assert contents(tmp_path / "images") == contents(whole / "images")


def test_a_finished_run_reads_the_first_images_alone(whole):
    source = Source()
    before = contents(whole)
    explain(CLASSIFIER, source, folder=whole, **RUN)
    assert source.read == list(range(8))
    assert contents(whole) == before


def test_images_are_read_when_they_are_needed(tmp_path):
    images = np.concatenate([IMAGES] * 10)
    source = Source(images, ends_at=100)
    with pytest.raises(KeyboardInterrupt):
        explain(CLASSIFIER, source, folder=tmp_path, **RUN)
    written = len(contents(tmp_path / "images"))
    assert len(set(source.read)) <= written + 6 * RUN["batch_size"]


def test_another_batch_size_changes_results_by_rounding_alone(whole):
    stored, other = (
        load_explanations(whole),
        explain(CLASSIFIER, Source(), **RUN | {"batch_size": 3}),
    )
    for method in RUN["methods"]:
        np.testing.assert_allclose(other.pictures[method], stored.pictures[method], atol=1e-5)


def test_damaged_images_are_skipped_counted_and_tried_again(whole, tmp_path):
    answers = explain(CLASSIFIER, Source(damaged=(2, 9)), folder=tmp_path, **RUN)
    assert answers.skipped == {"p2/scan.png": "cut short", "p9/scan.png": "cut short"}
    assert [item.number for item in answers] == [0, 1, 3, 4, 5, 6, 7, 8, 10]
    assert "2 images could not be explained" in answers.report(tmp_path / "p.html").read_text()
    kept = contents(tmp_path / "images")
    assert all(contents(whole / "images")[name] == kept[name] for name in kept if "npz" in name)
    mended = explain(CLASSIFIER, Source(), folder=tmp_path, **RUN)
    assert not mended.skipped
    assert contents(tmp_path / "images") == contents(whole / "images")


def test_in_memory_a_damaged_image_is_an_error():
    with pytest.raises(InputError, match=r"p9/scan.png: expected .* but cut short"):
        explain(CLASSIFIER, Source(damaged=(9,)), **RUN)


def test_an_image_without_finite_logits_is_skipped_in_a_folder(tmp_path):
    images = IMAGES.copy()
    images[9] = 0.99

    def classifier(image):
        return jnp.where(image.mean() > 0.9, jnp.nan, CLASSIFIER(image))

    answers = explain(
        classifier, Source(images), folder=tmp_path, **RUN | {"methods": ["gradient"]}
    )
    assert answers.skipped == {"p9/scan.png": "the model's logits are NaN or infinite"}
    assert len(answers) == COUNT - 1


def test_labels_are_kept_and_counted(whole):
    assert load_explanations(whole).accuracy is None  # no class of the model has such a name
    answers = explain(
        CLASSIFIER, Source(), classes=("healthy", "sick", "other"), methods=["gradient"], **QUICK
    )
    truth = np.arange(COUNT) % 2
    assert answers.accuracy == pytest.approx(np.mean(answers.predictions == truth))
    assert answers[3].label == "sick"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": ["vce"]}, "the methods"),
        ({"num_steps": 4}, r"num_steps \(3 there, 4 now\)"),
        ({"radii": (0.25,)}, "radii"),
        ({"key": jax.random.key(1)}, "the seed"),
        ({"targets": 1}, r"the targets \(runner_up there, 1 now\)"),
        ({"classes": ("a", "b", "c")}, "the names of the classes"),
        ({"batch_size": 5}, r"the batch size \(4 there, 5 now\)"),
        ({"names": [str(number) for number in range(COUNT)]}, "the names of the images"),
        ({"images": Source(IMAGES[::-1])}, "the pixels of the first images"),
        ({"images": Source(IMAGES.reshape(len(IMAGES), 4, 9, 1))}, "the shape of the images"),
        ({"classifier": Partial(network, WEIGHTS * 1.1)}, "it is another model"),
    ],
)
def test_results_of_another_run_are_refused(whole, changes, words):
    before = contents(whole)
    options = {"classifier": CLASSIFIER, "images": Source(), "folder": whole, **RUN} | changes
    with pytest.raises(InputError, match=f"expected results of this run.*{words}.*--replace"):
        explain(**options)
    assert contents(whole) == before


def test_a_folder_is_replaced_when_asked(tmp_path):
    explain(CLASSIFIER, Source(), folder=tmp_path, **RUN)
    answers = explain(
        CLASSIFIER, Source(IMAGES[:3]), folder=tmp_path, replace=True, methods=["gradient"], **QUICK
    )
    assert len(answers) == len(contents(tmp_path / "images")) == 3


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_read(tmp_path):
    (tmp_path / "file").touch()
    source = Source()
    with pytest.raises(InputError, match="expected a folder to write to"):
        explain(CLASSIFIER, source, folder=tmp_path / "file", **RUN)
    assert not source.read


def test_files_of_others_are_not_taken_for_results(tmp_path):
    (tmp_path / "page.html").touch()
    with pytest.raises(InputError, match=r"found page\.html"):
        explain(CLASSIFIER, Source(), folder=tmp_path, **RUN)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shard": (0, 2)}, "shard: expected a number from 1 to 2, got 0"),
        ({"shard": "1/2"}, "shard: expected two integers"),
        ({"shard": (1, 2), "folder": None}, "shard: expected a folder"),
        ({"radii": (1.5,)}, "radii: expected a value between 0 and 1"),
    ],
)
def test_wrong_options_are_named(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        explain(CLASSIFIER, Source(), **{"folder": tmp_path, **RUN, **options})


def start(folder, kind, **environment):
    """Another process that runs a function of this file."""
    root = Path(__file__).parents[2]
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "import importlib.util as u\n"
        f"spec = u.spec_from_file_location('stream_tests', {__file__!r})\n"
        "m = u.module_from_spec(spec); spec.loader.exec_module(m)\n"
        f"m.{kind}({str(folder)!r})\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def at_once(folder):
    """In another process: explains the images."""
    explain(CLASSIFIER, Source(), folder=folder, **RUN)


@pytest.mark.slow
def test_another_number_of_devices_goes_on_with_the_same_results(whole, tmp_path):
    """Three devices share groups of four images, whose last places repeat one."""
    at_once(tmp_path)
    for path in sorted((tmp_path / "images").rglob("*.npz"))[3:]:
        path.unlink()
    three = {"JAX_NUM_CPU_DEVICES": "3", "JAX_PLATFORMS": "cpu"}
    assert start(tmp_path, "at_once", **three).wait() == 0
    one, several = load_explanations(whole), load_explanations(tmp_path)
    assert one.names == several.names
    for method in RUN["methods"]:
        np.testing.assert_allclose(one.pictures[method], several.pictures[method], atol=1e-5)
        for name, values in one.scores[method].items():
            np.testing.assert_allclose(values, several.scores[method][name], atol=1e-4)


def slowly(folder):
    """In another process: explains images of which each takes a while to read."""

    class Slow(Source):
        def __getitem__(self, number):
            time.sleep(0.02)
            return super().__getitem__(number)

    explain(CLASSIFIER, Slow(), folder=folder, **RUN | {"methods": ["vce"], "batch_size": 1})


def count_stored(folder):
    return len(list((folder / "images").rglob("*.npz")))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bits(tmp_path):
    assert start(tmp_path / "whole", "slowly").wait() == 0
    expected = contents(tmp_path / "whole/images")
    rng, folder, kills = np.random.default_rng(1), tmp_path / "killed", 0
    for _ in range(30):
        process = start(folder, "slowly")
        # Counted by name: the process may move a temporary file away while it is read.
        wait_for = count_stored(folder) + int(rng.integers(0, 4))
        while process.poll() is None and count_stored(folder) <= wait_for:
            time.sleep(float(rng.uniform(0, 0.005)))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        if count_stored(folder) == COUNT:
            break
    assert kills >= 3
    assert start(folder, "slowly").wait() == 0
    assert contents(folder / "images") == expected
    assert json.loads((folder / "run.json").read_text())["names"] == Source().names


@pytest.mark.slow
def test_two_processes_never_compute_the_same_shard(tmp_path):
    first = start(tmp_path, "slowly")
    while not list(tmp_path.rglob(".working/1_of_1/.lock")) and first.poll() is None:
        time.sleep(0.01)
    second = start(tmp_path, "slowly")
    _, told = second.communicate()
    assert first.wait() == 0
    assert "another process computes shard 1 of 1" in told or second.returncode == 0


def test_the_runner_up_is_another_class_than_the_decided_one_where_logits_are_equal():
    """Two equal logits decide for class 1, of more the first, as everywhere else."""
    for logits, decided in (([1.0, 1.0], 1), ([0.0, 2.0, 2.0, 1.0], 1), ([3.0, 1.0, 2.0], 0)):
        values = jnp.array(logits)
        answer = decide(lambda image, values=values: values + image, (jnp.zeros(()), -1))
        assert answer.predicted == decided
        rest = np.delete(logits, int(answer.predicted))
        assert answer.target != answer.predicted and logits[int(answer.target)] == rest.max()
