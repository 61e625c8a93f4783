"""Nodes that a process on this machine starts and ends: see supervision.py for that process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from extstorage.nodes import supervision
from extstorage.nodes.agent_process import python_command
from extstorage.nodes.connection import Connection
from extstorage.nodes.node import NodeError, NodeUnreachable
from extstorage.nodes.remote import RemoteNode

if TYPE_CHECKING:
    from collections.abc import Sequence

BASE_DIRECTORY = "/var/tmp"  # noqa: S108 - on disk; the directories made in it are private
_MARK = "in-use"  # a file that is locked as long as anybody is there for the nodes
_BOOT_S = 90.0  # of a busy machine; one that fails to boot says so at once


class Place(Protocol):
    """Where a node is on this machine; the fields are what its holder gets, the state first."""

    @property
    def state(self) -> str:
        """Return the directory of all that the node is, deleted when the run ends."""
        ...

    @property
    def host_name(self) -> str:
        """Return what the node calls itself."""
        ...


class Line(NamedTuple):
    """The descriptors that an agent which is being started will be talked to through."""

    requests: int
    answers: int


class MachineNode(RemoteNode):
    """A node that this program starts and ends; see ``nodes.node.Machine``."""

    def __init__(self, place: Place, supervisor: SupervisorProcess) -> None:
        super().__init__(place.host_name)
        self._place = place
        self._supervisor = supervisor

    def start(self) -> None:
        """Boot; see Machine.start."""
        self.greet(self.begin_start())

    def begin_start(self) -> Line:
        """Begin to boot; return what ``greet`` needs."""
        if self._connection is not None and not self._connection.is_dead:
            raise NodeError(f"{self.name}: it is up: kill it first")
        self.hang_up()
        return self._supervisor.start(self._place)

    def greet(self, line: Line) -> None:
        """Wait until the node is up. Raises NodeError."""
        try:
            connection = Connection(*line, self._without_power, patience_s=_BOOT_S)
        except NodeUnreachable as error:
            raise NodeError(f"{self.name}: {self._why_not_up(str(error))}") from None
        refused = connection.greeting.get("refused")
        if refused:
            self._supervisor.kill(self._place)
            connection.close()
            raise NodeError(f"{self.name}: cannot be started: {refused}")
        self._connection = connection

    def kill(self) -> None:
        """Cut the power; see Machine.kill."""
        trouble = self._supervisor.kill(self._place)
        self.hang_up()
        if trouble:
            raise NodeError(f"{self.name}: {trouble}")

    def cut_off(self) -> None:
        """Cut the network; see Machine.cut_off."""
        self._connected().cut_off()

    def reconnect(self) -> None:
        """Undo ``cut_off``."""
        self._connected().reconnect()

    def hang_up(self) -> None:
        """Forget the connection to a node that is gone or going."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _without_power(self) -> str:
        return "its power was cut"

    def _why_not_up(self, reason: str) -> str:
        return reason


def start_all(nodes: Sequence[MachineNode]) -> None:
    """Boot nodes at the same time. Raises NodeError."""
    lines = [node.begin_start() for node in nodes]
    for node, line in zip(nodes, lines, strict=True):
        node.greet(line)


class SupervisorProcess:
    """The process that starts, ends and outlives the nodes.

    Args:
        module: Its module; ``main`` gets the control socket, this process, the directory.
        kind: What the directory's name tells of the nodes.
        arguments: What else the module's ``main`` gets.

    Attributes:
        directory: Where the nodes' states are; new and empty. The process deletes it at the end.
    """

    def __init__(self, module: str, kind: str, *arguments: str) -> None:
        _sweep()
        self._lock = threading.Lock()
        with contextlib.ExitStack() as undo:
            self.directory = tempfile.mkdtemp(prefix=f"extstorage-{kind}-", dir=BASE_DIRECTORY)
            undo.callback(shutil.rmtree, self.directory, ignore_errors=True)
            self._mark = _mark_in_use(self.directory)
            undo.callback(os.close, self._mark)
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            undo.callback(self._control.close)
            with theirs:
                self._process = self._begun(module, theirs, arguments)
            undo.pop_all()

    def _begun(
        self, module: str, control: socket.socket, arguments: Sequence[str]
    ) -> subprocess.Popen[bytes]:
        ourselves = os.pidfd_open(os.getpid())
        try:
            descriptors = (control.fileno(), ourselves)
            return subprocess.Popen(
                [*python_command(module), *map(str, descriptors), self.directory, *arguments],
                cwd="/",
                # The mark lasts as long as one of us two.
                pass_fds=(*descriptors, self._mark),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        finally:
            os.close(ourselves)

    def start(self, place: Place) -> Line:
        """Begin to boot a node."""
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
        return Line(requests, answers)

    def kill(self, place: Place) -> str:
        """Cut a node's power; return in one line what could not be freed."""
        return self._told(place, {"kill": [place.state]})

    def connect(self, place: Place, *arguments: object) -> str:
        """Change a node's network; return in one line what went wrong."""
        return self._told(place, {"connect": arguments})

    def _told(self, place: Place, order: dict[str, object]) -> str:
        with self._lock, contextlib.suppress(OSError):
            self._control.send(json.dumps(order).encode())
            answer = self._control.recv(supervision.MESSAGE_BYTES)
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
        # Somebody may have killed it, and then it has left its files.
        shutil.rmtree(self.directory, ignore_errors=True)
        if self._mark >= 0:
            os.close(self._mark)
            self._mark = -1


def _mark_in_use(directory: str) -> int:
    """Return a descriptor that marks a directory of nodes as in use as long as it is open."""
    new = Path(directory, f"{_MARK}.new")
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    new.rename(new.with_name(_MARK))
    return descriptor


def _sweep() -> None:
    """Delete the directories of nodes that ended without anybody left to clean up."""
    for mark in Path(BASE_DIRECTORY).glob(f"extstorage-*/{_MARK}"):
        with contextlib.suppress(OSError), mark.open("rb") as file:  # in use, or gone just now
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(mark.parent, ignore_errors=True)
