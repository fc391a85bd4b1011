"""The peak memory of one side of a case, in a process that does nothing else.

python -m benchmarks.peers.alone COMPARISON NUMBER ours|peer FOLDER
"""

import json
import sys
from pathlib import Path

from benchmarks.peers.comparisons import COMPARISONS
from benchmarks.process_cost import memory_in_use, peak_memory_of


def main(comparison: str, number: str, side: str, folder: str) -> None:
    """Prints the peak of the process, what it held before the first call, and what a second call
    takes beyond that, in GiB.

    The peak is that of Linux's status: ``getrusage`` also counts what the parent held.
    """
    case = COMPARISONS[comparison]()[int(number)]
    make = case.make_ours if side == "ours" else case.make_peer
    call = make(Path(folder))
    before = memory_in_use("VmRSS")
    call()
    peak = memory_in_use("VmHWM")  # before the next line, which starts its count anew
    again = peak_memory_of(call)
    print(json.dumps({"process": peak, "before": before, "call": again}))


if __name__ == "__main__":
    main(*sys.argv[1:])
