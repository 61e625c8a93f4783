"""The machine that this program runs on."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import stat
import subprocess
import threading
import time
import weakref
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from extstorage.nodes import agent
from extstorage.nodes.agent_process import AgentProcess, python_command
from extstorage.nodes.jobs import LINGER_S, OutputFile, let_programs_take_every_signal
from extstorage.nodes.node import CannotExecute, Command, Completed, Facts, Sight
from extstorage.nodes.remote import RemoteNode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.nodes.node import FileStatus, PythonSession, Search

_LAST_READ_S = 0.1  # what a killed group has left in the pipes comes at once
_READ_SIZE = 1 << 16


class LocalNode:
    """This machine, as a Node."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or socket.gethostname()
        self._lock = threading.Lock()
        self._answering: RemoteNode | None = None
        if threading.current_thread() is threading.main_thread():
            let_programs_take_every_signal()

    def run(self, command: Command) -> Completed:
        """Run a program to its end; see Node.run."""
        started = time.monotonic()
        file = _output_file(command)
        with _spawned(command, file) as process, _Ending(process) as ending:
            timed_out = not ending.awaited(command.timeout_s)
            if timed_out:
                _end_group(process, ending)
            status = process.wait()
            return Completed(
                exit_code=status if status >= 0 else None,
                signal=-status if status < 0 else None,
                timed_out=timed_out,
                stdout=ending.read_from(process.stdout),
                stderr=ending.read_from(process.stderr),
                seconds=time.monotonic() - started,
                output=file.content() if file else b"",
                output_from=file.began if file else 0,
            )

    def read_file(self, path: str) -> bytes:
        """Return a file's content. Raises OSError."""
        return Path(path).read_bytes()

    def stat(self, path: str) -> os.stat_result:
        """Return a file's status, symbolic links followed. Raises OSError."""
        # os.stat and not Path.stat: Path drops blanks and slashes that a script's output has.
        return os.stat(path)  # noqa: PTH116

    def look(self, search: Search) -> Sight:
        """Look at a directory's files; see Node.look."""
        directory = next(filter(self.is_directory, search.directories), None)
        names = () if directory is None else search.names
        files = {name: self._status(f"{directory}/{name}") for name in names}
        return Sight(
            directory=directory,
            files=files,
            content=self._content(f"{directory}/{search.content}", files.get(search.content)),
            has_beside=self.is_directory(search.beside),
        )

    def _status(self, path: str) -> FileStatus | OSError:
        try:
            return self.stat(path)
        except OSError as error:
            return error

    def _content(self, path: str, status: FileStatus | OSError | None) -> bytes | OSError | None:
        # Nothing but a regular file is opened: to read a FIFO could take for ever.
        if status is None or isinstance(status, OSError) or not stat.S_ISREG(status.st_mode):
            return None
        try:
            return self.read_file(path)
        except OSError as error:
            return error

    def is_directory(self, path: str) -> bool:
        """Return whether the path leads to a directory."""
        # os.path and not Path.is_dir: that one raises an error for a name that is too long.
        return os.path.isdir(path)  # noqa: PTH112

    def make_directory(self, path: str, mode: int) -> None:
        """Make a directory and its missing parents; one that exists is left as it is."""
        Path(path).mkdir(mode=mode, parents=True, exist_ok=True)

    def copy_directory(self, source: str, target: str) -> None:
        """Copy a directory; see Node.copy_directory."""
        self._agent().copy_directory(source, target)

    def facts(self) -> Facts:
        """Return what this machine says of itself."""
        return Facts(**agent.facts())

    def run_python(
        self, source: str, function: str, *arguments: object, timeout_s: float | None = None
    ) -> Any:  # noqa: ANN401 - whatever JSON can say
        """Call a function of a module; see Node.run_python."""
        return self._agent().run_python(source, function, *arguments, timeout_s=timeout_s)

    def python_session(self, source: str) -> PythonSession:
        """Start a process that answers calls; see SessionNode.python_session."""
        return self._agent().python_session(source)

    def _agent(self) -> RemoteNode:
        """Return what answers in a process of its own: this one may have threads, and not fork."""
        with self._lock:
            if self._answering is None:
                process = AgentProcess(python_command(agent.__name__))
                weakref.finalize(self, process.close)
                self._answering = RemoteNode(self.name, process.connect())
            return self._answering


@contextlib.contextmanager
def _spawned(command: Command, file: OutputFile | None) -> Iterator[subprocess.Popen[bytes]]:
    """Start the program; on the way out close its pipes and, on an error, end its group."""
    process = _spawn(command, file)
    try:
        yield process
    except BaseException:
        # An interrupt reaches this process alone: the script's group is not in the foreground.
        _signal_group(process, signal.SIGKILL)
        raise
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        process.wait()


def _output_file(command: Command) -> OutputFile | None:
    try:
        return None if command.output_file is None else OutputFile(command.output_file)
    except OSError as error:
        raise CannotExecute(error.errno, error.strerror, error.filename) from error


def _spawn(command: Command, file: OutputFile | None) -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(
            command.argv,
            bufsize=0,
            cwd=command.directory,
            env=command.environment,
            process_group=0,
            # A pipe and not /dev/null, because that is what Ganeti's RunCmd gives.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if file is None else file.descriptor,
            stderr=subprocess.PIPE if file is None else subprocess.STDOUT,
            umask=command.umask,
        )
    except OSError as error:
        raise CannotExecute(error.errno, error.strerror, error.filename) from error
    finally:
        if file is not None:
            file.close()
    if process.stdin is not None:
        process.stdin.close()
    return process


class _Ending:
    """Waits for a process and the ends of its pipes, and keeps what the pipes gave."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._data: dict[int, list[bytes]] = {}
        self._poll = select.poll()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                self._data[pipe.fileno()] = []
                self._poll.register(pipe.fileno(), select.POLLIN)
        # A process descriptor wakes the poll at once; Popen.wait with a timeout sleeps in steps.
        self._process = os.pidfd_open(process.pid)
        self._poll.register(self._process, select.POLLIN)
        self._open = {*self._data, self._process}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._process)

    def awaited(self, seconds: float | None) -> bool:
        """Wait for all ends; return whether they came in time."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while self._open:
            remaining = None if deadline is None else (deadline - time.monotonic()) * 1000
            if remaining is not None and remaining < 0:
                return False
            for descriptor, _event in self._poll.poll(remaining):
                self._take(descriptor)
        return True

    def _take(self, descriptor: int) -> None:
        data = b"" if descriptor == self._process else os.read(descriptor, _READ_SIZE)
        if data:
            self._data[descriptor].append(data)
            return
        self._poll.unregister(descriptor)
        self._open.discard(descriptor)

    def read_from(self, pipe: IO[bytes] | None) -> bytes:
        """Return all that came out of a pipe; nothing if there is no pipe."""
        return b"" if pipe is None else b"".join(self._data[pipe.fileno()])


def _end_group(process: subprocess.Popen[bytes], ending: _Ending) -> None:
    # The leader is not waited for yet, so its group's number cannot belong to anybody else.
    _signal_group(process, signal.SIGTERM)
    if not ending.awaited(LINGER_S):
        _signal_group(process, signal.SIGKILL)
        # Bounded: a child that made its own session escapes the signal and may hold the pipes.
        ending.awaited(_LAST_READ_S)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
