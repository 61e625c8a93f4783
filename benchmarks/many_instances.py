"""How long ``gnt-instance info`` of one instance takes with a thousand others on record."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import interleaved_medians_ms, report
from benchmarks.gnt_commands import Cluster
from extstorage.cluster.model import ClusterDisk, Instance, new_uuid
from extstorage.cluster.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 15
FEW, MANY = 10, 1000


def fill(cluster: Cluster, count: int) -> None:
    """Put instances on record, beside the one that is there."""
    state = State(Path(cluster.directory, ".extstorage-cluster"))
    for number in range(count):
        volume = f"{new_uuid()}.ext.disk0"
        disk = ClusterDisk(new_uuid(), volume, 64, {"provider": "loopback"})
        node = f"node{number % 3 + 1}.example.com"
        state.save_instance(Instance(f"other{number}", new_uuid(), node, disks=[disk]))


def info(cluster: Cluster) -> Callable[[], object]:
    """Return what types the command."""
    return lambda: cluster.run("gnt-instance", "info", "vm")


def main() -> None:
    """Print the ratio."""
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as small,
        tempfile.TemporaryDirectory(dir="/var/tmp") as large,
        Cluster(small) as few,
        Cluster(large) as many,
    ):
        for cluster, count in ((few, FEW), (many, MANY)):
            disk = f"0:size=16M,provider=loopback,directory={cluster.shared}"
            cluster.run("gnt-instance", "add", "-t", "ext", "-n", "node1", "--disk", disk, "vm")
            fill(cluster, count - 1)
        times = interleaved_medians_ms({"few": info(few), "many": info(many)}, ROUNDS)
        for cluster in (few, many):
            cluster.run("gnt-instance", "remove", "-f", "vm")
    report(
        f"gnt-instance info of one of {MANY} instances / of one of {FEW}",
        times["many"] / times["few"],
        limit=2.0,
        detail=f"{times['many']:.0f} ms / {times['few']:.0f} ms",
    )


if __name__ == "__main__":
    main()
