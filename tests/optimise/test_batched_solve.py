"""Batches, an early stop and a plain loop over examples give one result."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import convolutional_classifier, images

from cfx_jax.errors import InputError
from cfx_jax.geometry import lp_ball_in_box
from cfx_jax.objectives import negative_log_probability
from cfx_jax.optimise import Problem, apgd, auto_frank_wolfe, gradient_descent, run, solve

IMAGES = images(5)
SCALE = jnp.asarray(1.5)


@dataclass(frozen=True)
class Raise:
    """Raises class 1 within an lp ball; the shared part scales the logits."""

    p: float = 2
    num_steps: int = 12

    def __call__(self, scale, example):
        constraint = lp_ball_in_box(example, 0.15, self.p)
        make = apgd if self.p == 2 else auto_frank_wolfe
        objective = negative_log_probability(lambda x: scale * convolutional_classifier(x), 1)
        return Problem(make(constraint, num_steps=self.num_steps), objective, example)


@partial(jax.jit, static_argnums=0)
def one_by_one(make_problem, example):
    return run(*make_problem(SCALE, example))


@pytest.mark.parametrize("p", [2, 1.5])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_every_batch_size_equals_a_loop_over_examples(p, batch_size):
    result = solve(Raise(p), SCALE, IMAGES, batch_size=batch_size)
    expected = [one_by_one(Raise(p), image) for image in IMAGES]
    np.testing.assert_allclose(
        result.trace, np.stack([one.trace for one in expected]), rtol=2e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        result.solution, np.stack([one.solution for one in expected]), atol=2e-4
    )


def test_an_early_stop_gives_the_steps_before_it_and_rests():
    full = solve(Raise(), SCALE, IMAGES)
    level = float(np.median(full.trace[:, 3]))
    stopped = solve(Raise(), SCALE, IMAGES, stop_below=level)
    lengths = []
    for trace, whole, value in zip(stopped.trace, full.trace, stopped.value, strict=True):
        reached = np.flatnonzero(np.minimum.accumulate(whole) < level)
        last = reached[0] if len(reached) else len(whole) - 1
        lengths.append(last)
        np.testing.assert_allclose(trace[: last + 1], whole[: last + 1], rtol=2e-4, atol=1e-5)
        np.testing.assert_array_equal(trace[last:], np.full(len(trace) - last, trace[last]))
        np.testing.assert_allclose(value, trace.min(), rtol=1e-6)
    assert min(lengths) < max(lengths), "examples rest at different steps"


def test_a_batch_ends_when_all_its_examples_rest():
    counted = []

    def count(scale, example):
        def objective(x):
            jax.debug.callback(lambda: counted.append(1))
            return scale * (x**2).sum()

        return Problem(gradient_descent(num_steps=50, step_size=0.25), objective, example)

    result = solve(count, jnp.asarray(1.0), np.array([[1.0], [2.0]], np.float32), stop_below=0.3)
    # Each step halves x: 1 and 0.5 squared, and 4, 1 and 0.25.
    np.testing.assert_allclose(result.trace[:, :4], [[1, 0.25, 0.25, 0.25], [4, 1, 0.25, 0.25]])
    jax.effects_barrier()
    assert len(counted) == 3, "at the start and at two steps"


def test_a_start_below_the_bound_needs_no_step():
    problem = Problem(gradient_descent(num_steps=3, step_size=0.25), jnp.sum, jnp.array([2.0]))
    result = run(*problem, stop_below=5.0)
    np.testing.assert_array_equal(result.trace, [2, 2, 2, 2])
    np.testing.assert_array_equal(result.solution, [2])


def test_equal_problems_compile_once():
    traced = []

    def count(shared, example, result):
        traced.append(1)
        return result.value

    for scale in (1.0, 2.0):
        solve(Raise(num_steps=2), jnp.asarray(scale), IMAGES, finish=count)
    assert len(traced) == 1


def test_progress_goes_to_the_terminal_only_when_asked(capsys):
    solve(Raise(num_steps=2), SCALE, IMAGES[:1])
    assert capsys.readouterr().err == ""
    solve(Raise(num_steps=2), SCALE, IMAGES[:1], progress="raising")
    assert "raising" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size: expected an integer of at least 1, got 0"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(InputError, match=message):
        solve(Raise(), SCALE, IMAGES, **options)


def test_no_examples_are_refused():
    with pytest.raises(InputError, match="expected at least one example, got none"):
        solve(Raise(), SCALE, IMAGES[:0])
