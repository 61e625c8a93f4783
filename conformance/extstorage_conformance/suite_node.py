"""One node of a run: the node daemon on it, the provider, its devices, its inventory."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from extstorage.host.errors import BlockDeviceError
from extstorage.nodes.bundle import bundled
from extstorage.nodes.local import LocalNode
from extstorage.nodes.namespaces import NamespaceNode
from extstorage.nodes.node import Command
from extstorage_conformance import stamps
from extstorage_conformance.devices import Devices
from extstorage_conformance.inventory import Look
from extstorage_conformance.node_side import (
    block,
    devices,
    files,
    found,
    guard,
    kernel,
    limits,
    mounts,
    processes,
    side,
    streams,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from extstorage.host.daemon import Host
    from extstorage.host.provider import Provider
    from extstorage.nodes.node import Completed, Machine, PythonSession, SessionNode

_MODULES = (
    *(stamps, found, kernel, block, files, mounts, processes, guard, limits, devices, streams),
    side,
)
_FUNCTIONS = """
_side = None
def start(before):
    global _side
    _side = side.NodeSide(before)
def ask(method, *arguments):
    return _side.answer(method, *arguments)
"""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class SuiteNode:
    """A node as checks see it.

    Attributes:
        node: The machine.
        name: Its name.
        host: Ganeti's node daemon on it; set when the provider is there.
        provider_name: The name that the daemon finds the provider by.
        devices: Its block devices.
        is_up: Whether its power is on and it can be reached.
        installed: A digest of each file that the node has where the provider is on this machine;
            empty where nothing is. If they differ from the provider's, a copy of that is used.
    """

    host: Host
    provider_name: str

    def __init__(self, node: SessionNode) -> None:
        self.node = node
        self.name = node.name
        self.devices = Devices(self.ask)
        self.is_up = True
        self.installed: dict[str, str] = {}
        self._here = side.NodeSide() if isinstance(node, LocalNode) else None
        self._session: PythonSession | None = None
        self._guarded: list[str] | None = None

    def ask(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever JSON can say
        """Call a method of the node's side; raises OSError as it does, NodeError."""
        if self._here is not None:
            return self._here.answer(method, *arguments)
        if self._session is None:
            self._session = self._started()
        return self._session.call("ask", method, *arguments)

    def _started(self) -> PythonSession:
        session = self.node.python_session(bundled(*_MODULES) + _FUNCTIONS)
        # What was there before the run stays untouchable after a boot of the node.
        session.call("start", self._guarded)
        if self._guarded is None:
            self._guarded = session.call("ask", "guarded")
        return session

    def close(self) -> None:
        """End what works for us on the node."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def with_provider(self, host: Host, name: str) -> SuiteNode:
        """Return the same node with another node daemon, that has a provider ``name``."""
        twin = copy.copy(self)
        twin.host = host
        twin.provider_name = name
        return twin

    def provider(self) -> Provider | BlockDeviceError | UnicodeDecodeError:
        """Return the provider as Ganeti loads it, or Ganeti's reason why it is invalid."""
        try:
            return self.host.provider(self.provider_name)
        except (BlockDeviceError, UnicodeDecodeError) as error:
            return error

    def shell(self, command: str, directory: str, variables: Mapping[str, str]) -> Completed:
        """Run a command under /bin/sh, with a plain environment and ``variables``."""
        environment = {"PATH": _PATH, "HOME": "/root", "LC_ALL": "C", **variables}
        return self.node.run(Command(("/bin/sh", "-c", command), environment, directory))

    @property
    def has_power_switch(self) -> bool:
        """Whether ``kill`` and ``start`` are ours to call."""
        return hasattr(self.node, "kill")

    def kill(self) -> None:
        """Cut the node's power; see ``nodes.node.Machine``. Raises NodeError."""
        self.is_up = False
        self._session = None
        self._machine.kill()

    def start(self) -> None:
        """Boot the node. Raises NodeError."""
        self._machine.start()
        self.is_up = True

    def cut_off(self) -> None:
        """Cut the node's network."""
        self._machine.cut_off()
        self.is_up = False

    def reconnect(self) -> None:
        """Undo ``cut_off``."""
        self._machine.reconnect()
        self.is_up = True

    @property
    def _machine(self) -> Machine:
        return cast("Machine", self.node)


def looks(nodes: tuple[SuiteNode, ...], *, named: bool) -> list[Look]:
    """Return how to look at each of these nodes; ``named``: items tell where they are."""
    roots = {node: _root(node) for node in nodes}
    return [
        Look(
            node.ask,
            node.name if named else "",
            "this machine" if roots[node] else node.name,
            tuple(root for other, root in roots.items() if root and other is not node),
        )
        for node in nodes
    ]


def _root(node: SuiteNode) -> str:
    """Return where this machine sees the root of a namespace node; ``""`` for any other node."""
    return f"{node.node.root}/" if isinstance(node.node, NamespaceNode) else ""
