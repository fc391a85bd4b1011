"""Data parallelism against one device: eight virtual devices in one process, and two processes that
talk by Gloo.
"""

import functools
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import parallel_worker
import pytest
from parallel_worker import BATCH_SIZES, COUNTS, SmallNet, examples, explain, leaves, train_step

from cfx_jax import parallel
from cfx_jax.errors import InputError
from cfx_jax.models import per_image

WORKER = Path(parallel_worker.__file__)


def start(num_devices, *arguments):
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(num_devices),
        "PYTHONPATH": str(WORKER.parents[2]),
    }
    command = [sys.executable, str(WORKER), *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process):
    _, log = process.communicate(timeout=300)
    assert process.returncode == 0, log
    return log


def free_port():
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def eight_devices(tmp_path_factory):
    out = tmp_path_factory.mktemp("devices") / "results.npz"
    finish(start(8, "devices", out))
    return np.load(out)


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("processes"), free_port()
    workers = [start(2, "process", folder / f"{index}.npz", port, index) for index in range(2)]
    logs = [finish(worker) for worker in workers]
    return [np.load(folder / f"{index}.npz") for index in range(2)], logs


@functools.cache
def one_device(count):
    """``jax.vmap`` itself."""
    return jax.jit(jax.vmap(explain, (None, 0)))(per_image(SmallNet()), examples(count))


@functools.cache
def trained_on_one_device():
    batch = examples(16)
    return train_step(SmallNet(), batch.image, batch.target)


def assert_same(results, prefix, expected):
    expected = leaves(expected, prefix)
    assert {name for name in results if name.startswith(f"{prefix}/")} == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(results[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("batch_size", [None, 1, 4, 100])
def test_map_examples_is_vmap(batch_size):
    result = parallel.map_examples(
        explain, per_image(SmallNet()), examples(11), batch_size=batch_size
    )
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(result))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), result, one_device(11)
    )


@pytest.mark.parametrize("batch_size", [2, None])
def test_apply_to_examples_is_vmap_of_one_function(batch_size):
    values = np.arange(10.0, dtype=np.float32).reshape(5, 2)
    offset = jnp.float32(3)
    sums = parallel.apply_to_examples(lambda row: row.sum() + offset, values, batch_size=batch_size)
    np.testing.assert_array_equal(sums, values.sum(axis=1) + 3)


def test_equal_shapes_compile_once():
    traces = []

    def double(shared, example):
        traces.append(1)
        return shared * example

    for count, factor in ((7, 2.0), (10, 3.0), (3, 4.0)):
        numbers = np.arange(count, dtype=np.float32)
        result = parallel.map_examples(double, jnp.float32(factor), numbers, batch_size=3)
        np.testing.assert_array_equal(result, factor * numbers)
    assert len(traces) == 1


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("count", COUNTS)
def test_eight_devices_give_what_one_gives(eight_devices, count, batch_size):
    assert eight_devices["num_devices"] == 8
    assert_same(eight_devices, f"map/{count}/{batch_size}", one_device(count))


@pytest.mark.parametrize("transformation", ["pmap", "shard_map", "mesh"])
def test_pmap_shard_map_and_mesh_give_what_one_device_gives(eight_devices, transformation):
    assert_same(eight_devices, transformation, one_device(16))


def test_a_data_parallel_step_uses_the_gradient_and_statistics_of_the_whole_batch(eight_devices):
    assert_same(eight_devices, "train", trained_on_one_device())


def test_a_mesh_can_have_some_of_the_devices(eight_devices):
    assert eight_devices["two_of_eight"] == 2


def test_a_search_compiles_as_many_programs_for_eight_devices_as_for_one(eight_devices):
    one, eight = (int(eight_devices[f"programs_of_a_search/{count}"]) for count in (1, 8))
    assert eight == one > 0


def test_two_processes_each_get_the_whole_result(two_processes):
    for results in two_processes[0]:
        assert results["num_devices"] == 4
        assert_same(results, "map/11/4", one_device(11))


def test_two_processes_with_half_of_the_batch_each_take_the_step_of_one(two_processes):
    batch = examples(16)
    for results in two_processes[0]:
        assert_same(results, "gathered", (batch.image, batch.target))
        assert_same(results, "train", trained_on_one_device())


def test_only_the_first_process_shows_a_bar(two_processes):
    first, second = two_processes[1]
    assert "explain" in first and "explain" not in second


def test_the_last_batch_is_padded_with_its_last_example():
    first, second = parallel.batches(
        np.arange(5), batch_size=3, mesh=parallel.data_mesh(devices=jax.devices()[:1])
    )
    assert (first.num_real, second.num_real) == (3, 2)
    np.testing.assert_array_equal(first.examples, [0, 1, 2])
    np.testing.assert_array_equal(second.examples, [3, 4, 4])


@pytest.mark.parametrize("batch_size", [0, -3])
def test_batch_sizes_below_one_are_refused(batch_size):
    with pytest.raises(
        InputError, match=f"batch_size: expected an integer of at least 1, got {batch_size}"
    ):
        parallel.map_examples(jnp.multiply, 2.0, np.arange(5.0), batch_size=batch_size)


def test_examples_of_different_lengths_are_refused():
    with pytest.raises(InputError, match=r"one common leading axis, got lengths \['3', '4'\]"):
        parallel.map_examples(explain, None, (np.zeros(3), np.zeros((4, 2))))
    with pytest.raises(InputError, match=r"one common leading axis, got lengths \['None'\]"):
        parallel.map_examples(explain, None, 1.0)


def test_empty_examples_are_refused():
    with pytest.raises(InputError, match="examples: expected at least one example, got none"):
        parallel.map_examples(explain, None, np.zeros((0, 8, 8, 1)))


def test_a_start_that_cannot_work_says_why():
    assert jax.devices()  # JAX is in use, or the last call would wait for the other process
    with pytest.raises(InputError, match=r"index: expected a process in 0\.\.1, got 2"):
        parallel.start_distributed(coordinator="localhost:1234", num_processes=2, index=2)
    with pytest.raises(
        InputError,
        match=r"expected to be the first use of JAX .* must be called before any JAX calls",
    ):
        parallel.start_distributed(coordinator="localhost:1234", num_processes=2, index=0)
