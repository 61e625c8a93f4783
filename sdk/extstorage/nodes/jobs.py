"""What an agent starts for a request: a program, or a Python function in a child of its own.

Sent to hosts, as agent.py is: standard library, Python 3.9.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

LINGER_S = 2.0
"""Seconds that a process group gets between SIGTERM and SIGKILL."""

_LAST_READ_S = 0.1  # what a killed group has left in the pipes comes at once
READ_SIZE = 1 << 16
"""Bytes that are taken from a pipe at once."""

# Programs lead their own group; before Python 3.11 the way to that is a session of their own.
_OWN_GROUP: dict[str, Any] = (
    {"process_group": 0} if sys.version_info >= (3, 11) else {"start_new_session": True}
)


class OutputFile:
    """The file that a program's output is appended to; made with mode 0600. Raises OSError."""

    def __init__(self, path: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self.path = path
        self.descriptor = os.open(path, flags, 0o600)
        status = os.fstat(self.descriptor)
        self._regular = stat.S_ISREG(status.st_mode)
        self.began = status.st_size if self._regular else 0

    def close(self) -> None:
        """Leave the file to the program."""
        os.close(self.descriptor)

    def content(self) -> bytes:
        """Return what is in the file now; nothing if it is gone, or is no regular file."""
        if not self._regular:
            return b""
        try:
            with open(self.path, "rb") as file:  # noqa: PTH123 - pathlib costs more than the file
                return file.read()
        except OSError:
            return b""


def let_programs_take_every_signal() -> None:
    """See to it that programs ignore no signal, as those of Ganeti's node daemon do not.

    What this process ignores (SIGHUP, under nohup) its programs would ignore too; what it
    answers by doing nothing, they do not. Only a main thread can change that.
    """
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        # Python ignores SIGPIPE and SIGXFSZ itself, and subprocess undoes that in a child.
        ignored = signal.getsignal(number) == signal.SIG_IGN
        if ignored and number not in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, lambda *_: None)


class Job:
    """A child process that a request waits for, and the pipes that it writes to."""

    def __init__(
        self,
        pid: int,
        pipes: Iterable[int],
        timeout_s: float | None,
        started: float,
        file: OutputFile | None = None,
    ) -> None:
        self.pid = pid
        self._file = file
        self.wanted = True  # until the request is taken back
        self._started = started  # time.monotonic() before the process began
        self._pipes = list(pipes)
        self._data: dict[int, list[bytes]] = {pipe: [] for pipe in self._pipes}
        self.open = set(self._pipes)
        self._ended = False
        self._timed_out = False
        # What happens when the time is up, and when the time after that is.
        self._measures: list[tuple[int, float]] = [
            (signal.SIGTERM, LINGER_S),
            (signal.SIGKILL, _LAST_READ_S),
        ]
        self.deadline = None if timeout_s is None else started + timeout_s

    def read(self, pipe: int) -> None:
        """Take what a pipe has."""
        data = os.read(pipe, READ_SIZE)
        if data:
            self._data[pipe].append(data)
        else:
            self.abandon([pipe])

    def abandon(self, pipes: Iterable[int]) -> None:
        """Close pipes that nothing more is expected from."""
        for pipe in pipes:
            self.open.discard(pipe)
            os.close(pipe)

    def kill(self, number: int) -> None:
        """Send a signal to the whole group."""
        # The leader is not waited for yet, so the number cannot belong to anybody else.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def take_measures(self) -> None:
        """Do what is due now that the deadline has passed."""
        self._timed_out = True
        if self._measures:
            number, pause = self._measures.pop(0)
            self.kill(number)
            self.deadline = time.monotonic() + pause
        else:
            # A child that made its own session escapes the signals and may hold the pipes.
            self.abandon(list(self.open))
            self.deadline = None

    def answers(self) -> Iterator[tuple[int, dict[str, object]]]:
        """Yield the answers, with their requests' numbers, that came before the end: none."""
        return iter(())

    def is_over(self) -> bool:
        """Return whether the process has ended and its pipes are at their ends."""
        self._ended = self._ended or _has_ended(self.pid)
        return self._ended and not self.open

    def result(self) -> tuple[dict[str, object], bytes]:
        """Collect the process; return how it ended, and what came through the pipes."""
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        output = [b"".join(self._data[pipe]) for pipe in self._pipes]
        ending: dict[str, object] = {
            "exit_code": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "timed_out": self._timed_out,
            "seconds": time.monotonic() - self._started,
            "stdout_bytes": len(output[0]) if output else 0,
            "output_bytes": 0,
            "output_from": 0,
        }
        if self._file is not None:
            output.append(self._file.content())
            ending.update(output_bytes=len(output[-1]), output_from=self._file.began)
        return ending, b"".join(output)


def _has_ended(pid: int) -> bool:
    """Return whether a child has ended, without collecting it: its number stays its own."""
    file = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 4096).rpartition(b")")[2].split()[0] == b"Z"
    finally:
        os.close(file)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def run(
    _data: bytes,
    *,
    argv: list[str],
    environment: dict[str, str],
    directory: str,
    umask: int,
    output_file: str | None,
    timeout_s: float | None,
) -> Job:
    """Start a program, as ``nodes.node.Command`` describes it."""
    started = time.monotonic()
    stdout, stderr = subprocess.PIPE, subprocess.PIPE
    file = None
    if output_file is not None:
        file = OutputFile(output_file)
        stdout, stderr = file.descriptor, subprocess.STDOUT
    try:
        process = subprocess.Popen(
            argv,
            bufsize=0,
            cwd=directory,
            env=environment,
            # A pipe and not /dev/null, because that is what Ganeti's RunCmd gives.
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            umask=umask,
            **_OWN_GROUP,
        )
    finally:
        if file is not None:
            file.close()
    assert process.stdin is not None  # noqa: S101 - asked for above
    process.stdin.close()
    pipes = [os.dup(pipe.fileno()) for pipe in (process.stdout, process.stderr) if pipe]
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()
    process.returncode = 0  # the job waits for the process
    return Job(process.pid, pipes, timeout_s, started, file)


def python(
    source: bytes, *, function: str, arguments: list[object], timeout_s: float | None
) -> Job:
    """Call a function of a module's source in a child; its result comes as JSON on stdout."""
    started = time.monotonic()
    result, result_writer = os.pipe()
    errors, errors_writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(source, function, arguments, (result_writer, errors_writer))
    for descriptor in (result_writer, errors_writer):
        os.close(descriptor)
    # Here too: a signal may have to reach it before it has begun.
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    return Job(pid, [result, errors], timeout_s, started)


def _child(source: bytes, function: str, arguments: list[object], pipes: tuple[int, int]) -> None:
    status = 1
    try:
        enter_child(pipes)
        result = json.dumps(_called(source, function, arguments))
        write_all(pipes[0], result.encode())
        sys.stderr.flush()
        status = 0
    except BaseException as error:  # noqa: BLE001 - the agent's own code must not go on in here
        write_all(pipes[1], f"\n{described(error)}".encode("utf-8", "backslashreplace"))
    finally:
        os._exit(status)


def enter_child(pipes: tuple[int, int]) -> None:
    """Let a child that was forked off be a job: its own group, its own descriptors only."""
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # What is printed must not end up in the result.
    os.dup2(pipes[1], 1)
    os.dup2(pipes[1], 2)
    close_all_but({0, 1, 2, *pipes})


def close_all_but(kept: set[int]) -> None:
    """Close every descriptor of this process that is not in ``kept``."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are what is wanted
        if int(name) not in kept:
            with contextlib.suppress(OSError):  # the one that the directory was read with
                os.close(int(name))


def _called(source: bytes, function: str, arguments: list[object]) -> object:
    result: object = getattr(module_of(source), function)(*arguments)
    return result


def module_of(source: bytes) -> object:
    """Return the module that the text ``source`` is, executed."""
    module = type(sys)("on_node")
    sys.modules[module.__name__] = module  # where dataclasses look for the names of annotations
    exec(compile(source, "<source>", "exec"), module.__dict__)  # noqa: S102 - what is asked for
    return module


def described(error: BaseException) -> str:
    """Return an error in one line, with the line of the source that it comes from."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<source>":
            line = trace.tb_lineno
        trace = trace.tb_next
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" + (f" (line {line})" if line else "")
