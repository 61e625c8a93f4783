"""The network of a run's guests: a switch, in a process of its own, that cables can be pulled from.

Each guest's network card is one end of a pair of sockets, whose messages are Ethernet frames.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket

from extstorage.nodes.jobs import close_all_but
from extstorage.nodes.supervision import exit_after

_FRAME_BYTES = 1 << 16
_ORDER_BYTES = 1 << 10
_MAC_BYTES = 6


class Network:
    """The cables of guests 1, 2, ..., all plugged in; made before any guest is.

    Attributes:
        cables: The guests' ends.
    """

    def __init__(self, guests: int) -> None:
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(guests)]
        self.cables = [cable for cable, _ in pairs]
        self._orders, orders = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            ports = [port for _, port in pairs]
            close_all_but({0, 1, 2, orders.fileno(), *(port.fileno() for port in ports)})
            exit_after(_Switch(ports, orders).serve)
        for _, port in pairs:
            port.close()
        orders.close()

    def connect(self, number: int, plugged: bool) -> str:  # noqa: FBT001 - as the order has it
        """Plug a guest's cable in or pull it; returns when no frame passes any more."""
        self._orders.send(json.dumps([number, plugged]).encode())
        return "" if self._orders.recv(_ORDER_BYTES) else "the network's switch has ended"


def drain(cable: socket.socket) -> None:
    """Throw away the frames that nobody took."""
    with contextlib.suppress(BlockingIOError):
        while True:
            cable.recv(_FRAME_BYTES, socket.MSG_DONTWAIT)


class _Switch:
    """Passes frames on to the port where their receiver was last seen, or else to all."""

    def __init__(self, ports: list[socket.socket], orders: socket.socket) -> None:
        self._ports = ports
        self._orders = orders
        self._plugged = set(ports)
        self._seen: dict[bytes, socket.socket] = {}

    def serve(self) -> None:
        """Work until the other end of the orders is closed."""
        while True:
            ready, _, _ = select.select([self._orders, *self._ports], [], [])
            if self._orders in ready:
                order = self._orders.recv(_ORDER_BYTES)
                if not order:
                    return
                self._obey(*json.loads(order))
                continue  # what is in the ports was sent before, or after: pulled is pulled
            for port in ready:
                self._pass_on(port)

    def _obey(self, number: int, plugged: bool) -> None:  # noqa: FBT001 - as JSON has it
        port = self._ports[number - 1]
        if plugged:
            self._plugged.add(port)
        else:
            self._plugged.discard(port)
        self._orders.send(b"done")

    def _pass_on(self, port: socket.socket) -> None:
        frame = port.recv(_FRAME_BYTES)
        if port not in self._plugged:
            return
        self._seen[frame[_MAC_BYTES : 2 * _MAC_BYTES]] = port
        known = self._seen.get(frame[:_MAC_BYTES])
        for target in self._ports if known is None else [known]:
            if target is not port and target in self._plugged:
                # A guest that does not keep up, or is down, loses frames, as on any network.
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    target.send(frame, socket.MSG_DONTWAIT)
