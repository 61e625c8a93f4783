"""Several nodes on this machine, each in namespaces of its own.

What a node has for itself: mounts, host name, IPC, processes, network (a loopback interface and
nothing else), /run, /tmp, /srv, /var/lib, /var/log, /var/tmp, /etc/hostname and /etc/hosts. One
directory is shared by all, at the same path, and stands for the SAN. The rest is the machine's,
/dev above all: there is one set of loop devices, as a rack has one set of disks. A provider has
to tell its node's devices from the others' anyway.

A file that a node opened has a path of its own outside of the node: a loop device on the shared
directory shows ``STATE/nodeK/root/SHARED/...`` to the machine and the other nodes, and
``SHARED/...`` to its own. So it is the kernel that knows which node a loop device belongs to.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.nodes import namespace_supervisor
from extstorage.nodes.machines import MachineNode, SupervisorProcess, start_all
from extstorage.nodes.namespace_root import OWN, Place
from extstorage.nodes.node import NodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

DOMAIN = "example.com"


class NamespaceNode(MachineNode):
    """One of several nodes on this machine; see ``nodes.node.Machine``.

    Attributes:
        root: Where the machine and the other nodes see what this node calls ``/``.
    """

    def __init__(self, place: Place, supervisor: SupervisorProcess) -> None:
        super().__init__(place, supervisor)
        self.root = place.root

    @property
    def pid(self) -> int:
        """The node's first process, as this machine numbers it: ``nsenter -t PID -a -r -w`` enters.

        Raises NodeUnreachable if the node is down.
        """
        self._connected()
        return int(Path(self._place.state, "pid").read_text(encoding="ascii"))


class NamespaceNodes:
    """Nodes node1.example.com and so on, up inside a ``with`` block, which gives their sequence.

    All that they are is gone after the block, and also when this process ends in any other way,
    being killed included: processes, mounts, their loop devices and their files. What they did in
    the shared directory stays.

    Args:
        count: How many.
        shared_directory: What all of them see at this path; it has to exist.

    Raises NodeError if they cannot be started.
    """

    def __init__(self, count: int, shared_directory: str) -> None:
        self._count = count
        self._shared_directory = os.path.realpath(shared_directory)
        self._supervisor: SupervisorProcess | None = None
        self._nodes: tuple[NamespaceNode, ...] = ()

    def __enter__(self) -> Sequence[NamespaceNode]:
        _expect_possible(self._shared_directory)
        self._supervisor = SupervisorProcess(namespace_supervisor.__name__, "nodes")
        try:
            return self._started(self._supervisor)
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End all nodes, and what they were."""
        if self._supervisor is not None:
            self._supervisor.close()
        for node in self._nodes:
            node.hang_up()
        self._nodes = ()

    def _started(self, supervisor: SupervisorProcess) -> Sequence[NamespaceNode]:
        state = supervisor.directory
        places = [
            Place(f"{state}/node{number}", f"node{number}.{DOMAIN}", self._shared_directory)
            for number in range(1, self._count + 1)
        ]
        self._nodes = tuple(NamespaceNode(place, supervisor) for place in places)
        start_all(self._nodes)
        return self._nodes


def _expect_possible(shared_directory: str) -> None:
    if os.geteuid() != 0:
        raise NodeError("namespaces need root: run as root, or use nodes local or ssh:HOST")
    if not Path(shared_directory).is_dir():
        raise NodeError(f"{shared_directory}: expected a directory for the nodes to share")
    for own in OWN:
        if Path(own).is_relative_to(shared_directory):
            raise NodeError(
                f"{shared_directory}: nodes have {own} for themselves: share a directory below"
            )
