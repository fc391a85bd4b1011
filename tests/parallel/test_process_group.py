"""The end of a process that is alone or in a run, and the wait for the verdict on another one."""

import jax
import pytest
from shared_store import SharedStore, run_of

from cfx_jax.parallel import end_run, process_group


def test_an_end_of_a_process_that_is_alone_is_its_own(monkeypatch):
    monkeypatch.setattr(process_group, "_runs", [])
    with pytest.raises(SystemExit) as end:
        end_run(2, "error")
    assert end.value.code == 2


def test_an_error_that_no_lost_process_causes_is_not_waited_for(monkeypatch):
    waited = []
    monkeypatch.setattr(process_group, "_runs", [run_of(SharedStore(), 0, 2)])
    monkeypatch.setattr(process_group.time, "sleep", waited.append)
    process_group.wait_for_verdict(ValueError("a shape"))
    assert not waited
    process_group.wait_for_verdict(jax.errors.JaxRuntimeError("Gloo all-reduce failed"))
    assert waited == [process_group.SILENCE_S + 10]
