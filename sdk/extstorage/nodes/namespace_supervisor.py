"""Starts and ends namespace nodes, in a process of its own, for the program that made them.

It has one thread, so it can fork, and it outlives its creator for as long as it takes to clean
up: whatever way that one ends, the nodes end with it. Per node:

    supervisor      in the machine's namespaces; deletes the nodes' files at the end
      holder        in the node's namespaces but outside of its root; frees its devices
        init        process 1 of the node: when it goes, the kernel ends all other processes
          agent     answers for the node
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from extstorage.nodes import kernel
from extstorage.nodes.agent import FRAME, GREETING, Agent
from extstorage.nodes.jobs import close_all_but
from extstorage.nodes.loops import LoopDevices
from extstorage.nodes.namespace_root import Place, make_disk, mount_root

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGE_BYTES = 1 << 16
"""The most that one message on the control socket has."""


class _Holder(NamedTuple):
    pid: int
    line: socket.socket  # the holder's life: it cuts the power when this end closes


class Supervisor:
    """Obeys its creator until that one is gone."""

    def __init__(self, control: socket.socket, creator: int) -> None:
        self._control = control
        self._creator = creator
        self._holders: dict[str, _Holder] = {}
        self._states: list[str] = []

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
            for state in self._states:
                _delete(state)

    def _next(self) -> tuple[bytes, list[int]] | None:
        ready, _, _ = select.select([self._control.fileno(), self._creator], [], [])
        if self._creator in ready:
            return None
        data, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 2)
        return (data, descriptors) if data else None

    def _obey(self, request: dict[str, list[str]], descriptors: list[int]) -> None:
        if "start" in request:
            place = Place(*request["start"])
            self._start(place, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            return
        trouble = self._kill(*request["kill"])
        self._control.send(json.dumps({"trouble": trouble}).encode())

    def _start(self, place: Place, descriptors: list[int]) -> None:
        self._kill(place.state)  # what is left of one that ended by itself
        if place.state not in self._states:
            self._states.append(place.state)
        line, holders_line = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            close_all_but({0, 1, 2, holders_line.fileno(), *descriptors})
            _exit_after(lambda: _hold(place, holders_line, *descriptors))
        holders_line.close()
        self._holders[place.state] = _Holder(pid, line)

    def _kill(self, state: str) -> str:
        holder = self._holders.pop(state, None)
        if holder is None:
            return ""
        with holder.line as line:
            line.shutdown(socket.SHUT_WR)
            trouble = line.makefile("r", encoding="utf-8").read()
        os.waitpid(holder.pid, 0)
        return trouble


def _hold(place: Place, line: socket.socket, requests: int, answers: int) -> None:
    """Be the holder: boot the node, wait for its end or for the order to end it, clean up."""
    try:
        if not Path(place.disk).is_dir():
            make_disk(place)
        kernel.unshare()
        mount_root(place)
        socket.sethostname(place.host_name)
        kernel.bring_loopback_up()
    except OSError as error:
        _refuse(answers, f"{error.filename}: {error.strerror}")
        return
    init = os.fork()
    if init == 0:
        line.close()
        _exit_after(lambda: _be_init(place, requests, answers))
    for descriptor in (requests, answers):
        os.close(descriptor)
    Path(place.state, "pid").write_text(f"{init}\n", encoding="ascii")
    ended = os.pidfd_open(init)
    select.select([ended, line.fileno()], [], [])
    os.kill(init, signal.SIGKILL)
    os.waitpid(init, 0)  # returns when the last process of the node is gone
    line.send(_cut_power(place).encode())


def _cut_power(place: Place) -> str:
    """Free what processes leave behind in the kernel; return in one line what could not be."""
    devices = LoopDevices(place.root)
    kernel.unmount(place.root)  # file systems on the devices would keep them
    left = devices.free()
    return f"{', '.join(left)}: still in use by another node or this machine" if left else ""


def _be_init(place: Place, requests: int, answers: int) -> None:
    os.setsid()
    kernel.mount("proc", f"{place.root}/proc")
    os.chroot(place.root)
    os.chdir("/")
    agent = os.fork()
    if agent == 0:
        _exit_after(Agent(requests, answers).serve)
    for descriptor in (requests, answers):
        os.close(descriptor)
    while os.wait()[0] != agent:
        pass


def _refuse(answers: int, reason: str) -> None:
    text = json.dumps({"id": 0, "refused": reason}).encode()
    os.write(answers, GREETING + FRAME.pack(len(text), 0) + text)


def _exit_after(function: Callable[[], None]) -> NoReturn:
    """Do what a child is for and end it, whatever happens: it must not go on as its parent."""
    status = 1
    try:
        function()
        status = 0
    except Exception as error:  # noqa: BLE001 - its creator reads the last line
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
    finally:
        os._exit(status)


def _delete(state: str) -> None:
    # This process has the machine's mounts only: here the root is an empty directory.
    shutil.rmtree(state, ignore_errors=True)
    with contextlib.suppress(OSError):
        Path(state).parent.rmdir()


def main() -> None:
    """Serve on the socket and for the process whose descriptors the arguments name."""
    control, creator = map(int, sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # It ends with its creator. A handler, because programs inherit what is ignored.
        signal.signal(number, lambda *_: None)
    Supervisor(socket.socket(fileno=control), creator).serve()
