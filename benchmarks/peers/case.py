"""One computation in two libraries, and how both are measured."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from cfx_jax.errors import InputError

Call = Callable[[], Any]
"""Computes the result once, anew: arrays of NumPy, or of JAX."""

MakeCall = Callable[[Path], Call]
"""A folder with the weights that both sides share -> the call."""

SIDES = ("ours", "peer")


class Case(NamedTuple):
    """One computation of one size, by this library and by a peer.

    Attributes:
        name: what is computed.
        peer: the other library.
        size: batch, pixels, steps, or what else the cost depends on, by name.
        make_ours, make_peer: import what they need themselves, so that a process which measures the
            memory of one loads nothing of the other.
        difference: of both results, in the unit of ``tolerance``.
        tolerance: the largest difference at which anything is timed.
        is_main: whether memory is measured too, and all pairs are run; else the case shows how the
            cost grows.
    """

    name: str
    peer: str
    size: dict[str, int]
    make_ours: MakeCall
    make_peer: MakeCall
    difference: Callable[[Any, Any], float]
    tolerance: float
    is_main: bool = True


class Pairs(NamedTuple):
    """The times of calls that took turns, in seconds.

    Attributes:
        wall: (pairs, 2) seconds of ours and of the peer's.
        processor: (pairs, 2) seconds of processor time, of all threads.
        first: (2,) of each side's first call, compilation included.
        difference: of the results.
    """

    wall: np.ndarray
    processor: np.ndarray
    first: np.ndarray
    difference: float


def measure(case: Case, folder: Path, *, num_pairs: int) -> Pairs:
    """Compares the results of both sides, then times them in turn; every other pair is reversed.

    Raises:
        InputError: the results differ by more than the case's tolerance.
    """
    calls = {"peer": case.make_peer(folder), "ours": case.make_ours(folder)}
    results, first = {}, {}
    for side, call in calls.items():
        results[side], first[side], _ = timed(call)
    difference = case.difference(results["ours"], results["peer"])
    if not difference <= case.tolerance:
        raise InputError(
            f"{case.name}: expected results within {case.tolerance:g} of {case.peer}'s, got"
            f" {difference:.3g}"
        )
    wall, processor = np.empty((2, num_pairs, 2))
    for number in range(num_pairs):
        for side in SIDES[:: -1 if number % 2 else 1]:
            place = number, SIDES.index(side)
            _, wall[place], processor[place] = timed(calls[side])
    return Pairs(wall, processor, np.array([first[side] for side in SIDES]), difference)


def timed(call: Call) -> tuple[Any, float, float]:
    """The result of a call, its seconds, and its seconds of processor time."""
    start = time.perf_counter(), time.process_time()
    result = jax.block_until_ready(call())
    return result, time.perf_counter() - start[0], time.process_time() - start[1]


def memory_alone(comparison: str, number: int, side: str, folder: Path) -> dict[str, float]:
    """The memory of one side in a process of its own; see ``alone``, which prints it."""
    command = [sys.executable, "-m", "benchmarks.peers.alone", comparison, str(number), side]
    ended = subprocess.run([*command, str(folder)], capture_output=True, text=True)
    if ended.returncode:
        raise InputError(f"{comparison}, {side}, alone: {ended.stderr.strip().splitlines()[-1]}")
    return json.loads(ended.stdout.splitlines()[-1])


def relative_difference(ours: Any, peer: Any) -> float:
    """The largest difference of two arrays, as a share of the peer's largest magnitude."""
    peer = np.asarray(peer)
    return float(np.abs(np.asarray(ours).reshape(peer.shape) - peer).max() / np.abs(peer).max())
