"""One loop device of this node, spoken to by ioctl: see ``/usr/include/linux/loop.h``."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from extstorage.provider import ProviderError

_LOOP_CLR_FD = 0x4C01
_LOOP_SET_STATUS64 = 0x4C04
_LOOP_GET_STATUS64 = 0x4C05
_LOOP_SET_CAPACITY = 0x4C07
_LOOP_CONFIGURE = 0x4C0A
_LOOP_CTL_ADD = 0x4C80
_LOOP_CTL_GET_FREE = 0x4C82
_BLKROSET = 0x125D
_BLKROGET = 0x125E
_BLKGETSIZE64 = 0x80081272

_AUTOCLEAR = 4
_DIRECT_IO = 16

# struct loop_info64: device, inode, rdevice, offset, size limit; number, encryption
# type and key size, flags; file name; the rest is about encryption.
_INFO = struct.Struct("=5Q4I64s")
_INFO_LENGTH = 232
_FLAGS = 8
_FILE_NAME = 9
# struct loop_config: descriptor, block size, loop_info64, eight reserved words.
_CONFIG = struct.Struct(f"=II{_INFO_LENGTH}s64x")

_BLOCK_SIZE = 512  # the same on every node, whatever disk is below: guests remember it
TAG_LENGTH = 63
"""How long the tag of a mapping can be, in bytes."""


class LoopDevice:
    """An open loop device, for a ``with`` block; while it is open it cannot become another volume.

    Raises OSError when it cannot be opened.
    """

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: str, flags: int = os.O_RDONLY) -> None:
        self.path = path
        self._descriptor = os.open(path, flags | os.O_CLOEXEC)

    def __enter__(self) -> LoopDevice:  # noqa: PYI034 - typing.Self is younger than 3.9
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; the mapping stays."""
        os.close(self._descriptor)

    def _info(self) -> bytearray:
        info = bytearray(_INFO_LENGTH)
        fcntl.ioctl(self._descriptor, _LOOP_GET_STATUS64, info)
        return info

    def tag(self) -> bytes | None:
        """Return the tag that the mapping was made with; None if nothing is mapped."""
        try:
            fields = _INFO.unpack_from(self._info())
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            raise
        name: bytes = fields[_FILE_NAME]
        return name.rstrip(b"\0")

    def inode(self) -> tuple[int, int] | None:
        """Return device and inode of the mapped file, as stat() has them; None if it is gone."""
        try:
            device, inode, *_ = _INFO.unpack_from(self._info())
        except OSError as error:
            if error.errno in (errno.ENXIO, errno.ESTALE):
                return None
            raise
        return device, inode

    def size(self) -> int:
        """Return the device's size in bytes."""
        answer = bytearray(8)
        fcntl.ioctl(self._descriptor, _BLKGETSIZE64, answer)
        return int.from_bytes(answer, "little" if struct.pack("=H", 1)[0] else "big")

    def take_size_of_file(self) -> None:
        """Make the device as large as the file has become; I/O goes on meanwhile."""
        fcntl.ioctl(self._descriptor, _LOOP_SET_CAPACITY, 0)

    def is_read_only(self) -> bool:
        """Return whether the kernel refuses writes to the device."""
        answer = bytearray(4)
        fcntl.ioctl(self._descriptor, _BLKROGET, answer)
        return any(answer)

    def set_read_only(self, read_only: bool) -> None:  # noqa: FBT001 - the value is what is set
        """Make the kernel refuse or allow writes; the device keeps this even when it is freed."""
        fcntl.ioctl(self._descriptor, _BLKROSET, struct.pack("=i", read_only))

    def flush(self) -> None:
        """Bring everything written to the device to the file, and the file to its disk."""
        os.fsync(self._descriptor)

    def configure(self, file: int, tag: bytes) -> None:
        """Map the open ``file``, which stays open for as long as it is mapped.

        Raises OSError: EBUSY if the device is taken.
        """
        # Where the file system cannot do direct I/O the kernel goes on without.
        info = _INFO.pack(0, 0, 0, 0, 0, 0, 0, 0, _DIRECT_IO, tag).ljust(_INFO_LENGTH, b"\0")
        fcntl.ioctl(self._descriptor, _LOOP_CONFIGURE, _CONFIG.pack(file, _BLOCK_SIZE, info))

    def clear_on_last_close(self) -> None:
        """Let the mapping go as soon as nobody, this object included, has the device open."""
        try:
            fcntl.ioctl(self._descriptor, _LOOP_CLR_FD, 0)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise

    def keep(self) -> None:
        """Take back ``clear_on_last_close``."""
        info = self._info()
        fields = list(_INFO.unpack_from(info))
        fields[_FLAGS] &= ~_AUTOCLEAR
        _INFO.pack_into(info, 0, *fields)
        fcntl.ioctl(self._descriptor, _LOOP_SET_STATUS64, bytes(info))


def free_device() -> str:
    """Return the path of a device that was free a moment ago; the kernel makes one if need be."""
    control = _opened_control()
    try:
        return f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
    finally:
        os.close(control)


def new_device() -> str:
    """Return the path of a device beyond all others, made now by this call or another."""
    number = 1 + max((int(name[len("loop") :]) for name in loop_names()), default=-1)
    control = _opened_control()
    try:
        fcntl.ioctl(control, _LOOP_CTL_ADD, number)
    except FileExistsError:
        pass
    finally:
        os.close(control)
    return f"/dev/loop{number}"


def loop_names() -> list[str]:
    """Return the names of all loop devices."""
    return [name for name in os.listdir("/sys/block") if name.startswith("loop")]


def _opened_control() -> int:
    try:
        return os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise ProviderError(
            f"no loop devices on this node: /dev/loop-control: {error.strerror}: modprobe loop"
        ) from None
