import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.training.selection import Selection, copy_state


def test_a_copy_outlives_the_donation_of_the_original() -> None:
    original = {"w": jnp.arange(4.0), "key": jax.random.key(1), "count": 3}
    copied = copy_state(original)
    original["w"].delete()
    np.testing.assert_array_equal(copied["w"], [0, 1, 2, 3])
    assert copied["count"].dtype == jnp.int32
    assert jnp.issubdtype(copied["key"].dtype, jax.dtypes.prng_key)


def test_the_highest_value_is_kept_and_the_earlier_one_wins_ties() -> None:
    selection = Selection("score", ties="earlier")
    for step, score in enumerate([0.2, 0.7, 0.5, 0.7], start=1):
        selection.consider(step, {"step": jnp.asarray(step)}, {"score": score})
    assert selection.value == 0.7 and selection.best["step"] == 2


def test_the_later_one_wins_ties_where_asked_for_and_never_a_lower_one() -> None:
    selection = Selection("score", ties="later")
    for step, score in enumerate([0.2, 0.7, 0.5, 0.7, 0.6], start=1):
        selection.consider(step, {"step": jnp.asarray(step)}, {"score": score})
    assert selection.value == 0.7 and selection.best["step"] == 4
    with pytest.raises(InputError, match="ties: expected one of 'earlier', 'later', got 'both'"):
        Selection("score", ties="both")


def test_without_a_metric_nothing_is_kept() -> None:
    selection = Selection(None, ties="earlier")
    selection.consider(1, {"w": jnp.zeros(1)}, {"score": 1.0})
    assert selection.best is None and selection.value is None


def test_what_was_kept_before_a_stop_still_counts() -> None:
    selection = Selection("score", ties="earlier")
    selection.resume({"step": jnp.asarray(3)}, 0.9)
    selection.consider(4, {"step": jnp.asarray(4)}, {"score": 0.8})
    assert selection.best["step"] == 3


def test_a_metric_that_is_missing_or_undefined_is_refused() -> None:
    with pytest.raises(InputError, match="select: expected one of accuracy, loss, got 'score'"):
        Selection("score", ties="earlier").consider(1, {}, {"accuracy": 1.0, "loss": 0.0})
    with pytest.raises(
        InputError, match="score is not a number at step 5: nothing can be selected by it"
    ):
        Selection("score", ties="earlier").consider(5, {}, {"score": float("nan")})
