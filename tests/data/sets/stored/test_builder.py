import threading
import time

import pytest

from cfx_jax.data.sets.stored.builder import in_order


@pytest.mark.parametrize("number", [0, 1, 3, 20])
def test_results_come_in_the_order_of_the_items(number):
    def slow_first(item):
        time.sleep(0.02 * (item == 0))
        return item**2

    assert list(in_order(slow_first, range(number), num_threads=3)) == [
        item**2 for item in range(number)
    ]


def test_few_results_wait():
    started, lock = [], threading.Lock()

    def note(item):
        with lock:
            started.append(item)

    for taken, _ in enumerate(in_order(note, range(50), num_threads=2)):
        assert len(started) <= taken + 4


def test_error_comes_in_its_turn():
    results = in_order(lambda item: 1 // (3 - item), range(9), num_threads=2)
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
