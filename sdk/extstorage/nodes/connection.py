"""The line to an agent: requests of any number of threads, each with its answer."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple

from extstorage.nodes.agent import FRAME, GREETING
from extstorage.nodes.node import NodeUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

_READ_SIZE = 1 << 16
_MOST_BEFORE_GREETING = 1 << 16


class Answer(NamedTuple):
    """What an agent answered: fields, and the data that follow them."""

    fields: dict[str, Any]
    data: bytes


class _Waiting(NamedTuple):
    """Who waits for an answer."""

    future: Future[Answer]
    thread: int


class _Closed(Exception):  # noqa: N818 - no error: the agent has gone
    """The other end of the line is closed."""


class Connection:
    """The line to one agent, over two pipes or whatever has file descriptors.

    Args:
        requests: The descriptor that requests are written to; closed with the connection.
        answers: The descriptor that answers are read from; closed with the connection.
        reason: Returns in one line why the agent has gone, once it has.
        patience_s: Seconds that the agent has to greet.

    Raises NodeUnreachable if it does not.

    Attributes:
        greeting: What the agent says of its node.
    """

    def __init__(
        self, requests: int, answers: int, reason: Callable[[], str], *, patience_s: float
    ) -> None:
        self._requests = requests
        self._answers = answers
        self._reason = reason
        self._buffer = bytearray()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._pending: dict[int, _Waiting] | None = {}  # None once the agent has gone
        self._cut_off = False
        self._closed = False
        try:
            self.greeting = self._greeted(patience_s)
        except BaseException:
            os.close(requests)
            os.close(answers)
            raise
        self._reader = threading.Thread(target=self._read_answers, name="answers", daemon=True)
        self._reader.start()

    def request(self, kind: str, data: bytes = b"", **fields: object) -> Answer:
        """Send a request and wait for its answer. Raises NodeUnreachable."""
        number = next(self._numbers)
        future: Future[Answer] = Future()
        with self._lock:
            if self._pending is None or self._cut_off:
                raise self._unreachable()
            self._pending[number] = _Waiting(future, threading.get_ident())
            self._send({"id": number, "do": kind, **fields}, data)
        try:
            return future.result()
        except NodeUnreachable:
            raise
        except BaseException:
            # An interrupt reaches this process alone: what it asked for must end as well.
            self._cancel(number)
            raise

    def take_back(self, thread: int) -> None:
        """End what a thread has asked for; its request raises NodeUnreachable."""
        with self._lock:
            pending = self._pending or {}
            for number in [number for number, by in pending.items() if by.thread == thread]:
                future = pending.pop(number).future
                self._send_cancel(number)
                future.set_exception(NodeUnreachable("who asked for it has gone"))

    @property
    def is_dead(self) -> bool:
        """Whether the agent has gone."""
        return self._pending is None

    def cut_off(self) -> None:
        """Let nothing through any more; the agent does not notice."""
        with self._lock:
            self._cut_off = True
            self._fail_all()

    def reconnect(self) -> None:
        """Undo ``cut_off``."""
        with self._lock:
            self._cut_off = False

    def hang_up(self) -> None:
        """Let the agent end what it has begun, and itself."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._requests)

    def close(self) -> None:
        """Hang up and wait until the agent has gone."""
        self.hang_up()
        self._reader.join()

    def _cancel(self, number: int) -> None:
        with self._lock:
            if self._pending is not None and self._pending.pop(number, None) is not None:
                self._send_cancel(number)

    def _send_cancel(self, number: int) -> None:
        self._send({"id": 0, "do": "cancel", "job": number}, b"")

    def _send(self, request: dict[str, object], data: bytes) -> None:
        if self._closed:
            raise self._unreachable()
        text = json.dumps(request).encode()
        view = memoryview(FRAME.pack(len(text), len(data)) + text + data)
        # If the agent has gone the reader sees it as well, and says so to all that wait.
        with contextlib.suppress(BrokenPipeError):
            while view:
                view = view[os.write(self._requests, view) :]

    def _greeted(self, patience_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + patience_s
        try:
            while GREETING not in self._buffer:
                self._fill(deadline)
                if len(self._buffer) > _MOST_BEFORE_GREETING:
                    raise NodeUnreachable("something else than the agent answers")
            del self._buffer[: self._buffer.index(GREETING) + len(GREETING)]
            return self._frame(deadline).fields
        except _Closed:
            raise self._unreachable() from None

    def _read_answers(self) -> None:
        with contextlib.suppress(_Closed):
            while True:
                answer = self._frame()
                with self._lock:
                    waiting = (self._pending or {}).pop(answer.fields.pop("id"), None)
                if waiting is not None:
                    waiting.future.set_result(answer)
        with self._lock:
            self._fail_all()
            self._pending = None
        os.close(self._answers)

    def _frame(self, deadline: float | None = None) -> Answer:
        text, data = FRAME.unpack(self._taken(FRAME.size, deadline))
        fields = json.loads(self._taken(text, deadline))
        return Answer(fields, self._taken(data, deadline))

    def _taken(self, size: int, deadline: float | None) -> bytes:
        while len(self._buffer) < size:
            self._fill(deadline)
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _fill(self, deadline: float | None) -> None:
        if deadline is not None:
            remaining = max(0.0, deadline - time.monotonic())
            if not select.select([self._answers], [], [], remaining)[0]:
                raise NodeUnreachable("no answer in time")
        data = os.read(self._answers, _READ_SIZE)
        if not data:
            raise _Closed
        self._buffer += data

    def _fail_all(self) -> None:
        pending = self._pending or {}
        while pending:
            pending.popitem()[1].future.set_exception(self._unreachable())

    def _unreachable(self) -> NodeUnreachable:
        if self._closed:
            return NodeUnreachable("the connection was closed")
        if self._cut_off:
            return NodeUnreachable("cut off from the network")
        return NodeUnreachable(self._reason())
