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
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage.nodes import spec
from extstorage.nodes.node import NodeError, NodeUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
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
_ASKED_OF_NODES = (
    "run", "read_file", "stat", "look", "is_directory", "make_directory", "copy_directory",
    "facts", "run_python", "kill", "start", "cut_off", "reconnect",
)  # fmt: skip
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

    def start(self) -> None:
        """Boot; see Machine.start."""
        self._ask(self.name, "start")

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
        power = line(directory)
        if power is None:
            power = _boot(directory, nodes_spec)
            booted(_nodes(power))
    with power:
        yield _nodes(power)


def end(directory: Path) -> None:
    """Switch a cluster's nodes off, if they are on."""
    power = line(directory)
    if power is None:
        return
    with power, contextlib.suppress(EOFError, ConnectionError):
        power.send((None, _END, (), {}))
        power.recv()
        power.recv()  # the end of the line: the process has ended


def _nodes(power: Connection) -> Sequence[PoweredNode]:
    lock = threading.Lock()

    def ask(node: str | None, what: str, *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - see Node
        with lock:
            try:
                power.send((node, what, args, kwargs))
                well, answer = power.recv()
            except (EOFError, ConnectionError) as error:
                raise NodeUnreachable(f"{node}: the process that kept it up has ended") from error
        if well:
            return answer
        raise answer

    return [PoweredNode(name, ask) for name in ask(None, _NAMES)]


def _socket(directory: Path) -> Path:
    # A socket's path is short; a cluster's need not be.
    return _SOCKETS / hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]


def line(directory: Path) -> Connection | None:
    """Return a line to a cluster's power process, or None if there is none."""
    try:
        return Client(str(_socket(directory)), "AF_UNIX")
    except (FileNotFoundError, ConnectionError):
        return None


def _boot(directory: Path, nodes_spec: str) -> Connection:
    log = directory / "power.log"
    words = [sys.executable, "-m", "extstorage.cluster.power", str(directory), nodes_spec]
    with log.open("wb") as output:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
    give_up = time.monotonic() + _BOOT_S
    while time.monotonic() < give_up:
        power = line(directory)
        if power is not None:
            # It lives on without us; nobody is to wait for it.
            process.returncode = 0
            return power
        if process.poll() is not None:
            break
        time.sleep(_STEP_S)
    process.kill()
    process.wait()
    said = log.read_text(encoding="utf-8", errors="backslashreplace").strip().splitlines()
    raise NodeError(f"the nodes cannot be started: {said[-1] if said else 'no reason given'}")


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
                    threading.Thread(target=_answer, args=(line, by_name), daemon=True).start()
        finally:
            path.unlink(missing_ok=True)


def _answer(line: Connection, nodes: dict[str, Node]) -> None:
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            name, what, args, kwargs = line.recv()
            if what == _END:
                line.send((True, None))
                os.kill(os.getpid(), signal.SIGTERM)
            elif what == _NAMES:
                line.send((True, list(nodes)))
            elif what in _ASKED_OF_NODES:
                line.send(_outcome(nodes[name], what, args, kwargs))


def _outcome(
    node: Node, what: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[bool, object]:
    try:
        return True, getattr(node, what)(*args, **kwargs)
    except (OSError, NodeError) as error:
        return False, error


def _stopped(_number: int, _frame: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stopped)
    try:
        serve(Path(sys.argv[1]), sys.argv[2])
    except NodeError as failure:
        sys.exit(str(failure))
