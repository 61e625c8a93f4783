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

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.nodes import namespace_supervisor
from extstorage.nodes.agent_process import python_command
from extstorage.nodes.connection import Connection
from extstorage.nodes.namespace_root import OWN, Place
from extstorage.nodes.node import NodeError, NodeUnreachable
from extstorage.nodes.remote import RemoteNode

if TYPE_CHECKING:
    from collections.abc import Sequence

DOMAIN = "example.com"
_BASE_DIRECTORY = "/var/tmp"  # noqa: S108 - on disk; the directory made in it is private
_BOOT_S = 20.0


class NamespaceNode(RemoteNode):
    """One of several nodes on this machine; see ``nodes.node.Machine``."""

    def __init__(self, place: Place, supervisor: _Supervisor) -> None:
        super().__init__(place.host_name)
        self._place = place
        self._supervisor = supervisor

    @property
    def root(self) -> str:
        """Where the machine and the other nodes see what this node calls ``/``."""
        return self._place.root

    @property
    def pid(self) -> int:
        """The node's first process, as this machine numbers it: ``nsenter -arwt PID`` enters.

        Raises NodeUnreachable if the node is down.
        """
        self._connected()
        return int(Path(self._place.state, "pid").read_text(encoding="ascii"))

    def start(self) -> None:
        """Boot; see Machine.start."""
        self.greet(self.begin_start())

    def begin_start(self) -> tuple[int, int]:
        """Begin to boot; return the descriptors of requests and answers for ``greet``."""
        if self._connection is not None and not self._connection.is_dead:
            raise NodeError(f"{self.name}: it is up: kill it first")
        self._hang_up()
        return self._supervisor.start(self._place)

    def greet(self, line: tuple[int, int]) -> None:
        """Wait until the node is up. Raises NodeError."""
        connection = Connection(*line, lambda: "its power was cut", patience_s=_BOOT_S)
        refused = connection.greeting.get("refused")
        if refused:
            connection.close()
            raise NodeError(f"{self.name}: cannot be started: {refused}")
        self._connection = connection

    def kill(self) -> None:
        """Cut the power; see Machine.kill."""
        trouble = self._supervisor.kill(self._place)
        self._hang_up()
        if trouble:
            raise NodeError(f"{self.name}: {trouble}")

    def cut_off(self) -> None:
        """Cut the network; see Machine.cut_off."""
        self._connected().cut_off()

    def reconnect(self) -> None:
        """Undo ``cut_off``."""
        self._connected().reconnect()

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


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
        self._supervisor: _Supervisor | None = None
        self._nodes: tuple[NamespaceNode, ...] = ()

    def __enter__(self) -> Sequence[NamespaceNode]:
        _expect_possible(self._shared_directory)
        state = tempfile.mkdtemp(prefix="extstorage-nodes-", dir=_BASE_DIRECTORY)
        self._supervisor = _Supervisor(state)
        try:
            return self._started(state)
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
            node._hang_up()  # noqa: SLF001 - of this module
        self._nodes = ()

    def _started(self, state: str) -> Sequence[NamespaceNode]:
        assert self._supervisor is not None  # noqa: S101 - just made
        names = [f"node{number}" for number in range(1, self._count + 1)]
        places = [
            Place(f"{state}/{name}", f"{name}.{DOMAIN}", self._shared_directory) for name in names
        ]
        self._nodes = tuple(NamespaceNode(place, self._supervisor) for place in places)
        lines = [node.begin_start() for node in self._nodes]
        for node, line in zip(self._nodes, lines, strict=True):
            node.greet(line)
        return self._nodes


class _Supervisor:
    """The process that starts, ends and outlives the nodes; see namespace_supervisor.py."""

    def __init__(self, state: str) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ourselves = os.pidfd_open(os.getpid())
        try:
            descriptors = (theirs.fileno(), ourselves)
            self._process = subprocess.Popen(
                [*python_command(namespace_supervisor.__name__), *map(str, descriptors)],
                cwd="/",
                pass_fds=descriptors,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        except BaseException:
            self._control.close()
            Path(state).rmdir()
            raise
        finally:
            theirs.close()
            os.close(ourselves)

    def start(self, place: Place) -> tuple[int, int]:
        """Begin to boot a node; return the descriptors of its requests and answers."""
        requests_reader, requests = os.pipe()
        answers, answers_writer = os.pipe()
        message = json.dumps({"start": place}).encode()
        try:
            with self._lock:
                socket.send_fds(self._control, [message], [requests_reader, answers_writer])
        except OSError:
            os.close(requests)
            os.close(answers)
            raise self._ended(place) from None
        finally:
            os.close(requests_reader)
            os.close(answers_writer)
        return requests, answers

    def kill(self, place: Place) -> str:
        """Cut a node's power; return in one line what could not be freed."""
        with self._lock, contextlib.suppress(OSError):
            self._control.send(json.dumps({"kill": [place.state]}).encode())
            answer = self._control.recv(namespace_supervisor.MESSAGE_BYTES)
            if answer:
                return str(json.loads(answer)["trouble"])
        raise self._ended(place)

    @staticmethod
    def _ended(place: Place) -> NodeUnreachable:
        return NodeUnreachable(f"{place.host_name}: what supervises the nodes has ended")

    def close(self) -> None:
        """Let it end all nodes and delete their files, and wait for that."""
        with contextlib.suppress(OSError):  # it may have ended
            # Closing is not enough where a forked child of this process has the socket as well.
            self._control.shutdown(socket.SHUT_RDWR)
        self._control.close()
        self._process.wait()


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
