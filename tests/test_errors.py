"""The message of a mistake of the user's stays one line, wherever it is raised."""

import subprocess
import sys
import traceback

import jax
import jax.numpy as jnp
import pytest

from cfx_jax.errors import InputError
from cfx_jax.objectives import class_score

PROGRAM = """
import jax, jax.numpy as jnp
from cfx_jax.objectives import class_score
score = class_score(lambda image: image.reshape(-1)[:2], 7)
{call}(score)(jnp.zeros((2, 2, 1)))
"""


@pytest.mark.parametrize(
    "transform",
    [jax.jit, jax.grad, jax.vmap, lambda score: jax.jit(jax.vmap(jax.value_and_grad(score)))],
)
def test_an_error_raised_while_jax_traces_is_one_line(transform):
    score = class_score(lambda image: image.reshape(-1)[:2], 7)
    with pytest.raises(InputError, match=r"got 7") as caught:
        transform(score)(jnp.zeros((2, 2, 2, 1) if transform is not jax.grad else (2, 2, 1)))
    last = traceback.format_exception_only(caught.value)
    assert len(last) == 1 and last[0].count("\n") == 1


def test_the_message_is_the_last_line_on_a_terminal():
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(call="jax.jit")], capture_output=True, text=True
    )
    assert run.stderr.strip().splitlines()[-1].startswith("cfx_jax.errors.InputError: target")


def test_notes_of_the_user_stay():
    error = InputError("size: expected 3")
    error.add_note("while the cohort was read")
    assert error.__notes__ == ["while the cohort was read"]
