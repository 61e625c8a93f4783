"""What each node does with a volume, and whether that node is still there.

A node that maps a volume locks one byte of its data file, far behind the data, at
a place that its name determines. The lock sits on the open file that the kernel's
loop driver keeps (an "open file description" lock), so it lasts exactly as long as
the mapping: it needs no process, and dies with the node. ``nodes/NAME`` says what
the node does: it is attached, or has the volume open shared or exclusively. The
file of a node without a lock is history: that node crashed, or was fenced.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from extstorage.provider import ProviderError
from loopback import node
from loopback.volumes import replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from loopback.volumes import Volume

_F_OFD_GETLK = 36
_F_OFD_SETLK = 37
# struct flock with 64-bit offsets: type, whence, start, length, process.
_FLOCK = struct.Struct("@hhqqi4x")
_FIRST = 2**62
"""Where the locks begin: behind any data; hypervisors lock bytes near the start."""
_PLACES = 2**61

ATTACHED = "attached"
SHARED = "shared"
EXCLUSIVE = "exclusive"


def _place(name: str) -> int:
    return _FIRST + node.fingerprint(name) % _PLACES


def announce(data: int) -> bool:
    """Lock this node's byte on the open file ``data``; False if this node has it locked already.

    The lock lives until the last user of this open file, the loop driver included, is gone.
    """
    try:
        lock = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _place(node.NAME), 1, 0)
        fcntl.fcntl(data, _F_OFD_SETLK, lock)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise ProviderError(
            f"the file system of parameter directory cannot lock: {error.strerror}"
        ) from None
    return True


class Holds:
    """What the nodes do with one volume; its lock must be held to change anything."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume

    def is_mapped_here(self) -> bool:
        """Return whether this node maps the volume, even if nothing else remembers it."""
        return self._is_locked(_place(node.NAME), 1)

    def mapped_by(self) -> str | None:
        """Return ``"node NAME"`` for a node that maps the volume, None if none does."""
        for name in self._recorded():
            if self._is_locked(_place(name), 1):
                return f"node {name}"
        return "a node unknown by name" if self._is_locked(_FIRST, _PLACES) else None

    def record(self, what: str) -> None:
        """Note what this node does from now on."""
        # Not brought to disk: a crash of this node makes it history anyway.
        replace_file(f"{self._volume.nodes}/{node.NAME}", what + "\n", durable=False)

    def drop(self) -> None:
        """Note that this node does nothing with the volume any more."""
        try:
            os.unlink(f"{self._volume.nodes}/{node.NAME}")
        except FileNotFoundError:
            pass

    def conflict(self, *, exclusive: bool) -> str | None:
        """Return ``"NODE has it open HOW"`` if that forbids opening here, else None."""
        for name in self._recorded():
            how = self._use(name)
            forbids = how != ATTACHED if exclusive else how not in (ATTACHED, SHARED)
            if name != node.NAME and forbids and self._is_locked(_place(name), 1):
                return f"node {name} has it open {how}"
        return None

    def _recorded(self) -> list[str]:
        return [name for name in sorted(os.listdir(self._volume.nodes)) if name[-4:] != ".new"]

    def _use(self, name: str) -> str:
        try:
            with open(f"{self._volume.nodes}/{name}", encoding="ascii", errors="replace") as file:
                use = file.read().strip()
        except FileNotFoundError:
            return ATTACHED
        # Anything unreadable is taken for the strongest use.
        return use if use in (ATTACHED, SHARED) else EXCLUSIVE

    def _is_locked(self, first: int, length: int) -> bool:
        data = os.open(self._volume.data, os.O_RDWR | os.O_CLOEXEC)
        try:
            question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, first, length, 0)
            answer = fcntl.fcntl(data, _F_OFD_GETLK, question)
        finally:
            os.close(data)
        kind: int = _FLOCK.unpack(answer)[0]
        return kind != fcntl.F_UNLCK
