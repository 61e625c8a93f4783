"""Stamped blocks, written to devices and read from them.

Direct I/O keeps the node's page cache out of the way. Offsets and sizes are in bytes; every
function raises OSError.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage_conformance.stamps import BLOCK_BYTES, Stamp, describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from extstorage_conformance.node_side.guard import DeviceGuard

_BLKDISCARD = 0x1277
_BLKSSZGET = 0x1268
_LONGEST_SUSPENSION_S = 5.0  # a living command of device-mapper's takes milliseconds


def _whole(transferred: int, offset: int) -> None:
    """Raise OSError unless a whole block was transferred: the last one may lie half outside."""
    if transferred != BLOCK_BYTES:
        raise OSError(errno.ENOSPC, f"the device ends {transferred} bytes into block {offset}")


def _expect_awake(descriptor: int, path: str) -> None:
    """Raise OSError if device-mapper lets I/O wait, perhaps for ever, for somebody to resume it."""
    number = os.fstat(descriptor).st_rdev
    state = f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/dm/suspended"
    give_up = time.monotonic() + _LONGEST_SUSPENSION_S
    while _is_one(state):
        if time.monotonic() > give_up:
            raise OSError(errno.ETIMEDOUT, f"{path} is suspended: I/O waits for a resume", path)
        time.sleep(0.05)


def _is_one(path: str) -> bool:
    try:
        return Path(path).read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False


class Devices:
    """The block devices of the node; only those that ``guard`` lets through are written to."""

    def __init__(self, guard: DeviceGuard) -> None:
        self._guard = guard

    @contextmanager
    def opened(self, path: str, flags: int) -> Iterator[int]:
        """Open the device ``path`` for the length of a with block; gives the descriptor."""
        if flags & os.O_RDWR:
            self._guard.check(path)
        descriptor = os.open(path, flags | os.O_CLOEXEC)
        try:
            _expect_awake(descriptor, path)
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _direct(self, path: str, flags: int) -> Iterator[tuple[int, mmap.mmap]]:
        """Open ``path`` for direct I/O; gives the descriptor and a buffer of one block."""
        opened = self.opened(path, flags | os.O_DIRECT)
        with opened as descriptor, mmap.mmap(-1, BLOCK_BYTES) as buffer:
            yield descriptor, buffer

    def probe(self, path: str) -> None:
        """Read the first block of device ``path`` and write it back as it was."""
        with self._direct(path, os.O_RDWR) as (descriptor, buffer):
            os.preadv(descriptor, [buffer], 0)
            os.pwritev(descriptor, [buffer], 0)

    def size_bytes(self, path: str) -> int:
        """Return the size of the block device ``path``."""
        with self.opened(path, os.O_RDONLY) as descriptor:
            return os.lseek(descriptor, 0, os.SEEK_END)

    def sector_bytes(self, path: str) -> int:
        """Return the size of a logical sector of the block device ``path``."""
        with self.opened(path, os.O_RDONLY) as descriptor:
            (size,) = struct.unpack("i", fcntl.ioctl(descriptor, _BLKSSZGET, bytes(4)))
            return int(size)

    def write_blocks(self, path: str, blocks: Iterable[tuple[int, bytes]]) -> None:
        """Write blocks, each given with its offset."""
        with self._direct(path, os.O_RDWR) as (descriptor, buffer):
            for offset, block in blocks:
                buffer[:] = block
                _whole(os.pwritev(descriptor, [buffer], offset), offset)

    def write(self, path: str, volume: str, offsets: Iterable[int], generation: int) -> None:
        """Stamp the blocks of device ``path`` at ``offsets``."""
        self.write_blocks(
            path, ((offset, Stamp(volume, offset, generation).to_block()) for offset in offsets)
        )

    def write_through_cache(
        self, path: str, volume: str, offsets: Iterable[int], generation: int
    ) -> None:
        """Stamp blocks as ``write`` does, but through the page cache, and fsync."""
        with self.opened(path, os.O_RDWR) as descriptor:
            for offset in offsets:
                block = Stamp(volume, offset, generation).to_block()
                _whole(os.pwrite(descriptor, block, offset), offset)
            os.fsync(descriptor)

    def discard(self, path: str, start: int, length: int) -> None:
        """Discard a range of device ``path``; an error if it does not support that."""
        with self.opened(path, os.O_RDWR) as descriptor:
            fcntl.ioctl(descriptor, _BLKDISCARD, struct.pack("<QQ", start, length))

    def blocks(self, path: str, offsets: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Yield the blocks of device ``path`` at ``offsets``, each with its offset."""
        with self._direct(path, os.O_RDONLY) as (descriptor, buffer):
            for offset in offsets:
                buffer[:] = bytes(BLOCK_BYTES)
                os.preadv(descriptor, [buffer], offset)
                yield offset, bytes(buffer)

    def mismatches(
        self, path: str, volume: str, offsets: Iterable[int], generation: int
    ) -> list[str]:
        """Return one sentence for each block that does not carry its own stamp."""
        return [
            f"block at byte {offset} holds {describe(block)}"
            for offset, block in self.blocks(path, offsets)
            if block != Stamp(volume, offset, generation).to_block()
        ]

    def nonzero_blocks(self, path: str, offsets: Iterable[int]) -> list[int]:
        """Return those of ``offsets`` whose block is not all zeros."""
        return [offset for offset, block in self.blocks(path, offsets) if any(block)]

    def copy(self, source: str, target: str) -> None:
        """Copy all of the device ``source`` to the beginning of the device ``target``."""
        with self.opened(source, os.O_RDONLY) as reading, self.opened(target, os.O_RDWR) as writing:
            while data := os.read(reading, 1 << 20):
                if os.write(writing, data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)
            os.fsync(writing)
