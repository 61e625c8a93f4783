"""How much a call of a program costs on a guest over what the program takes there itself.

The program is timed twice on the guest: by this machine through the node, and within the guest.
"""

from __future__ import annotations

import statistics
import time

from benchmarks.common import report
from extstorage.nodes.guests import GuestNodes
from extstorage.nodes.node import Command

ROUNDS = 100
LIMIT_MS = 50.0
_PROGRAM = Command(("/bin/true",), {"PATH": "/usr/bin:/bin"}, "/")


def main() -> None:
    """Print the median overhead, and what the program takes."""
    overheads, inside = [], []
    with GuestNodes(1) as (node,):
        for _ in range(ROUNDS):
            started = time.perf_counter()
            done = node.run(_PROGRAM)
            outside = time.perf_counter() - started
            overheads.append((outside - done.seconds) * 1000)
            inside.append(done.seconds * 1000)
    report(
        "overhead of a call on a guest, ms",
        statistics.median(overheads),
        limit=LIMIT_MS,
        detail=f"median of {ROUNDS}; the program takes {statistics.median(inside):.1f} ms there",
    )


if __name__ == "__main__":
    main()
