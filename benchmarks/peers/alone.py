"""The peak memory of one side of a case, in a process that does nothing else.

python -m benchmarks.peers.alone COMPARISON NUMBER ours|peer FOLDER
"""

import json
import resource
import sys
from pathlib import Path

from benchmarks.measure import memory_in_use, peak_memory_of
from benchmarks.peers.comparisons import COMPARISONS


def main(comparison: str, number: str, side: str, folder: str) -> None:
    """Prints the peak of the process (``ru_maxrss``), what it held before the first call, and what
    a second call takes beyond that, in GiB.
    """
    case = COMPARISONS[comparison]()[int(number)]
    make = case.make_ours if side == "ours" else case.make_peer
    call = make(Path(folder))
    before = memory_in_use("VmRSS")
    call()
    again = peak_memory_of(call)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"process": peak, "before": before, "call": again}))


if __name__ == "__main__":
    main(*sys.argv[1:])
