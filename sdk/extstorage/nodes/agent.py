"""What answers on a node: reads requests, runs programs, looks at files, sends the answers.

This file, jobs.py and sessions.py are sent to hosts. So they need nothing but each other and the
standard library, and run on Python 3.9 and later. One thread serves any number of requests at
once; whatever could block for long is a child process.

Both directions carry frames: two numbers of 32 bits, the lengths in bytes of a JSON object and
of the data that follow it. ``id`` ties an answer to its request. The first frame, after
``GREETING``, says what this node is.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import stat
import struct
import sys
import time
from pathlib import Path

# Not the module: on a host it is one without a package.
from extstorage.nodes.jobs import (
    Job,
    let_programs_take_every_signal,
    python,
    run,
    write_all,
)
from extstorage.nodes.sessions import SessionJob, session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

GREETING = b"\nextstorage agent 1\n"
"""What comes before the first frame: a login shell may have written something already."""

FRAME = struct.Struct("!II")
_READ_SIZE = 1 << 16


class Agent:
    """Serves requests until there are no more; then ends every process group that is left."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests = requests
        self._answers = answers
        self._received = bytearray()
        self._jobs: dict[int, Job] = {}
        self._by_pipe: dict[int, Job] = {}
        self._poll = select.poll()
        self._wakeup, writer = os.pipe()
        os.set_blocking(writer, False)
        let_programs_take_every_signal()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for descriptor in (requests, self._wakeup):
            self._poll.register(descriptor, select.POLLIN)

    def serve(self) -> None:
        """Greet, and answer requests up to their end."""
        os.umask(0o022)
        write_all(self._answers, GREETING)
        self._answer(0, facts())
        with contextlib.suppress(BrokenPipeError):  # nobody is left to answer to
            while self._serve_once():
                pass
        for job in self._jobs.values():
            job.kill(signal.SIGKILL)

    def _serve_once(self) -> bool:
        ready = [descriptor for descriptor, _ in self._poll.poll(self._pause_ms())]
        for descriptor in ready:
            if descriptor in self._by_pipe:
                self._by_pipe[descriptor].read(descriptor)
            elif descriptor == self._wakeup:
                os.read(self._wakeup, _READ_SIZE)
        # Requests come last: they open and close pipes, and numbers of descriptors are used again.
        more = self._requests not in ready or self._receive()
        self._look_after_jobs()
        return more

    def _pause_ms(self) -> float | None:
        deadlines = [job.deadline for job in self._jobs.values() if job.deadline is not None]
        return max(0.0, min(deadlines) - time.monotonic()) * 1000 if deadlines else None

    def _look_after_jobs(self) -> None:
        now = time.monotonic()
        for number, job in list(self._jobs.items()):
            if job.deadline is not None and job.deadline <= now and not job.is_over():
                job.take_measures()
            over = job.is_over()
            for answered, fields in job.answers():
                self._answer(answered, fields)
            for pipe in [pipe for pipe, of in self._by_pipe.items() if of is job]:
                if pipe not in job.open:
                    self._poll.unregister(pipe)
                    del self._by_pipe[pipe]
            if over:
                del self._jobs[number]
                ending, output = job.result()
                if job.wanted:
                    self._answer(number, ending, output)

    def _receive(self) -> bool:
        data = self._read()
        self._received += data
        while len(self._received) >= FRAME.size:
            text, rest = FRAME.unpack_from(self._received)
            end = FRAME.size + text + rest
            if len(self._received) < end:
                break
            frame = bytes(self._received[FRAME.size : end])
            del self._received[:end]
            self._handle(json.loads(frame[:text]), frame[text:])
        return bool(data)

    def _read(self) -> bytes:
        return os.read(self._requests, _READ_SIZE)

    def _handle(self, request: dict[str, Any], data: bytes) -> None:
        number = request.pop("id")
        kind = request.pop("do")
        try:
            if kind == "cancel":
                self._cancel(request["job"])
            elif kind in _SESSIONS:
                self._handle_session(number, kind, data, **request)
            elif kind in _JOBS:
                self._begin(number, _JOBS[kind](data, **request))
            else:
                self._answer(number, *_FILES[kind](**request))
        except OSError as error:
            # Old releases of pathlib put themselves there.
            name = None if error.filename is None else str(error.filename)
            self._answer(number, {"error": [error.errno, error.strerror, name]})
        except ValueError as error:  # a NUL in an argument, or such
            self._answer(number, {"invalid": str(error)})

    def _handle_session(self, number: int, kind: str, data: bytes, **request: Any) -> None:  # noqa: ANN401 - JSON
        if kind == "session":
            self._begin(number, session(data))
            self._answer(number, {"session": number})
            return
        job = self._jobs.get(request.pop("session"))
        if not isinstance(job, SessionJob):
            self._answer(number, {"failed": "the session has ended"})
        elif kind == "call":
            job.call(number, **request)
        else:
            job.hang_up()
            self._answer(number, {})

    def _begin(self, number: int, job: Job) -> None:
        self._jobs[number] = job
        for pipe in job.open:
            self._by_pipe[pipe] = job
            self._poll.register(pipe, select.POLLIN)

    def _cancel(self, number: int) -> None:
        job = self._jobs.get(number)
        if job is not None:
            job.wanted = False
            job.kill(signal.SIGKILL)
            job.abandon(list(job.open))

    def _answer(self, number: int, answer: dict[str, object], data: bytes = b"") -> None:
        text = json.dumps({"id": number, **answer}).encode()
        write_all(self._answers, FRAME.pack(len(text), len(data)) + text + data)


def facts() -> dict[str, Any]:
    """Return what this node is, as ``nodes.node.Facts`` has it."""
    system = os.uname()
    return {
        "host_name": system.nodename,
        "kernel": system.release,
        "python": sys.version.split()[0],
        "is_root": os.geteuid() == 0,
    }


STATUS = ("st_mode", "st_rdev", "st_ino", "st_dev", "st_size")
"""What is told of a file's status; an error in its place has two elements."""


def _read(path: str) -> tuple[dict[str, object], bytes]:
    return {}, Path(path).read_bytes()


def _stat(path: str) -> tuple[dict[str, object]]:
    # os.stat and not Path.stat: Path drops blanks and slashes that a script's output has.
    status = os.stat(path)  # noqa: PTH116
    return ({name: getattr(status, name) for name in STATUS},)


def _look(
    directories: list[str], names: list[str], content: str, beside: str
) -> tuple[dict[str, object], bytes]:
    directory = next((path for path in directories if os.path.isdir(path)), None)  # noqa: PTH112
    found: dict[str, Any] = {
        "directory": directory,
        "files": {} if directory is None else {n: _status(f"{directory}/{n}") for n in names},
        "has_beside": os.path.isdir(beside),  # noqa: PTH112
    }
    status = found["files"].get(content, (0,))
    if not (len(status) == len(STATUS) and stat.S_ISREG(status[0])):
        return {**found, "content": None}, b""
    try:
        return {**found, "content": []}, Path(f"{directory}/{content}").read_bytes()
    except OSError as error:
        return {**found, "content": [error.errno, error.strerror]}, b""


def _status(path: str) -> list[object]:
    try:
        status = os.stat(path)  # noqa: PTH116 - as above
    except OSError as error:
        return [error.errno, error.strerror]
    return [getattr(status, name) for name in STATUS]


def _is_directory(path: str) -> tuple[dict[str, object]]:
    # os.path and not Path.is_dir: that one raises an error for a name that is too long.
    return ({"is_directory": os.path.isdir(path)},)  # noqa: PTH112


def _make_directory(path: str, mode: int) -> tuple[dict[str, object]]:
    Path(path).mkdir(mode=mode, parents=True, exist_ok=True)
    return ({},)


_SESSIONS = ("session", "call", "hang_up")
_JOBS: dict[str, Callable[..., Job]] = {"run": run, "python": python}
_FILES: dict[str, Callable[..., Any]] = {
    "read": _read,
    "stat": _stat,
    "look": _look,
    "is_directory": _is_directory,
    "make_directory": _make_directory,
}


def main() -> None:
    """Serve requests on standard input and answer on standard output."""
    requests, answers = os.dup(0), os.dup(1)
    # Whatever prints by mistake must not end up among the answers.
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    Agent(requests, answers).serve()
