"""The device that this node has of a logical volume, as the kernel tells."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from extstorage.provider import ProviderError

_BLKROSET = 0x125D
_BLKROGET = 0x125E
_BLKZEROOUT = 0x127F
_INT = struct.Struct("=i")
_RANGE = struct.Struct("=QQ")
_STEP = 256 * 1024 * 1024
"""So much is zeroed by one call, in bytes: a call cannot be interrupted."""
_GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO)


class BlockDevice:
    """An active device-mapper device. ``path`` is its node, ``uuid`` device-mapper's."""

    __slots__ = ("path", "uuid")

    def __init__(self, path: str, uuid: str) -> None:
        self.path = path
        self.uuid = uuid

    def size(self) -> int:
        """Return its size in bytes."""
        descriptor = self._open(os.O_RDONLY)
        try:
            return os.lseek(descriptor, 0, os.SEEK_END)
        finally:
            os.close(descriptor)

    def is_read_only(self) -> bool:
        """Return whether the kernel refuses to write."""
        descriptor = self._open(os.O_RDONLY)
        try:
            answer = fcntl.ioctl(descriptor, _BLKROGET, _INT.pack(0))
        finally:
            os.close(descriptor)
        flag: int = _INT.unpack(answer)[0]
        return flag != 0

    def is_suspended(self) -> bool:
        """Return whether its I/O waits for somebody to resume it."""
        number = os.stat(self.path).st_rdev
        return _read(f"{_attributes(number)}/suspended") == "1"

    def is_copied(self) -> bool:
        """Return whether LVM has put a snapshot's layer below it."""
        number = os.stat(self.path).st_rdev
        below = f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/slaves"
        return any(
            _read(f"{below}/{name}/dm/uuid") == f"{self.uuid}-real" for name in os.listdir(below)
        )

    def set_read_only(self, read_only: bool) -> None:  # noqa: FBT001 - the flag is all there is
        """Let the kernel refuse writes, of those who have the device open too, or allow them."""
        descriptor = self._open(os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _BLKROSET, _INT.pack(int(read_only)))
        finally:
            os.close(descriptor)

    def flush(self) -> None:
        """Bring to the storage what was written to the device."""
        descriptor = self._open(os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def zero(self, start: int) -> None:
        """Make all from the byte ``start`` on read as zeros; the storage does it where it can."""
        descriptor = self.open_to_write()
        try:
            end = os.lseek(descriptor, 0, os.SEEK_END)
            for offset in range(start, end, _STEP):
                fcntl.ioctl(descriptor, _BLKZEROOUT, _RANGE.pack(offset, min(_STEP, end - offset)))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def open_to_write(self) -> int:
        """Return an open descriptor: as long as it is one, the device cannot go."""
        return self._open(os.O_RDWR)

    def _open(self, flags: int) -> int:
        try:
            return os.open(self.path, flags | os.O_CLOEXEC)
        except OSError as error:
            raise ProviderError(f"{self.path}: {error.strerror}") from None


def find(mapping: str) -> BlockDevice | None:
    """Return the active device of the device-mapper name ``mapping``; None if there is none."""
    path = f"/dev/mapper/{mapping}"
    try:
        number = os.stat(path).st_rdev
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProviderError(f"{path}: {error.strerror}") from None
    attributes = _attributes(number)
    if _read(f"{attributes}/name") != mapping:
        return None
    return BlockDevice(path, _read(f"{attributes}/uuid"))


def _attributes(number: int) -> str:
    return f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/dm"


def _read(path: str) -> str:
    """Return an attribute of a device's; an empty one if the device has none, or is gone."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError as error:
        if error.errno in _GONE:
            return ""
        # Whoever took this for a device that is not there would report a detach that was none.
        raise ProviderError(f"{path}: {error.strerror}") from None
