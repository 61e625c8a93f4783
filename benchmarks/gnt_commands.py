"""How long Ganeti's commands take here, beside the scripts that they call, and beside Ganeti's own.

Without Debian's package the second half is left out and said to be.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from benchmarks.common import LOOPBACK, report
from tests.ganeti.live import minor_0_taken
from tests.ganeti.real_cluster import DOMAIN, real_cluster

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROUNDS = 15
GANETI_ROUNDS = 5
COMMAND = Path(sys.executable).with_name("extstorage")
# With the bytecode that pip makes of whatever it installs.
ENVIRONMENT = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def rounds(shared: str) -> dict[str, list[str]]:
    """Return what is typed in one round, by what is measured."""
    disk = f"0:size=16M,provider=loopback,directory={shared}"
    return {
        "add": ["add", "-t", "ext", "-n", "node1", "--disk", disk, "vm"],
        "grow-disk": ["grow-disk", "vm", "0", "4M"],
        "migrate": ["migrate", "-f", "-n", "node2", "vm"],
        "remove": ["remove", "-f", "vm"],
    }


class Cluster:
    """A cluster of ours, on namespace nodes, for as long as the with statement lasts."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.shared = f"{directory}/.extstorage-cluster/shared"

    def __enter__(self) -> Self:
        self.run("cluster", "init")
        return self

    def __exit__(self, *_error: object) -> None:
        self.run("cluster", "destroy", "--force")

    def run(self, *words: str) -> float:
        """Type a command; return how many seconds it takes."""
        started = time.perf_counter()
        subprocess.run(
            [COMMAND, *words],
            cwd=self.directory,
            env=ENVIRONMENT,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        return time.perf_counter() - started

    def timed(self, words: Sequence[str]) -> tuple[float, float]:
        """Type a command; return its seconds, and those of all scripts that it called."""
        trace = Path(self.directory, "trace")
        trace.unlink(missing_ok=True)
        seconds = self.run("gnt-instance", words[0], f"--trace={trace}", *words[1:])
        record = json.loads(trace.read_text(encoding="utf-8"))
        return seconds, sum(call["dur"] for call in record["calls"])


def ours() -> dict[str, list[tuple[float, float]]]:
    """Return the seconds of each command, and of its scripts, round for round."""
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory, Cluster(directory) as cluster:
        cluster.run("gnt-instance", "list")  # who prepares commands is up after the first
        time.sleep(2)
        for _ in range(ROUNDS):
            for name, words in rounds(cluster.shared).items():
                found.setdefault(name, []).append(cluster.timed(words))
    return found


def python_s() -> float:
    """Return how many seconds the interpreter takes to start and do nothing."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def show(found: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Print each command's time over that of its scripts."""
    bare = python_s()
    for name, times in found.items():
        ratio = statistics.median(whole / scripts for whole, scripts in times)
        whole = statistics.median(whole for whole, _ in times)
        scripts = statistics.median(scripts for _, scripts in times)
        report(
            f"gnt-instance {name}: command / its scripts",
            ratio,
            limit=1.5,
            detail=f"{whole * 1000:.0f} ms / {scripts * 1000:.0f} ms;"
            f" {bare * 1000:.0f} ms of it Python's start",
        )


def theirs() -> dict[str, list[float]]:
    """Return the seconds of the same commands of a real cluster, with the same provider."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        shared = Path(directory, "shared")
        shared.mkdir()
        with real_cluster(shared, 2) as cluster:
            cluster.install(LOOPBACK)
            for _ in range(GANETI_ROUNDS):
                for name, (command, *words) in rounds(str(shared)).items():
                    extra = ["-o", "noop+default", "-B", "memory=64", "--no-nics"]
                    options = extra if command == "add" else []
                    full = [f"inst1.{DOMAIN}" if word == "vm" else word for word in words]
                    started = time.perf_counter()
                    cluster.do("gnt-instance", command, *options, *full)
                    found.setdefault(name, []).append(time.perf_counter() - started)
    return found


def compare(own: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Print each command's time over that of Ganeti's."""
    for name, times in theirs().items():
        whole = statistics.median(whole for whole, _ in own[name])
        other = statistics.median(times)
        report(
            f"gnt-instance {name}: here / Ganeti's own",
            whole / other,
            limit=0.1,
            detail=f"{whole * 1000:.0f} ms / {other * 1000:.0f} ms",
        )


def main() -> None:
    """Print all ratios."""
    # Ganeti attaches a volume on /dev/loop0 more often than others.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory, minor_0_taken(Path(directory)):
        _measure()


def _measure() -> None:
    found = ours()
    show(found)
    if shutil.which("gnt-cluster"):
        compare(found)
    else:
        print("Ganeti is not installed (Debian packages ganeti, ganeti-3.0): not compared with it")


if __name__ == "__main__":
    main()
