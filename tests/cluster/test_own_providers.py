"""Providers that one node has by itself: after a boot too."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage.cluster import machines
from extstorage.cluster.location import DIRECTORY
from extstorage.cluster.power import end
from extstorage.cluster.state import State
from tests.cluster.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN = Path(__file__).parents[1] / "providers" / "plain"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    if os.geteuid() != 0:
        pytest.skip("not root: namespace nodes need root")
    shell = Shell(tmp_path)
    shell.do("cluster", "init", "--nodes", "namespaces:2")
    yield shell
    end(shell.directory / DIRECTORY)


def version(shell: Shell, name: str) -> Path:
    """Return a provider that knows one parameter, of that name."""
    directory = shell.directory / name / "plain"
    shutil.copytree(PLAIN, directory)
    (directory / "parameters.list").write_text(f"{name} Which one it is\n")
    return directory


def found(shell: Shell) -> list[str | None]:
    """Return which version each node has, or None."""
    versions: list[str | None] = []
    with machines.connected(State(shell.directory / DIRECTORY)) as nodes:
        for node in nodes:
            try:
                file = node.read_file("/srv/ganeti/extstorage/plain/parameters.list")
            except FileNotFoundError:
                versions.append(None)
            else:
                versions.append(file.split()[0].decode())
    return versions


def test_a_version_of_its_own_survives_a_boot(shell: Shell) -> None:
    shell.do("cluster", "install-provider", str(version(shell, "old")))
    shell.do("cluster", "install-provider", "--node", "node2", str(version(shell, "new")))
    shell.do("cluster", "kill", "node2")
    shell.do("cluster", "boot", "node2")

    assert found(shell) == ["old", "new"]
    shown = shell.do("cluster", "info")
    assert "  - lvm\n  - plain (a copy of its own on node2.example.com)\n" in shown


def test_a_provider_of_one_node_survives_a_power_loss(shell: Shell) -> None:
    shell.do("cluster", "install-provider", "--node", "node2", str(version(shell, "new")))
    end(shell.directory / DIRECTORY)

    assert found(shell) == [None, "new"]
    assert "  - lvm\n  - plain on node2.example.com\n" in shell.do("cluster", "info")


def test_what_all_nodes_get_takes_the_place_of_a_nodes_own(shell: Shell) -> None:
    shell.do("cluster", "install-provider", "--node", "node2", str(version(shell, "old")))
    shell.do("cluster", "install-provider", str(version(shell, "new")))
    end(shell.directory / DIRECTORY)

    assert found(shell) == ["new", "new"]
    assert "  - plain\n" in shell.do("cluster", "info")
