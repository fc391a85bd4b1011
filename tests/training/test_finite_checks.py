import jax
import jax.numpy as jnp
import pytest
from jax.typing import DTypeLike

from cfx_jax.errors import InputError
from cfx_jax.training.finite_checks import FiniteGuard, MetricsWindow


def _where() -> str:
    return "the last good checkpoint is /w/step_00000040"


def test_window_gives_the_mean_since_the_mean_before() -> None:
    window = MetricsWindow(_where)
    for step, loss in enumerate([1.0, 3.0], start=1):
        window.add(step, {"loss": jnp.float32(loss), "accuracy": jnp.float32(loss / 4)})
    assert window.mean() == {"loss": 2.0, "accuracy": 0.5}
    window.add(3, {"loss": jnp.float32(7.0), "accuracy": jnp.float32(0.0)})
    assert window.mean() == {"loss": 7.0, "accuracy": 0.0}


def test_metrics_are_fetched_one_step_late() -> None:
    window = MetricsWindow(_where)
    window.add(1, {"loss": jnp.float32(1.0)})
    assert window.latest() == {}
    window.add(2, {"loss": jnp.float32(2.0)})
    assert window.latest() == {"loss": 1.0}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite_names_its_step_and_the_last_good_checkpoint(
    value: float,
) -> None:
    message = (
        rf"^the loss of step 41 is {value}: the last good checkpoint is /w/step_00000040; lower the"
        rf" learning rate or"
        r" check the images and labels, and start again in another workdir$"
    )
    window = MetricsWindow(_where)
    window.add(41, {"loss": jnp.float32(value)})
    with pytest.raises(InputError, match=message):
        window.add(42, {"loss": jnp.float32(0.0)})
    window.add(41, {"loss": jnp.float32(value)})
    with pytest.raises(InputError, match=message):
        window.mean()


def test_another_metric_may_be_undefined() -> None:
    window = MetricsWindow(_where)
    window.add(1, {"loss": jnp.float32(1.0), "auc": jnp.float32(jnp.nan)})
    mean = window.mean()
    assert mean["loss"] == 1.0 and mean["auc"] != mean["auc"]


def test_metrics_without_a_loss_are_refused() -> None:
    with pytest.raises(
        InputError, match="step: expected a metric called 'loss', got accuracy, auc: return it"
    ):
        MetricsWindow(_where).add(1, {"accuracy": jnp.zeros(()), "auc": jnp.zeros(())})


def test_guard_passes_finite_states_and_leaves_that_are_no_floats() -> None:
    state = {
        "w": jnp.ones(3),
        "n": jnp.asarray(2),
        "key": jax.random.key(0),
        "flag": jnp.asarray(True),
    }
    FiniteGuard(state, _where).check(3, state)
    FiniteGuard({"n": jnp.asarray(2)}, _where).check(3, {"n": jnp.asarray(2)})


@pytest.mark.parametrize("machine", ["cpu", "gpu"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_guard_names_the_leaf_and_the_step(
    value: float, dtype: DTypeLike, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: machine)
    guard = FiniteGuard({"a": jnp.ones(3), "b": jnp.ones(3, dtype)}, _where)
    with pytest.raises(
        InputError,
        match=r"^\['b'\] is not finite after step 7: the last good checkpoint is /w/step_",
    ):
        guard.check(7, {"a": jnp.ones(3), "b": jnp.array([1.0, value, 1.0], dtype)})


def test_guard_ignores_what_was_infinite_from_the_start() -> None:
    state = {"best_value": jnp.asarray(jnp.inf), "w": jnp.ones(2)}
    FiniteGuard(state, _where).check(1, state)
