"""What processes agree on: the first decides, differences and waits end in one line."""

import threading
from pathlib import Path

import pytest
from shared_store import SharedStore, run_of

from cfx_jax import parallel
from cfx_jax.errors import InputError
from cfx_jax.parallel import consensus, is_first_process, process_group


@pytest.fixture
def as_process(monkeypatch):
    """Lets the test speak as one process after another of a run of two."""
    store = SharedStore()
    runs = [run_of(store, process, 2) for process in range(2)]

    def become(process):
        monkeypatch.setattr(process_group, "_runs", [runs[process]])

    return become


def test_a_process_that_is_alone_decides_by_itself_and_waits_for_nobody(tmp_path):
    assert parallel.first_decides("anything", [1]) == [1]
    assert parallel.first_then_others("anything", lambda: 3) == 3
    parallel.check_same("anything", {"a": 1})
    parallel.check_same_folder("--work", tmp_path / "new")
    parallel.wait_for_all("anything")
    parallel.wait_for_file(tmp_path / "missing")
    assert is_first_process() and not (tmp_path / "new").exists()


def test_the_value_of_the_first_process_counts(as_process):
    as_process(0)
    assert parallel.first_decides("stored", True)
    as_process(1)
    assert parallel.first_decides("stored", False)


def test_processes_at_different_decisions_stop(as_process):
    as_process(0)
    parallel.first_decides("maps are stored", True)
    as_process(1)
    with pytest.raises(InputError, match="expected process 0 at 'weights are stored', as process"):
        parallel.first_decides("weights are stored", True)


def test_a_process_that_does_not_come_is_waited_for_with_a_limit(as_process):
    as_process(1)
    with pytest.raises(InputError, match="process 1 has waited for process 0 at 'stored' for up"):
        parallel.first_decides("stored", False)
    with pytest.raises(InputError, match="process 1 has waited for all processes at 'the end'"):
        parallel.wait_for_all("the end")


def test_what_the_first_does_by_itself_it_does_first_and_as_one_that_is_alone(as_process):
    done = []

    def make():
        assert is_first_process() and parallel.first_decides("inside", len(done)) == len(done)
        done.append(1)
        return len(done)

    as_process(0)
    assert parallel.first_then_others("data", make) == 1
    as_process(1)
    assert parallel.first_then_others("data", make) == 2
    assert not is_first_process()


def in_two_threads(monkeypatch, check):
    """The messages of two processes of one run, which wait for each other."""
    store, here, messages = _WaitingStore(), threading.local(), {}
    monkeypatch.setattr(consensus, "this_run", lambda: here.run)

    def speak(process):
        here.run = run_of(store, process, 2)
        try:
            check(process)
        except InputError as error:
            messages[process] = str(error)

    threads = [threading.Thread(target=speak, args=(process,)) for process in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return messages


class _WaitingStore(SharedStore):
    def __init__(self):
        super().__init__()
        self._news = threading.Condition()

    def key_value_set(self, *arguments):
        with self._news:
            super().key_value_set(*arguments)
            self._news.notify_all()

    def blocking_key_value_get(self, key, timeout_in_ms):
        with self._news:
            self._news.wait_for(lambda: key in self.values, 30)
            return super().blocking_key_value_get(key, timeout_in_ms)


def test_another_configuration_is_named_in_every_process(monkeypatch):
    def check(process):
        parallel.check_same("the command", {"steps": 4, "seed": process})

    messages = in_two_threads(monkeypatch, check)
    assert messages[0] == messages[1]
    assert messages[0].startswith(
        "the command: expected seed 0 in every process, as in process 0, got 1 in process 1"
    )


def test_a_folder_that_is_not_shared_is_named_in_every_process(monkeypatch, tmp_path):
    monkeypatch.setattr(consensus, "_SHARED_S", 0.2)
    folders = [tmp_path / "a", tmp_path / "b"]
    messages = in_two_threads(
        monkeypatch, lambda process: parallel.check_same_folder("--work", folders[process])
    )
    assert messages[0] == messages[1]
    assert f"{folders[0]} of process 0 is not {folders[1]} of process 1" in messages[0]
    assert not list(folders[0].iterdir())


def test_a_folder_that_is_shared_may_have_two_names(monkeypatch, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    folders: list[Path] = [tmp_path / "a", tmp_path / "b"]
    assert not in_two_threads(
        monkeypatch, lambda process: parallel.check_same_folder("--work", folders[process])
    )


def test_a_file_that_is_never_seen_is_named(as_process, monkeypatch, tmp_path):
    monkeypatch.setattr(consensus, "_SIGHT_S", 0.1)
    as_process(1)
    with pytest.raises(InputError, match=r"arrays.npz, which process 0 has written, got no such"):
        parallel.wait_for_file(tmp_path / "arrays.npz")
