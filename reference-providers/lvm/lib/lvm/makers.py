"""Who is making a volume that takes more than one step, and whether he still is.

Such a volume carries its maker in a tag from its first moment on: the number and generation of the
node, as sanlock has them. While he works, the maker holds a lock on his node. So whoever finds an
unfinished volume can tell work from what a crash has left.

A call that writes zeros over what a volume has grown by holds the same lock, under the volume's own
name, and needs no tag: the volume is attached on its node meanwhile.

All makers of a node lock one file, each at the byte that the volume's name gives: files of their
own would stay for ever where their maker is killed, and nobody calls there again.
"""

from __future__ import annotations

import fcntl
import os
import struct

from extstorage.provider import ProviderError
from extstorage.provider.state import state_directory
from lvm.holds import fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lvm.protection import Protection

_OFD_SETLK = 37  # fcntl.F_OFD_SETLK, which PyPy does not have
_FLOCK = struct.Struct("@hhqqi")  # type, whence, start, length, process
_LAST_BYTE = 0x7FFFFFFFFFFFFFFE


class Maker:
    """This call, making the logical volumes ``volumes`` of ``group``; for a ``with`` block."""

    def __init__(self, group: str, volumes: tuple[str, ...], protection: Protection) -> None:
        self._group = group
        self._volumes = volumes
        self._descriptor = -1
        self.name = this_node(protection)
        """What the tag says."""

    def __enter__(self) -> Maker:  # noqa: PYI034 - typing.Self is younger than 3.9
        self._descriptor = _open(self._group)
        try:
            for volume in self._volumes:
                _take(self._descriptor, volume)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def this_node(protection: Protection) -> str:
    """Return ``NUMBER.GENERATION`` of this node; ``0.0`` if there are no others."""
    if protection.holds is None:
        return "0.0"
    return "{}.{}".format(*protection.holds.this_node())


def is_at_work(maker: str, group: str, name: str, protection: Protection) -> bool:
    """Return whether ``maker`` may still be making the logical volume ``name`` of ``group``."""
    if maker != this_node(protection):
        return protection.holds is not None and protection.holds.lives(maker)
    descriptor = _open(group)
    try:
        return not _takes(descriptor, name)
    finally:
        os.close(descriptor)


def _open(group: str) -> int:
    path = f"{state_directory('.lvm')}/makers.{group}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _take(descriptor: int, volume: str) -> None:
    if not _takes(descriptor, volume):
        raise ProviderError(f"another call is at work on {volume}: try again later")


def _takes(descriptor: int, volume: str) -> bool:
    """Lock what stands for the volume, until the descriptor is closed; False if another has it."""
    at = fingerprint(volume) & _LAST_BYTE
    try:
        fcntl.fcntl(descriptor, _OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, at, 1, 0))
    except BlockingIOError:
        return False
    return True
