"""A process that starts, ends and outlives nodes of this machine, for the program that made them.

It has one thread, so it can fork, and it outlives its creator for as long as it takes to clean
up: whatever way that one ends, the nodes end with it. Each node has a holder, a child of the
supervisor that starts the node, ends it and frees what it leaves behind.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from extstorage.nodes.agent import FRAME, GREETING
from extstorage.nodes.jobs import close_all_but

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Hold = Callable[[Sequence[Any], socket.socket, int, int], None]

MESSAGE_BYTES = 1 << 16
"""The most that one message on the control socket has."""


class _Holder(NamedTuple):
    pid: int
    line: socket.socket  # the holder's life: it cuts the power when this end closes


class Supervisor:
    """Obeys its creator until that one is gone.

    Args:
        control: Where orders come from: ``{"start": place}`` with the descriptors of requests and
            answers, ``{"kill": [state]}``, ``{"connect": [...]}``. A place begins with the
            directory of the node's state.
        creator: A descriptor of the creating process.
        directory: Where all places are; deleted at the end.
        hold: Is the holder: gets the place, its line, the two descriptors. Returns when the node
            has ended; writes to the line in one line what could not be freed.
        kept: Descriptors that holders keep open.
        connect: Obeys ``connect``; returns in one line what went wrong.
    """

    def __init__(
        self,
        control: socket.socket,
        creator: int,
        directory: str,
        hold: Hold,
        *,
        kept: Iterable[int] = (),
        connect: Callable[..., str] | None = None,
    ) -> None:
        self._control = control
        self._creator = creator
        self._directory = directory
        self._hold = hold
        self._kept = frozenset(kept)
        self._orders = {"kill": self._kill, "connect": connect or _nothing_to_connect}
        self._holders: dict[str, _Holder] = {}

    def serve(self) -> None:
        """Obey until the control socket is closed or the creator has ended; then clean up."""
        try:
            while message := self._next():
                self._obey(json.loads(message[0]), message[1])
        finally:
            for holder in self._holders.values():
                holder.line.shutdown(socket.SHUT_WR)  # all at once; then wait for each
            for state in [*self._holders]:
                self._kill(state)
            # This process has the machine's mounts only: here a node's root is an empty directory.
            shutil.rmtree(self._directory, ignore_errors=True)

    def _next(self) -> tuple[bytes, list[int]] | None:
        ready, _, _ = select.select([self._control.fileno(), self._creator], [], [])
        if self._creator in ready:
            return None
        data, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 2)
        return (data, descriptors) if data else None

    def _obey(self, request: dict[str, list[Any]], descriptors: list[int]) -> None:
        if "start" in request:
            self._start(request["start"], descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            return
        ((order, arguments),) = request.items()
        trouble = self._orders[order](*arguments)
        self._control.send(json.dumps({"trouble": trouble}).encode())

    def _start(self, place: Sequence[Any], descriptors: list[int]) -> None:
        state = place[0]
        self._kill(state)  # what is left of one that ended by itself
        line, holders_line = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            close_all_but({0, 1, 2, holders_line.fileno(), *descriptors, *self._kept})
            exit_after(lambda: self._hold(place, holders_line, *descriptors))
        holders_line.close()
        self._holders[state] = _Holder(pid, line)

    def _kill(self, state: str) -> str:
        holder = self._holders.pop(state, None)
        if holder is None:
            return ""
        with holder.line as line:
            line.shutdown(socket.SHUT_WR)
            trouble = line.makefile("r", encoding="utf-8").read()
        os.waitpid(holder.pid, 0)
        return trouble


def _nothing_to_connect(*_arguments: object) -> str:
    return "these nodes have no network between them"


def refuse(answers: int, reason: str) -> None:
    """Greet the creator with the reason why the node cannot be started, in one line."""
    text = json.dumps({"id": 0, "refused": reason}).encode()
    os.write(answers, GREETING + FRAME.pack(len(text), 0) + text)


def exit_after(function: Callable[[], None]) -> NoReturn:
    """Do what a child is for and end it, whatever happens: it must not go on as its parent."""
    status = 1
    try:
        function()
        status = 0
    except Exception as error:  # noqa: BLE001 - its creator reads the last line
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
    finally:
        os._exit(status)


def end_only_with_the_creator() -> None:
    """Take no notice of signals that ask a process to end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler, because programs inherit what is ignored.
        signal.signal(number, lambda *_: None)
