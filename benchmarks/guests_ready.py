"""How long two guests take from nothing to their first answer, and what memory they take."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from benchmarks.common import report
from extstorage.nodes.guests import GuestNodes

ROUNDS = 7
LIMIT_S = 5.0


def main() -> None:
    """Print the median."""
    times, memory = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        guests = GuestNodes(2, disk_bytes=(1 << 30,))
        with guests:
            times.append(time.perf_counter() - started)
            memory.append(_resident_mib(Path(guests.disks[0].file).parent))
    report(
        "two guests ready, seconds",
        statistics.median(times),
        limit=LIMIT_S,
        detail=f"median of {ROUNDS}, at most {max(times):.2f};"
        f" {statistics.median(memory):.0f} MiB resident each",
    )


def _resident_mib(state: Path) -> float:
    """Return what the largest process of a guest holds in memory: the others share it."""
    largest = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{state}/".encode() in (process / "cmdline").read_bytes():
                lines = (process / "status").read_text(encoding="ascii").splitlines()
                sizes = [int(line.split()[1]) for line in lines if line.startswith("VmRSS:")]
                largest = max([largest, *sizes])
        except OSError:
            continue
    return largest / 1024


if __name__ == "__main__":
    main()
