"""Who is alive: silence, told ends, and which process looks at which."""

import jax
import pytest
from shared_store import SharedStore, run_of

from cfx_jax.parallel import end_run, process_group


def beat(store, process, number):
    store.key_value_set(f"cfx/beats/{process}/now", str(number), True)


def reasons(store, process, num_processes, *, silent_from, beats):
    """What a process finds at each of its beats, while another one goes silent."""
    watch = run_of(store, process, num_processes).watch
    found = []
    for number in range(beats):
        for other in range(num_processes):
            if number < silent_from.get(other, beats):
                beat(store, other, number)
        found.append(watch._reason())
    return found


def test_the_first_process_finds_one_that_is_silent_and_tells_the_others():
    store = SharedStore()
    found = reasons(store, 0, 3, silent_from={2: 5}, beats=40)
    first = next(number for number, reason in enumerate(found) if reason)
    assert first == 4 + process_group.SILENCE_S
    assert found[first].startswith("process 2 of 3 has not answered for 30 s")
    assert run_of(store, 1, 3).watch._reason() == found[first]


def test_others_look_at_the_first_process_alone():
    store = SharedStore()
    assert not any(reasons(store, 1, 3, silent_from={2: 5}, beats=40))
    found = reasons(store, 1, 3, silent_from={0: 5}, beats=40)
    assert found[-1].startswith("process 0 of 3 has not answered")


def test_nobody_is_accused_while_all_answer():
    assert not any(reasons(SharedStore(), 0, 4, silent_from={}, beats=100))


def test_a_process_that_fails_says_why():
    store = SharedStore()
    run_of(store, 1, 2).watch.tell("error: a full disk")
    run_of(store, 0, 2).watch.tell("error: later")
    for process in range(2):
        reason = run_of(store, process, 2).watch._reason()
        assert reason == "process 1 of 2 has ended (error: a full disk)"


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
