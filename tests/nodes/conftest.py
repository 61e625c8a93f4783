"""Every kind of node that this machine can have, for tests that hold for all of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from extstorage.nodes import agent
from extstorage.nodes.agent_process import AgentProcess, python_command
from extstorage.nodes.guests import GuestNodes, missing
from extstorage.nodes.local import LocalNode
from extstorage.nodes.namespaces import NamespaceNodes
from extstorage.nodes.remote import RemoteNode
from extstorage.nodes.ssh import SshNodes
from tests.nodes.sshd import Hosts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from extstorage.nodes.guests import GuestNode
    from extstorage.nodes.namespaces import NamespaceNode
    from extstorage.nodes.node import SessionNode

OLDEST = (
    *map(str, Path.home().glob(".pyenv/versions/3.9*/bin/python3")),
    "/usr/bin/python3.9",
    "python3.9",
    "pypy3",
)


class Case(NamedTuple):
    """A node, a directory that it and this process both see, and how long a program needs to begin.

    ``moment_s`` is in seconds, and generous: the machine may be busy.
    """

    node: SessionNode
    directory: Path
    moment_s: float = 0.3


def need_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root for namespaces: run as root")


def need_guests() -> None:
    lacking = missing()
    if lacking:
        pytest.skip(f"needs guests: {lacking}")


def need_sshd() -> None:
    if not Path("/usr/sbin/sshd").exists() or not shutil.which("ssh"):
        pytest.skip("needs sshd and ssh: apt-get install openssh-server openssh-client")


def oldest_python() -> str:
    """Return an interpreter of the level that hosts must have."""
    for name in OLDEST:
        python = shutil.which(name)
        # What pyenv has in PATH for a version that is not chosen is there, but fails.
        if python and subprocess.run([python, "-V"], capture_output=True, check=False).stdout:
            return python
    return pytest.skip("needs an interpreter of level python3.9: apt-get install pypy3")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that all namespace nodes and guests of the session share."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def machines(shared: Path) -> Iterator[Sequence[NamespaceNode]]:
    """Two nodes that tests leave as they find them: up, connected."""
    need_root()
    with NamespaceNodes(2, str(shared)) as nodes:
        yield nodes


@pytest.fixture(scope="session")
def hosts(machines: Sequence[NamespaceNode], shared: Path) -> Hosts:
    """The two nodes as hosts with an SSH daemon."""
    need_sshd()
    return Hosts(machines, shared / "ssh")


@pytest.fixture(scope="session")
def local() -> LocalNode:
    return LocalNode()


@pytest.fixture(scope="session")
def oldest() -> Iterator[RemoteNode]:
    process = AgentProcess(python_command(agent.__name__, oldest_python()))
    yield RemoteNode("oldest", process.connect())
    process.close()


@pytest.fixture(scope="session")
def namespace(machines: Sequence[NamespaceNode]) -> NamespaceNode:
    return machines[0]


@pytest.fixture(scope="session")
def ssh(hosts: Hosts) -> Iterator[RemoteNode]:
    with SshNodes(["host1"], hosts.options) as (node,):
        yield node


@pytest.fixture(scope="session")
def guest(shared: Path) -> Iterator[GuestNode]:
    """A guest that tests leave as they find it: up, connected."""
    need_guests()
    with GuestNodes(1, str(shared)) as (node,):
        yield node


@pytest.fixture(params=["local", "oldest", "namespace", "ssh", "guest"])
def case(request: pytest.FixtureRequest, tmp_path: Path, shared: Path) -> Case:
    """Each kind of node; the tests that use it must pass on all."""
    node = request.getfixturevalue(request.param)
    if request.param in {"local", "oldest"}:
        return Case(node, tmp_path)
    directory = shared / tmp_path.name
    directory.mkdir()
    return Case(node, directory, moment_s=1.5 if request.param == "guest" else 0.3)
