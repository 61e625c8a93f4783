"""How much attach and detach of the LVM provider cost over the bare lvchange that they must run.

In a guest, with the group and the area on a disk that it could share. The calls take turns, and the
guest's own clock counts, so neither the line to the guest nor a busy machine favours one side.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.common import report
from tests.reference_providers.lvm import GROUP, LVM, PATH, guests, new_volume

ROUNDS = 8

_MEASURE = """
import os, statistics, subprocess, time

def measure(provider, group, volume, rounds, path):
    environment = {
        "PATH": path, "LC_ALL": "C", "DM_DISABLE_UDEV": "1",
        "EXTP_GROUP": group, "VOL_NAME": volume,
    }
    change = ["lvchange", "--yes"]
    calls = {
        "lvchange -asy": [*change, "-asy", group + "/" + volume + "+lvm"],
        "lvchange -an": [*change, "-an", group + "/" + volume + "+lvm"],
        "attach": [provider + "/attach"],
        "detach": [provider + "/detach"],
        "python": ["/usr/bin/python3", "-I", "-S", "-c", "pass"],
    }
    order = ["lvchange -asy", "lvchange -an", "attach", "detach", "python"]
    seconds = {name: [] for name in order}
    for _ in range(rounds):
        for name in order:
            began = time.perf_counter()
            subprocess.run(calls[name], env=environment, cwd=provider, check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    return {name: 1000 * statistics.median(each) for name, each in seconds.items()}
"""


def main() -> None:
    """Print the medians and their ratios."""
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as directory,
        guests(1, Path(directory)) as (node,),
    ):
        volume = new_volume()
        node.do("create", volume, VOL_SIZE="8")
        node.do("attach", volume)
        node.do("detach", volume)
        medians = node.guest.run_python(_MEASURE, "measure", str(LVM), GROUP, volume, ROUNDS, PATH)
    start = medians["python"]
    for method, bare in (("attach", "lvchange -asy"), ("detach", "lvchange -an")):
        report(
            f"{method} of the LVM provider / bare {bare}",
            medians[method] / medians[bare],
            limit=1.2,
            detail=f"{medians[method]:.0f} ms / {medians[bare]:.0f} ms, median of {ROUNDS};"
            f" a bare start of Python: {start:.0f} ms",
        )


if __name__ == "__main__":
    main()
