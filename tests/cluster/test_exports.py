"""Exports where this machine does not see what the nodes share: guests with a file server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extstorage.cluster import machines
from extstorage.cluster.location import DIRECTORY
from extstorage.cluster.power import end
from extstorage.cluster.state import State
from extstorage.nodes.guests import missing
from extstorage.nodes.node import Command
from tests.cluster.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator

DISK = "0:size=8M,provider=loopback"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    lacking = missing()
    if lacking:
        pytest.skip(f"needs guests: {lacking}")
    shell = Shell(tmp_path_factory.mktemp("exports"))
    shell.do("cluster", "init", "--nodes", "guests:2,nfs")
    yield shell
    end(shell.directory / DIRECTORY)


@pytest.fixture
def name(shell: Shell) -> Iterator[str]:
    """An instance that is up on node1."""
    shell.do("gnt-instance", "add", "-t", "ext", "--disk", DISK, "-n", "node1", "vm")
    yield "vm"
    shell.run("cluster", "boot", "node2")
    if "vm on" in shell.do("cluster", "info"):
        shell.do("gnt-instance", "remove", "-f", "vm")


def on_node1(shell: Shell, script: str, *words: str) -> bytes:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    with machines.connected(State(shell.directory / DIRECTORY)) as nodes:
        done = nodes[0].run(Command(("sh", "-c", script, "sh", *words), environment, "/"))
    assert done.exit_code == 0, done.stderr
    return done.stdout


def status(shell: Shell, name: str) -> str:
    return shell.do("gnt-instance", "list", "-o", "status", "--no-headers", name).strip()


def test_an_export_comes_back(shell: Shell, name: str) -> None:
    on_node1(shell, 'printf exported | dd of="$1" conv=notrunc,fsync', shell.device(name))
    shell.do("gnt-backup", "export", "-n", "node2", name)
    running = status(shell, name)
    shell.do("gnt-backup", "export", "-n", "node2", name)
    listed = shell.do("gnt-backup", "list")
    shell.do("gnt-instance", "remove", "-f", name)

    said = shell.do("gnt-backup", "import", "-t", "ext", "-n", "node1", "--disk", DISK, name)

    assert running == "running"
    assert "node2.example.com vm" in listed
    assert "Exporting disk/0 from node2.example.com to node1.example.com" in said
    assert "WARNING" not in said
    assert on_node1(shell, 'head -c 8 "$1"', shell.device(name)) == b"exported"
    assert not list(shell.shared.glob(".export/*/*"))  # the file server has it, not this machine
    shell.do("gnt-backup", "remove", name)
    assert "vm" not in shell.do("gnt-backup", "list")


def test_nothing_is_stopped_for_a_node_that_is_not_there(shell: Shell, name: str) -> None:
    shell.do("cluster", "kill", "node2")

    refused = shell.run("gnt-backup", "export", "-n", "node2", name)

    assert refused.returncode == 1
    assert "Could not make a directory for the export on node node2.example.com" in refused.stderr
    assert "Shutting down" not in refused.stdout
    assert status(shell, name) == "running"
