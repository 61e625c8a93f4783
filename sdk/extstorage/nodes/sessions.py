"""A module that lives on a node, in a child of the agent, and answers calls of its functions.

Sent to hosts, as agent.py is: standard library, Python 3.9.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time

# Not the module: on a host it is one without a package.
from extstorage.nodes.jobs import READ_SIZE, Job, described, enter_child, module_of, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class SessionJob(Job):
    """A child that holds a module and answers calls of its functions until it is hung up on.

    Calls and answers are lines of JSON; ``id`` ties them together. ``calls`` is where calls are
    written; the first of ``pipes`` is where answers come from.
    """

    def __init__(self, pid: int, calls: int, pipes: tuple[int, int], started: float) -> None:
        super().__init__(pid, pipes, None, started)
        self.wanted = False  # nobody waits for its end
        self._calls = calls
        self._answers = pipes[0]
        self._received = b""
        self._pending: set[int] = set()

    def call(self, number: int, function: str, arguments: list[object]) -> None:
        """Pass a call on. The child reads at all times, so this does not block for long."""
        self._pending.add(number)
        if self._calls < 0:  # hung up: the child's end answers
            return
        line = json.dumps({"id": number, "function": function, "arguments": arguments})
        with contextlib.suppress(BrokenPipeError):  # its end answers
            write_all(self._calls, line.encode() + b"\n")

    def hang_up(self) -> None:
        """Let the child end."""
        if self._calls >= 0:
            os.close(self._calls)
            self._calls = -1

    def read(self, pipe: int) -> None:
        """Take what a pipe has."""
        if pipe != self._answers:
            super().read(pipe)
            return
        data = os.read(pipe, READ_SIZE)
        self._received += data
        if not data:
            self.abandon([pipe])

    def answers(self) -> Iterator[tuple[int, dict[str, object]]]:
        """Yield the answers that are complete, with the numbers of their calls."""
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            fields = json.loads(line)
            number = fields.pop("id")
            self._pending.discard(number)
            yield number, fields
        if not self.open:
            while self._pending:
                yield self._pending.pop(), {"failed": "the session has ended"}

    def result(self) -> tuple[dict[str, object], bytes]:
        """Collect the process."""
        self.hang_up()
        return super().result()


def session(source: bytes) -> SessionJob:
    """Start a child that answers calls of the functions of a module."""
    started = time.monotonic()
    calls, calls_writer = os.pipe()
    answers, answers_writer = os.pipe()
    errors, errors_writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(calls, 0)
        _session_child(source, (answers_writer, errors_writer))
    for descriptor in (calls, answers_writer, errors_writer):
        os.close(descriptor)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    return SessionJob(pid, calls_writer, (answers, errors), started)


def _session_child(source: bytes, pipes: tuple[int, int]) -> None:
    try:
        enter_child(pipes)
        _Answering(source, pipes[0]).serve()
    finally:
        os._exit(0)


class _Answering:
    """The child's side of a session: each call runs in a thread of its own."""

    def __init__(self, source: bytes, answers: int) -> None:
        self._source = source
        self._answers = answers
        self._loading = threading.Lock()
        self._writing = threading.Lock()
        self._module: object = None

    def serve(self) -> None:
        """Answer calls on standard input until its end."""
        with os.fdopen(0, "rb", closefd=False) as calls:
            for line in calls:
                call = json.loads(line)
                threading.Thread(target=self._answer, kwargs=call, daemon=True).start()

    def _answer(self, id: int, function: str, arguments: list[object]) -> None:  # noqa: A002 - as it is sent
        try:
            with self._loading:
                if self._module is None:
                    self._module = module_of(self._source)
            result = getattr(self._module, function)(*arguments)
            line = json.dumps({"id": id, "result": result})
        except OSError as error:
            line = json.dumps({"id": id, **_os_error(error)})
        except BaseException as error:  # noqa: BLE001 - whatever it is, its caller is told
            line = json.dumps({"id": id, "failed": described(error)})
        with self._writing:
            write_all(self._answers, line.encode() + b"\n")


def _os_error(error: OSError) -> dict[str, object]:
    if error.errno is None:
        return {"failed": described(error)}
    name = None if error.filename is None else str(error.filename)
    return {"error": [error.errno, error.strerror, name]}
