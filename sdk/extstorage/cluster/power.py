"""The process that keeps a cluster's namespace nodes up between two commands.

What a node has for itself - mappings, /run, processes - lives as long as the process that started
it. So one process per cluster starts the nodes and passes on what commands ask of them, over a
socket that root alone can reach. When it ends, in whatever way, the nodes are off: the next
command boots them again, as after a power cut.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from extstorage.nodes import spec
from extstorage.nodes.node import NodeError, NodeUnreachable
from extstorage.nodes.remote import RemoteNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection

    from extstorage.nodes.node import (
        Command,
        Completed,
        Facts,
        FileStatus,
        Node,
        Search,
        Sight,
    )

_SOCKETS = Path("/run/extstorage")
_BOOT_S = 60.0
_STEP_S = 0.02
_GOODBYE_S = 10.0  # for what a command that leaves has asked for to end
_READ_SIZE = 1 << 16
_STAY = b"S"
_ASKED_OF_NODES = (
    "run", "read_file", "stat", "look", "is_directory", "make_directory", "copy_directory",
    "facts", "run_python", "kill", "cut_off", "reconnect",
)  # fmt: skip
_START = "start"
_KEEP_UP = "keep up"
_NAMES = "names"
_END = "end"


class PoweredNode:
    """A node that the cluster's power process keeps up; see ``nodes.node.Machine``."""

    def __init__(self, name: str, ask: Callable[..., Any]) -> None:
        self.name = name
        self._ask = ask

    def run(self, command: Command) -> Completed:
        """Run a program to its end; see Node.run."""
        answer: Completed = self._ask(self.name, "run", command)
        return answer

    def read_file(self, path: str) -> bytes:
        """Return a file's content. Raises OSError."""
        answer: bytes = self._ask(self.name, "read_file", path)
        return answer

    def stat(self, path: str) -> FileStatus:
        """Return a file's status. Raises OSError."""
        answer: FileStatus = self._ask(self.name, "stat", path)
        return answer

    def look(self, search: Search) -> Sight:
        """Look at a directory's files in one request; see Node.look."""
        answer: Sight = self._ask(self.name, "look", search)
        return answer

    def is_directory(self, path: str) -> bool:
        """Return whether the path leads to a directory."""
        answer: bool = self._ask(self.name, "is_directory", path)
        return answer

    def make_directory(self, path: str, mode: int) -> None:
        """Make a directory and its missing parents."""
        self._ask(self.name, "make_directory", path, mode)

    def copy_directory(self, source: str, target: str) -> None:
        """Copy a directory of this machine to the node; see Node.copy_directory."""
        self._ask(self.name, "copy_directory", source, target)

    def facts(self) -> Facts:
        """Return what the node says of itself."""
        answer: Facts = self._ask(self.name, "facts")
        return answer

    def run_python(
        self, source: str, function: str, *arguments: object, timeout_s: float | None = None
    ) -> Any:  # noqa: ANN401 - whatever JSON can say
        """Call a function of a module on the node; see Node.run_python."""
        return self._ask(self.name, "run_python", source, function, *arguments, timeout_s=timeout_s)

    def kill(self) -> None:
        """Cut the power; see Machine.kill."""
        self._ask(self.name, "kill")

    @contextlib.contextmanager
    def booting(self) -> Iterator[None]:
        """Boot, and stay up if the block comes to its end; see Machine.start.

        If it does not, this process being killed included, the power is cut again.
        """
        self._ask(self.name, _START)
        yield
        self._ask(self.name, _KEEP_UP)

    def cut_off(self) -> None:
        """Cut the network; see Machine.cut_off."""
        self._ask(self.name, "cut_off")

    def reconnect(self) -> None:
        """Undo ``cut_off``; see Machine.reconnect."""
        self._ask(self.name, "reconnect")


@contextlib.contextmanager
def connected(
    directory: Path, nodes_spec: str, booted: Callable[[Sequence[PoweredNode]], None]
) -> Iterator[Sequence[PoweredNode]]:
    """Give a cluster's nodes; boot them first if they are off, and call ``booted``.

    Raises NodeError.
    """
    # Two commands at once must not boot the nodes twice.
    with (directory / "locks" / "power").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = line(directory)
        power = _Power(directory, found) if found else _boot(directory, nodes_spec, booted)
    with power:
        yield power.nodes()


def end(directory: Path) -> None:
    """Switch a cluster's nodes off, if they are on."""
    power = line(directory)
    if power is None:
        return
    with power, contextlib.suppress(EOFError, ConnectionError):
        power.send((None, _END, (), {}))
        power.recv()
        power.recv()  # the end of the line: the process has ended


class _Power:
    """What a command has of the power process: a line, and after an interrupt another one."""

    def __init__(self, directory: Path, line: Connection) -> None:
        self._directory = directory
        self._line: Connection | None = line
        self._has_ended = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if self._line is not None:
            self._line.close() if kind is None else _leave(self._line)

    def nodes(self) -> Sequence[PoweredNode]:
        """Return the nodes."""
        return [PoweredNode(name, self._ask) for name in self._ask(None, _NAMES)]

    def _ask(self, node: str | None, what: str, *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - see Node
        with self._lock:
            # While an answer is due nobody else finds the line: an answer that an interrupt
            # leaves on it would be taken for that to the next question.
            current, self._line = self._line or self._another(), None
            if current is None:
                raise _ended(node)
            try:
                current.send((node, what, args, kwargs))
                well, answer = current.recv()
            except (EOFError, ConnectionError) as error:
                self._has_ended = True
                raise _ended(node) from error
            except BaseException:
                _leave(current)
                raise
            self._line = current
        if well:
            return answer
        raise answer

    def _another(self) -> Connection | None:
        # Never to a process that somebody else has started since: its nodes are not the same.
        return None if self._has_ended else line(self._directory)


def _ended(node: str | None) -> NodeUnreachable:
    return NodeUnreachable(f"{node}: the process that kept it up has ended")


def _leave(line: Connection) -> None:
    """Close a line and wait until nothing goes on any more that was asked for over it."""
    with line, contextlib.suppress(OSError), socket.socket(fileno=os.dup(line.fileno())) as end:
        end.shutdown(socket.SHUT_WR)
        end.settimeout(_GOODBYE_S)
        while end.recv(_READ_SIZE):
            pass


def _socket(directory: Path) -> Path:
    # A socket's path is short; a cluster's need not be.
    return _SOCKETS / hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]


def line(directory: Path) -> Connection | None:
    """Return a line to a cluster's power process, or None if there is none."""
    try:
        return Client(str(_socket(directory)), "AF_UNIX")
    except (FileNotFoundError, ConnectionError):
        return None


def _boot(
    directory: Path, nodes_spec: str, booted: Callable[[Sequence[PoweredNode]], None]
) -> _Power:
    """Start the power process; it ends unless all that belongs to it comes to its end."""
    life, its_end = socket.socketpair()
    process = None
    with life:
        try:
            with its_end:
                process = _start(directory, nodes_spec, its_end)
            power = _Power(directory, _awaited(process, directory))
            booted(power.nodes())
        except BaseException:
            # Whoever comes next, or removes the directory, must not meet it.
            with contextlib.suppress(OSError):
                life.shutdown(socket.SHUT_WR)
                life.recv(1)  # the end of the line: it has ended, also if Popen was interrupted
            if process is not None:
                process.wait()
            raise
        life.send(_STAY)
    # It lives on without us; nobody is to wait for it.
    process.returncode = 0
    return power


def _start(directory: Path, nodes_spec: str, life: socket.socket) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "extstorage.cluster.power", str(directory), nodes_spec]
    with _log(directory).open("wb") as output:
        return subprocess.Popen(
            words,
            stdin=life.fileno(),
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )


def _awaited(process: subprocess.Popen[bytes], directory: Path) -> Connection:
    give_up = time.monotonic() + _BOOT_S
    while time.monotonic() < give_up:
        power = line(directory)
        if power is not None:
            return power
        if process.poll() is not None:
            break
        time.sleep(_STEP_S)
    process.kill()
    process.wait()
    said = _log(directory).read_text(encoding="utf-8", errors="backslashreplace").strip()
    raise NodeError(
        f"the nodes cannot be started: {said.splitlines()[-1] if said else 'no reason given'}"
    )


def _log(directory: Path) -> Path:
    return directory / "power.log"


def serve(directory: Path, nodes_spec: str) -> None:
    """Keep the nodes up until somebody ends this process. Raises NodeError."""
    path = _socket(directory)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    shared = directory / "shared"
    shared.mkdir(exist_ok=True)
    with spec.parse(nodes_spec).nodes(str(shared)) as nodes:
        by_name = {node.name: node for node in nodes}
        try:
            with Listener(str(path), "AF_UNIX", backlog=64) as listener:
                while True:
                    line = listener.accept()
                    threading.Thread(target=_attend, args=(line, by_name), daemon=True).start()
        finally:
            path.unlink(missing_ok=True)


def _attend(line: Connection, nodes: dict[str, Node]) -> None:
    """Answer a command until it leaves; then let nothing go on that it has asked for."""
    worker = threading.Thread(target=_answer, args=(line, nodes), daemon=True)
    worker.start()
    end = select.poll()
    end.register(line.fileno(), select.POLLRDHUP)
    end.poll()
    while worker.is_alive():
        # More than once: what it has read already may not have got to the node yet.
        for node in nodes.values():
            if isinstance(node, RemoteNode):
                node.take_back(worker.ident or 0)
        worker.join(_STEP_S)
    line.close()


def _answer(line: Connection, nodes: dict[str, Node]) -> None:
    bare: set[str] = set()  # what it has booted and not made a whole node yet
    try:
        while True:
            name, what, args, kwargs = line.recv()
            if what == _END:
                line.send((True, None))
                os.kill(os.getpid(), signal.SIGTERM)
            elif what == _NAMES:
                line.send((True, list(nodes)))
            elif what == _START:
                line.send(_started(nodes[name], bare))
            elif what == _KEEP_UP:
                bare.discard(name)
                line.send((True, None))
            elif what in _ASKED_OF_NODES:
                line.send(_outcome(nodes[name], what, args, kwargs))
    except (EOFError, OSError):
        pass  # it has left, perhaps in the middle of a question
    finally:
        for name in bare:
            _outcome(nodes[name], "kill")
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(line.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)


def _started(node: Node, bare: set[str]) -> tuple[bool, object]:
    outcome = _outcome(node, "start")
    if outcome[0]:
        bare.add(node.name)
    return outcome


def _outcome(
    node: Node, what: str, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
) -> tuple[bool, object]:
    try:
        return True, getattr(node, what)(*args, **(kwargs or {}))
    except (OSError, NodeError) as error:
        return False, error


def _stopped(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def _end_with_the_starter() -> None:
    """End this process, as asked, if who started it is gone before the nodes are ready."""
    if os.read(0, len(_STAY)) != _STAY:
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stopped)
    threading.Thread(target=_end_with_the_starter, daemon=True).start()
    try:
        serve(Path(sys.argv[1]), sys.argv[2])
    except NodeError as failure:
        sys.exit(str(failure))
