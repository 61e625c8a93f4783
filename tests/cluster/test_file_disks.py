"""Instances on file disks: what Ganeti's FileStorage does, and none of a provider's scripts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from extstorage.cluster.location import DIRECTORY
from extstorage.cluster.power import end
from tests.cluster.shell import Shell

MIB = 1 << 20


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> object:
    if os.geteuid() != 0:
        pytest.skip("not root: namespace nodes need root")
    shell = Shell(tmp_path_factory.mktemp("files"))
    shell.do("cluster", "init", "--nodes", "namespaces:2")
    yield shell
    end(shell.directory / DIRECTORY)


@pytest.fixture
def name(shell: Shell, request: pytest.FixtureRequest) -> object:
    """An instance with one file disk of 8 MiB, up on node1, and gone afterwards."""
    name = f"file-{abs(hash(request.node.name)) % 10**9}"
    shell.do(
        "gnt-instance", "add", "-t", "file", "--disk=0:size=8M", "-o", "noop", "-n", "node1", name
    )
    yield name
    if name in shell.do("cluster", "info"):
        shell.do("gnt-instance", "remove", "-f", name)


def path(shell: Shell, name: str) -> Path:
    return Path(shell.device(name))


def test_info_names_the_file(shell: Shell, name: str) -> None:
    found = path(shell, name)

    said = shell.do("gnt-instance", "info", name)

    assert found.parent == shell.shared / ".file-storage" / name
    assert f"logical_id: ['loop', '{found}']\n      on primary: {found} (N/A)\n" in said


def test_a_file_that_is_gone_is_no_device(shell: Shell, name: str) -> None:
    found = path(shell, name)
    found.unlink()

    said = shell.do("gnt-instance", "info", name)
    refused = shell.run("gnt-instance", "activate-disks", name)

    assert "on primary" not in said
    assert f"Error while assembling disk: {found}: No such file" in refused.stdout
    assert refused.returncode == 1


def test_grow_makes_the_file_longer(shell: Shell, name: str) -> None:
    shell.do("gnt-instance", "grow-disk", name, "0", "8M")

    assert path(shell, name).stat().st_size == 16 * MIB
    assert "size 16M" in shell.do("gnt-instance", "info", name)


def test_no_snapshot_is_taken(shell: Shell, name: str) -> None:
    live = shell.refuse(1, "gnt-backup", "export", "-n", "node2", "--noshutdown", name)
    brief = shell.run("gnt-backup", "export", "-n", "node2", name)

    assert "Not all disks could be snapshotted, and you requested a live export; aborting" in live
    assert "did not allow the instance to remain offline" in brief.stderr
    assert "snapshot of disk" not in brief.stdout


def test_an_export_without_snapshots_comes_back(shell: Shell, name: str) -> None:
    path(shell, name).write_bytes(b"exported".ljust(8 * MIB, b"\0"))
    shell.do("gnt-backup", "export", "-n", "node2", "--long-sleep", name)
    shell.do("gnt-instance", "remove", "-f", name)

    shell.do("gnt-backup", "import", "-t", "file", "-n", "node1", "--src-node", "node2", name)

    assert path(shell, name).read_bytes() == b"exported".ljust(8 * MIB, b"\0")


def test_a_new_name_moves_the_file(shell: Shell, name: str) -> None:
    path(shell, name).write_bytes(b"kept".ljust(8 * MIB, b"\0"))
    shell.do("gnt-instance", "shutdown", name)

    done = shell.run("gnt-instance", "rename", name, f"{name}-new")

    moved = path(shell, f"{name}-new")
    assert done.stdout == f"Instance '{name}' renamed to '{name}-new'\n"
    assert done.stderr == ""
    assert moved.parent == shell.shared / ".file-storage" / f"{name}-new"
    assert moved.read_bytes()[:4] == b"kept"
    assert not (moved.parent.parent / name).exists()
    shell.do("gnt-instance", "rename", f"{name}-new", name)


def test_no_script_is_called(shell: Shell, name: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for words in (
        ("shutdown",),
        ("startup",),
        ("reboot", "--type=hard"),
        ("deactivate-disks", "--force"),
        ("activate-disks",),
    ):
        shell.do("gnt-instance", *words, f"--trace={trace}", name)

    records = [json.loads(line) for line in trace.read_text().splitlines()]
    assert [record["rc"] for record in records] == [0] * 5
    assert not [call for record in records for call in record["calls"]]


def test_dry_run_makes_no_file(shell: Shell) -> None:
    options = ("--dry-run", "-t", "file", "--disk=0:size=8M", "-o", "noop", "-n", "node1")

    shell.do("gnt-instance", "add", *options, "planned")

    assert not (shell.shared / ".file-storage" / "planned").exists()
