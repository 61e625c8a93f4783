"""The loopback provider on namespace nodes: the steps of migration and failover.

The host calls it as Ganeti's node daemon does, from a place that only the node has.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from extstorage.contract.releases import release
from extstorage.host.daemon import Host
from extstorage.host.disk import Disk
from extstorage.host.errors import BlockDeviceError
from extstorage.nodes.namespaces import NamespaceNodes
from extstorage.resources import reference_provider
from tests.nodes.conftest import need_root
from tests.nodes.devices import loops

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from extstorage.host.call import Call
    from extstorage.nodes.namespaces import NamespaceNode

SEARCH_PATH = "/srv/ganeti/extstorage"
LOGS = "/var/log/ganeti/extstorage"
BLOCK = """
import os
def write(device, text):
    descriptor = os.open(device, os.O_RDWR)
    os.pwrite(descriptor, text.encode().ljust(512), 4096)
    os.fsync(descriptor)
def read(device):
    return os.pread(os.open(device, os.O_RDONLY), 512, 4096).decode().rstrip()
"""


class Daemon:
    """The provider on one node, called by that node's daemon."""

    def __init__(self, node: NamespaceNode, disk: Disk) -> None:
        self.node = node
        self.disk = disk
        self.host = Host(node, (SEARCH_PATH,), release("3.0"), LOGS)

    def install(self) -> None:
        """Copy the provider to the node."""
        self.node.copy_directory(str(reference_provider("loopback")), f"{SEARCH_PATH}/loopback")

    def call(self, method: str, *, exclusive: bool | None = None) -> Call:
        """Call a script as Ganeti does."""
        provider = self.host.provider("loopback")
        return self.host.call(provider, method, self.disk, exclusive=exclusive)

    def do(self, method: str, *, exclusive: bool | None = None) -> str:
        """Call a script that must succeed; return the device, of attach."""
        call = self.call(method, exclusive=exclusive)
        assert call.succeeded, call.output
        return call.stdout.strip()

    def refuse(self, method: str, *, exclusive: bool | None = None) -> str:
        """Call a script that must fail; return what it says."""
        call = self.call(method, exclusive=exclusive)
        assert call.exit_code == 1
        return call.output

    def write(self, device: str, text: str) -> None:
        self.node.run_python(BLOCK, "write", device, text)

    def read(self, device: str) -> object:
        return self.node.run_python(BLOCK, "read", device)


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """The shared directory."""
    need_root()
    directory = tmp_path / "pool"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture
def pair(pool: Path) -> Iterator[tuple[Daemon, Daemon]]:
    """Two nodes with the provider and a volume of 8 MiB that they share."""
    name = f"{uuid.uuid4()}.ext.disk0"
    disk = Disk(name, str(uuid.uuid4()), size_mib=8, parameters={"directory": str(pool)})
    with NamespaceNodes(2, str(pool)) as nodes:
        first, second = (Daemon(node, disk) for node in nodes)
        first.install()
        second.install()
        first.do("create")
        yield first, second
    assert not loops(str(pool))


def test_a_provider_is_on_the_node_that_it_was_installed_on(pool: Path) -> None:
    with NamespaceNodes(2, str(pool)) as nodes:
        first, second = (Daemon(node, Disk("none", "none")) for node in nodes)
        first.install()
        assert first.host.provider("loopback").path == f"{SEARCH_PATH}/loopback"
        with pytest.raises(BlockDeviceError):
            second.host.provider("loopback")


def test_created_here_attached_there(pair: tuple[Daemon, Daemon]) -> None:
    first, second = pair
    device, other = first.do("attach"), second.do("attach")
    assert device != other
    first.write(device, "data")
    first.do("detach")
    assert second.read(other) == "data"


def test_each_call_has_its_log_on_its_own_node(pair: tuple[Daemon, Daemon]) -> None:
    first, second = pair
    listing = "import os\ndef logs(path): return os.listdir(path)"
    (log,) = first.node.run_python(listing, "logs", LOGS)
    assert log.startswith(f"create-loopback-{first.disk.name}-")
    assert second.node.run_python(listing, "logs", LOGS) == []


def test_open_for_one_node_keeps_the_other_out(pair: tuple[Daemon, Daemon]) -> None:
    first, second = pair
    first.do("attach")
    first.do("open", exclusive=True)
    second.do("attach")
    expected = "node node1.example.com has it open exclusive"
    assert expected in second.refuse("open", exclusive=True)
    assert expected in second.refuse("open", exclusive=False)
    assert "attached on node node1.example.com" in second.refuse("remove")


def test_live_migration(pair: tuple[Daemon, Daemon]) -> None:
    source, target = pair
    device = source.do("attach")
    source.do("open", exclusive=True)
    source.write(device, "before")
    there = target.do("attach")
    target.do("close")
    source.do("open", exclusive=False)
    target.do("open", exclusive=False)
    source.do("close")
    target.do("open", exclusive=True)
    source.do("detach")
    assert target.read(there) == "before"


def test_failover_from_a_node_without_power(pair: tuple[Daemon, Daemon], pool: Path) -> None:
    first, second = pair
    device = first.do("attach")
    first.do("open", exclusive=True)
    first.write(device, "survives")
    assert device in loops(str(pool))
    first.node.kill()
    assert not loops(str(pool))
    there = second.do("attach")
    second.do("open", exclusive=True)
    assert second.read(there) == "survives"


def test_failover_from_a_node_that_is_only_cut_off_is_refused(
    pair: tuple[Daemon, Daemon],
) -> None:
    first, second = pair
    first.do("attach")
    first.do("open", exclusive=True)
    first.node.cut_off()
    second.do("attach")
    assert "has it open exclusive" in second.refuse("open", exclusive=True)
    first.node.kill()
    second.do("open", exclusive=True)


def test_a_node_that_comes_back_holds_nothing(pair: tuple[Daemon, Daemon], pool: Path) -> None:
    first, second = pair
    first.do("attach")
    first.do("open", exclusive=True)
    first.node.kill()
    second.do("attach")
    second.do("open", exclusive=True)
    first.node.start()
    assert len(loops(str(pool))) == 1
    first.do("attach")
    assert "node node2.example.com has it open exclusive" in first.refuse("open", exclusive=True)
    first.do("detach")
    second.do("close")
    second.do("detach")
    first.do("remove")
