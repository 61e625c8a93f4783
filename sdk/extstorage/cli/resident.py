"""A process that has everything imported, and carries out the commands of one cluster.

It belongs to a cluster whose nodes are kept up by a process anyway (``cluster/power.py``) and ends
with that one, when its code has changed, or when nothing has come for a while. It never knows more
than a process that a command has for itself: for each it forks a child that has the command's
working directory, environment, umask and standard descriptors, and what the child learns is gone
with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import marshal
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from extstorage.cli import command, errors, handover
from extstorage.cluster import location, power
from extstorage.nodes.jobs import close_all_but

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_IDLE_S = 1800.0
_SAY_S = 5.0  # a client that connects says at once what it wants
_LOCK = "resident"
_READ_SIZE = 1 << 16
_INTERRUPTED = 128


def start(directory: Path) -> None:
    """Start the process for a cluster whose nodes are up, if there is none; do not wait for it."""
    if os.environ.get(handover.VARIABLE) == "no" or _is_there(directory):
        return
    with open(os.devnull, "r+b") as null:  # noqa: PTH123 - no path of ours
        process = subprocess.Popen(
            [sys.executable, "-m", "extstorage.cli.resident", str(directory)],
            stdin=null,
            stdout=null,
            stderr=null,
            cwd="/",
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
    process.returncode = 0  # it lives on without us; nobody is to wait for it


def _is_there(directory: Path) -> bool:
    try:
        with _only_one(directory):
            return False
    except BlockingIOError:
        return True


@contextlib.contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Be the only one for a cluster. Raises BlockingIOError if there is one."""
    with (directory / "locks" / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


class Resident:
    """Takes commands until the line to the power process closes."""

    def __init__(self, directory: Path, power_line: int) -> None:
        self._power = power_line
        self._code = {path: _changed(path) for path in _own_files()}
        self._children: dict[int, socket.socket] = {}  # by process
        self._wakeup, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._listener: socket.socket | None = _listener(directory)

    def serve(self) -> None:
        """Serve until there is reason to end; then until all children have ended."""
        while self._listener is not None or self._children:
            ready = self._ready()
            if self._wakeup in ready:
                os.read(self._wakeup, _READ_SIZE)
                self._collect()
            for pid, line in list(self._children.items()):
                if line.fileno() in ready:
                    self._pass_on(pid, line)
            if self._listener is not None and self._listener.fileno() in ready:
                self._accept(self._listener)
            if not ready or self._power in ready:
                self._close()

    def _ready(self) -> list[int]:
        waiting = [self._wakeup, *(line.fileno() for line in self._children.values())]
        if self._listener is not None:
            waiting += [self._listener.fileno(), self._power]
        idle = _IDLE_S if self._listener is not None and not self._children else None
        return select.select(waiting, [], [], idle)[0]

    def _close(self) -> None:
        """Take no more commands; the socket's file stays for the next one to replace."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        line, _address = listener.accept()
        try:
            request, standard = _request(line)
        except (OSError, ValueError, EOFError, TypeError):
            line.close()
            return
        if request[0] != handover.kind() or self._is_stale():
            # Before the answer: who is told to carry on alone starts another one of this process.
            self._close()
        else:
            self._fork(line, request[1:], standard)
        for descriptor in standard:
            os.close(descriptor)
        if self._listener is None:
            line.close()

    def _is_stale(self) -> bool:
        return any(_changed(path) != moment for path, moment in self._code.items())

    def _fork(self, line: socket.socket, request: Sequence[Any], standard: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            _be_command(request, standard, line)
        self._children[pid] = line
        with contextlib.suppress(OSError):
            line.send(handover.TAKEN)

    def _pass_on(self, pid: int, line: socket.socket) -> None:
        """Interrupt a command whose user does that; end one whose user is gone."""
        try:
            said = line.recv(1)
        except OSError:
            said = b""
        if pid in self._children:
            os.kill(pid, signal.SIGINT if said else signal.SIGKILL)
            if not said:
                os.waitpid(pid, 0)
                self._children.pop(pid).close()

    def _collect(self) -> None:
        # A command that came to its end has told its status; whose user does not wait any more.
        for pid in list(self._children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                with self._children.pop(pid) as line, contextlib.suppress(OSError):
                    line.send(bytes([code if code >= 0 else _INTERRUPTED - code]))


def _listener(directory: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.umask(0o077)  # who may write to the socket's file may connect
    place = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        (directory / location.RESIDENT).unlink(missing_ok=True)
        listener.bind(f"/proc/self/fd/{place}/{location.RESIDENT}")
    finally:
        os.close(place)
    listener.listen(64)
    return listener


def _request(line: socket.socket) -> tuple[tuple[Any, ...], list[int]]:
    """Return what a client wants: its kind, directory, umask, words, environment; its files."""
    line.settimeout(_SAY_S)
    data, standard, _flags, _address = socket.recv_fds(line, _READ_SIZE, 3)
    while len(data) < handover.LENGTH_BYTES or len(data) < _whole(data):
        more = line.recv(_READ_SIZE)
        if not more:
            raise EOFError("the client is gone")
        data += more
    line.settimeout(None)
    return marshal.loads(data[handover.LENGTH_BYTES :]), standard  # noqa: S302 - root's socket


def _whole(data: bytes) -> int:
    length = int.from_bytes(data[: handover.LENGTH_BYTES], "big")
    return handover.LENGTH_BYTES + length


def _own_files() -> list[str]:
    """Return the files that this program's code has come from."""
    modules = [module for name, module in sys.modules.items() if name.startswith("extstorage")]
    return [str(module.__file__) for module in modules if getattr(module, "__file__", None)]


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - a hundred of them for each command
    except OSError:
        return 0


def _be_command(request: Sequence[Any], standard: list[int], line: socket.socket) -> NoReturn:
    """Be the process that the user would have started; tell its exit status oneself.

    The kernel takes as long to do away with a process as with some scripts.
    """
    status = errors.FAILED
    try:
        status = _carried_out(request, standard, line)
    except KeyboardInterrupt:
        status = errors.interrupted()
    except BaseException:  # noqa: BLE001 - it ends here, as it would in a process of its own
        traceback.print_exc()
    finally:
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            for file in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError):
                    file.flush()
            with contextlib.suppress(OSError):
                line.send(bytes([status]))
        finally:
            os._exit(status)


def _carried_out(request: Sequence[Any], standard: list[int], line: socket.socket) -> int:
    directory, umask, argv, environment = request
    gc.disable()  # a command is short, and a collection writes to every object
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
    close_all_but({0, 1, 2, line.fileno()})
    _take_environment(environment)
    os.chdir(directory)
    os.umask(umask)
    _open_standard_files()
    # An interrupt that has come since the fork has waited for this.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return command.run(argv)


def _take_environment(wanted: Mapping[str, str]) -> None:
    # Only what differs: each change copies memory that this process shares with its parent.
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    time.tzset()


def _open_standard_files() -> None:
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    for name, number in (("stdout", 1), ("stderr", 2)):
        file = open(  # noqa: SIM115 - descriptors, open as long as the process
            number,
            "w",
            encoding="utf-8",
            errors="backslashreplace" if number == 2 else "surrogateescape",  # noqa: PLR2004
            buffering=1 if number == 2 or os.isatty(number) else -1,  # noqa: PLR2004
            closefd=False,
        )
        setattr(sys, name, file)


def main() -> None:
    """Serve the cluster whose state directory is the first argument, if nobody does."""
    directory = Path(sys.argv[1])
    with contextlib.suppress(BlockingIOError), _only_one(directory):
        line = power.line(directory)
        if line is None:
            return
        # And not ignored: a child that is told before it has begun would never know.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        for name in handover.PROGRAMS:
            command.sub_command(name)
        gc.collect()
        gc.freeze()  # so that children share these pages
        Resident(directory, line.fileno()).serve()


if __name__ == "__main__":
    main()
