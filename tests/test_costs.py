"""What is told of a computation before most of it is spent: memory, time, stages."""

import functools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.buffer_callback import buffer_callback

from cfx_jax import costs
from cfx_jax.costs import describe_stage, describe_time, program_memory
from cfx_jax.optimise import Problem, gradient_descent, solve
from cfx_jax.parallel import map_examples, tell_stage


@pytest.fixture
def compilations():
    """The names of the compilations so far."""
    names = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda name, seconds, **_: names.append(name) if "backend_compile" in name else None
    )
    return names


def test_the_memory_of_a_program_holds_its_arguments_and_what_it_computes():
    numbers = jnp.zeros((2**24,))  # 64 MiB

    def step(state, batch):
        return jnp.sort(state * batch), {"loss": state.sum()}

    text = program_memory(jax.jit(step), numbers, numbers)
    total, given, computed = map(float, re.findall(r"\d+\.\d+", text))
    assert given == pytest.approx(2 * 64 / 1024, abs=0.01)
    assert computed >= 64 / 1024 - 0.01
    assert total == pytest.approx(given + computed, abs=0.011)


def test_a_program_is_compiled_once_for_its_memory_and_its_calls(compilations):
    step = functools.partial(jax.jit(lambda frozen, x: x * frozen + 0.125), jnp.float32(2))
    numbers = jnp.arange(11.0)
    assert "GiB" in program_memory(step, numbers)
    told = len(compilations)
    step(numbers)
    assert len(compilations) == told


def scaled(factor, image):
    return factor * image + 0.375


def descend(target, start):
    return Problem(
        gradient_descent(num_steps=4, step_size=0.1), lambda x: ((x - target) ** 2).sum(), start
    )


def test_a_map_tells_the_memory_of_a_batch_once_and_compiles_as_without(compilations, capsys):
    images = np.ones((6, 13, 3), np.float32)
    quiet = map_examples(scaled, 2.0, images, batch_size=2)
    before = len(compilations)
    told = map_examples(scaled, 2.0, images, batch_size=2, progress="scaling")
    assert len(compilations) == before
    np.testing.assert_array_equal(told, quiet)
    lines = re.findall(
        r"scaling: a batch takes \d+\.\d\d GiB .* on each device", capsys.readouterr().err
    )
    assert len(lines) == 1


def test_a_search_tells_the_memory_of_a_batch_once_and_compiles_as_without(compilations, capsys):
    starts = np.ones((6, 7), np.float32)
    quiet = solve(descend, jnp.zeros(7), starts, batch_size=2)
    before = len(compilations)
    told = solve(descend, jnp.zeros(7), starts, batch_size=2, progress="descending")
    assert len(compilations) == before
    np.testing.assert_array_equal(told.solution, quiet.solution)
    lines = re.findall(r"descending: a batch takes \d+\.\d\d GiB", capsys.readouterr().err)
    assert len(lines) == 1


def test_a_callable_that_asks_for_the_values_of_its_arrays_is_told_of_too(capsys):
    def raised(offset, shared, image):
        return image + float(offset)

    held = jax.tree_util.Partial(raised, jnp.float32(3))
    answer = map_examples(held, None, np.ones((2, 5), np.float32), progress="raising")
    np.testing.assert_array_equal(answer, np.full((2, 5), 4))
    assert "raising: a batch takes" in capsys.readouterr().err


def test_times_are_told_in_the_unit_of_their_size():
    assert describe_time(7200) == "about 2.0 h"
    assert describe_time(99) == "about 99 s"


def test_a_stage_is_told_with_its_number_and_a_bar(capsys):
    names = ("images", "training", "page")
    for name in names:
        tell_stage(name, names)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "3 stages: images, training, page"
    assert [line.count("#") for line in lines[1:]] == [0, 6, 13]
    assert lines[2].endswith("stage 2 of 3: training")
    assert describe_stage("page", names, done=0.5).count("#") == 10


def test_the_memory_that_callbacks_keep_is_told_and_belongs_to_the_whole():
    """Of several callbacks it is that of the largest, which is seen inside of a loop too."""

    class Doubled:
        def __call__(self, numbers):
            return 2 * np.asarray(numbers)

        def kept_memory(self, shapes):
            return costs.KeptMemory("doubles", 2**20 * math.prod(shapes[0]))

    def double(numbers):
        shape = jax.ShapeDtypeStruct(numbers.shape, numbers.dtype)
        return buffer_callback(Doubled(), shape, vmap_method="broadcast_all")(numbers)

    @jax.jit
    def step(numbers):
        numbers = jax.lax.fori_loop(0, 3, lambda _, held: double(held), numbers)
        return double(numbers[:8])

    text = program_memory(step, jnp.zeros(512))
    assert text == "0.50 GiB (0.00 for arguments, 0.00 for the computation, 0.50 for doubles)"
    assert "doubles" not in program_memory(jax.jit(jnp.sort), jnp.zeros(512))
