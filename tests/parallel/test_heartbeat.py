"""Who is alive: silence, told ends, and which process looks at which."""

from shared_store import SharedStore, run_of

from cfx_jax.parallel.heartbeat import SILENCE_S


def beat(store, process, number):
    store.key_value_set(f"cfx/beats/{process}/now", str(number), True)


def reasons(store, process, num_processes, *, silent_from, beats):
    """What a process finds at each of its beats, while another one goes silent."""
    heartbeat = run_of(store, process, num_processes).heartbeat
    found = []
    for number in range(beats):
        for other in range(num_processes):
            if number < silent_from.get(other, beats):
                beat(store, other, number)
        found.append(heartbeat._reason())
    return found


def test_the_first_process_finds_one_that_is_silent_and_tells_the_others():
    store = SharedStore()
    found = reasons(store, 0, 3, silent_from={2: 5}, beats=40)
    first = next(number for number, reason in enumerate(found) if reason)
    assert first == 4 + SILENCE_S
    assert found[first].startswith("process 2 of 3 has not answered for 30 s")
    assert run_of(store, 1, 3).heartbeat._reason() == found[first]


def test_others_look_at_the_first_process_alone():
    store = SharedStore()
    assert not any(reasons(store, 1, 3, silent_from={2: 5}, beats=40))
    found = reasons(store, 1, 3, silent_from={0: 5}, beats=40)
    assert found[-1].startswith("process 0 of 3 has not answered")


def test_nobody_is_accused_while_all_answer():
    assert not any(reasons(SharedStore(), 0, 4, silent_from={}, beats=100))


def test_a_process_that_fails_says_why():
    store = SharedStore()
    run_of(store, 1, 2).heartbeat.tell("error: a full disk")
    run_of(store, 0, 2).heartbeat.tell("error: later")
    for process in range(2):
        reason = run_of(store, process, 2).heartbeat._reason()
        assert reason == "process 1 of 2 has ended (error: a full disk)"
