"""The same commands at a real cluster and at ours: the same calls, words and states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ganeti.live import Ours, Real
from tests.ganeti.scenarios import MORE, SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ganeti.live import Outcome, Side
    from tests.ganeti.real_cluster import RealCluster


@pytest.fixture(scope="session")
def real(cluster: RealCluster, directory: Path) -> Real:
    return Real(cluster, directory / "providers")


@pytest.fixture(scope="session")
def ours(directory: Path) -> Iterator[Ours]:
    (directory / "ours").mkdir()
    ours = Ours(directory / "ours")
    yield ours
    ours.close()


def _carried_out(side: Side, commands: list[str]) -> list[tuple[str, Outcome]]:
    found = []
    for command in commands:
        if command.split()[0] == "FAULTS":
            faults = command.removeprefix("FAULTS").split(",")
            side.tracing.set_faults(*[fault.strip() for fault in faults])
        else:
            found.append((command, side.outcome(command)))
    return found


def _check(real: Real, ours: Ours, commands: list[str]) -> None:
    expected = _carried_out(real, commands)
    found = _carried_out(ours, commands)
    for (command, theirs), (_command, own) in zip(expected, found, strict=True):
        assert own.calls_beside(theirs) == theirs.calls_beside(own), command
        assert own.output == theirs.output, command
        assert own.status == theirs.status, command
        assert own.state == theirs.state, command
    assert own.state == "", "the scenario leaves something to the next one"


@pytest.mark.parametrize("name", SCENARIOS)
def test_representative(real: Real, ours: Ours, name: str) -> None:
    _check(real, ours, SCENARIOS[name])


@pytest.mark.whole
@pytest.mark.parametrize("name", MORE)
def test_more(real: Real, ours: Ours, name: str) -> None:
    _check(real, ours, MORE[name])


def _device(cluster: RealCluster) -> str:
    return cluster.do("gnt-instance", "activate-disks", DATA).splitlines()[-1].rpartition(":")[2]


def _write(cluster: RealCluster, number: int, text: str) -> None:
    script = 'printf %s "$1" | dd of="$2" conv=notrunc,fsync status=none'
    done = cluster.on(number, "sh", "-c", script, "sh", text, _device(cluster))
    assert done.exit_code == 0, done.output


def _read(cluster: RealCluster, number: int) -> str:
    done = cluster.on(number, "head", "-c", "16", _device(cluster))
    return done.output[done.output_from :].rstrip(b"\0").decode()


DATA = "inst30.example.com"


@pytest.mark.whole
def test_data_follow_an_instance_of_the_real_cluster(real: Real, cluster: RealCluster) -> None:
    """The loopback provider under Ganeti itself: written on one node, read on the next."""
    parameters = f"provider=loopback,directory={real.shared}"
    cluster.do(
        "gnt-instance", "add", "-t", "ext", "-o", "noop+default", "-B", "memory=64", "--no-nics",
        "-n", "node1", f"--disk=0:size=8M,{parameters}", DATA,
    )  # fmt: skip
    _write(cluster, 0, "written on node1")

    cluster.do("gnt-instance", "migrate", "-f", "-n", "node2", DATA)
    assert _read(cluster, 1) == "written on node1"
    cluster.do("gnt-instance", "grow-disk", DATA, "0", "8M")
    _write(cluster, 1, "written on node2")
    cluster.do("gnt-instance", "failover", "-f", "-n", "node3", DATA)
    assert _read(cluster, 2) == "written on node2"
    size = cluster.on(2, "blockdev", "--getsize64", _device(cluster))
    assert int(size.output[size.output_from :]) == 16 << 20

    cluster.do("gnt-backup", "export", "-n", "node2", "--noshutdown", DATA)
    _write(cluster, 2, "after the export")
    cluster.do("gnt-instance", "remove", "-f", DATA)
    volumes = [path.name for path in real.shared.glob("*.ext.disk0*")]
    assert volumes == []
    disk = f"--disk=0:size=16M,{parameters}"
    cluster.do(
        "gnt-backup", "import", "-t", "ext", "-n", "node1", "--no-nics", "--src-node=node2", disk,
        DATA,
    )  # fmt: skip
    assert _read(cluster, 0) == "written on node2"
    cluster.do("gnt-instance", "remove", "-f", DATA)
    assert [path.name for path in real.shared.glob("*.ext.disk0*")] == []
