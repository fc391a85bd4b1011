"""The host loop, the compiled scan and a plain loop over examples give one result."""

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
from cfx_jax.optimise import Problem, apgd, auto_frank_wolfe, drive, run, solve

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
@pytest.mark.parametrize("loop", ["host", "scan"])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_every_loop_and_batch_size_equals_a_loop_over_examples(p, loop, batch_size):
    result = solve(Raise(p), SCALE, IMAGES, loop=loop, batch_size=batch_size)
    expected = [one_by_one(Raise(p), image) for image in IMAGES]
    np.testing.assert_allclose(
        result.trace, np.stack([one.trace for one in expected]), rtol=2e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        result.solution, np.stack([one.solution for one in expected]), atol=2e-4
    )


def test_an_early_stop_gives_the_same_result_in_both_loops_and_rests_where_reached():
    full = solve(Raise(), SCALE, IMAGES, loop="host")
    level = float(np.median(full.trace[:, 3]))
    by_host = solve(Raise(), SCALE, IMAGES, loop="host", stop_below=level)
    by_scan = solve(Raise(), SCALE, IMAGES, loop="scan", stop_below=level)
    np.testing.assert_allclose(by_host.trace, by_scan.trace, rtol=2e-4, atol=1e-5)
    # Where a search has converged, rounding decides which step counts as an improvement: values
    # agree better than points.
    np.testing.assert_allclose(by_host.solution, by_scan.solution, atol=5e-3)
    for trace, whole in zip(by_host.trace, full.trace, strict=True):
        reached = np.flatnonzero(np.minimum.accumulate(whole) < level)
        last = reached[0] if len(reached) else len(whole) - 1
        np.testing.assert_allclose(trace[: last + 1], whole[: last + 1], rtol=2e-4, atol=1e-5)
        np.testing.assert_allclose(trace[last:], np.full(len(trace) - last, trace[last]), rtol=2e-4)


def test_equal_problems_compile_once():
    traced = []

    def count(shared, example, result):
        traced.append(1)
        return result.value

    for scale in (1.0, 2.0):
        drive(Raise(num_steps=2), jnp.asarray(scale), IMAGES, finish=count)
    assert len(traced) == 1


def test_progress_goes_to_the_terminal_only_when_asked(capsys):
    drive(Raise(num_steps=2), SCALE, IMAGES[:1])
    assert capsys.readouterr().err == ""
    drive(Raise(num_steps=2), SCALE, IMAGES[:1], progress="raising")
    assert "raising" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loop": "fast"}, "loop: expected one of 'auto', 'host', 'scan', got 'fast'"),
        ({"batch_size": 0}, "batch_size: expected an integer of at least 1, got 0"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(InputError, match=message):
        solve(Raise(), SCALE, IMAGES, **options)


def test_no_examples_are_refused():
    with pytest.raises(InputError, match="expected at least one example, got none"):
        solve(Raise(), SCALE, IMAGES[:0])
