"""Data that tells where it belongs: stamped blocks, written and read with direct I/O.

Each block carries the volume's name, its own offset and a generation, so that
a block of another volume, of another place or of an earlier time is recognised.
Direct I/O keeps this node's page cache out of the way.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BLOCK_BYTES = 4096
MIB = 1024 * 1024
_HEADER = struct.Struct("<8s64sQQ")
_MAGIC = b"ESSTAMP1"
_BLKDISCARD = 0x1277


@dataclass(frozen=True)
class Stamp:
    """What a block says of itself; ``offset`` in bytes."""

    volume: str
    offset: int
    generation: int

    def to_block(self) -> bytes:
        """Return the block: the header, repeated to the block's end."""
        header = _HEADER.pack(_MAGIC, self.volume.encode(), self.offset, self.generation)
        repeated = header * (BLOCK_BYTES // len(header) + 1)
        return repeated[:BLOCK_BYTES]

    @classmethod
    def from_block(cls, block: bytes) -> Stamp | None:
        """Return the stamp of ``block``; None when it is no intact stamped block."""
        magic, volume, offset, generation = _HEADER.unpack_from(block)
        if magic != _MAGIC:
            return None
        stamp = cls(volume.rstrip(b"\0").decode(errors="replace"), offset, generation)
        return stamp if stamp.to_block() == block else None


class Meter:
    """Adds up the time that the main thread spends in device I/O."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count ``seconds``; what a stream does meanwhile costs the run no time."""
        if threading.current_thread() is threading.main_thread():
            self._seconds += seconds

    def take(self) -> float:
        """Return the seconds since the last time, and begin anew."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds


METER = Meter()

_guards: list[Callable[[str], None]] = []


@contextmanager
def guarded_by(check: Callable[[str], None]) -> Iterator[None]:
    """Let ``check`` raise OSError before a device is opened for writing, in the with block."""
    _guards.append(check)
    try:
        yield
    finally:
        _guards.remove(check)


@contextmanager
def _open(path: str, flags: int) -> Iterator[int]:
    if flags & os.O_RDWR:
        for check in _guards:
            check(path)
    started = time.monotonic()
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        METER.add(time.monotonic() - started)


def probe(path: str) -> None:
    """Read the first block of device ``path`` and write it back as it was; raises OSError."""
    with _open(path, os.O_RDWR | os.O_DIRECT) as descriptor, mmap.mmap(-1, BLOCK_BYTES) as buffer:
        os.preadv(descriptor, [buffer], 0)
        os.pwritev(descriptor, [buffer], 0)


def size_bytes(path: str) -> int:
    """Return the size of the block device ``path`` in bytes."""
    with _open(path, os.O_RDONLY) as descriptor:
        return os.lseek(descriptor, 0, os.SEEK_END)


def spread(device_bytes: int, count: int = 16) -> list[int]:
    """Return ``count`` block offsets over a device, its first and last block among them."""
    last = device_bytes // BLOCK_BYTES - 1
    return sorted({last * index // (count - 1) * BLOCK_BYTES for index in range(count)})


def _whole(transferred: int, offset: int) -> None:
    """Raise OSError unless a whole block was transferred: the last one may lie half outside."""
    if transferred != BLOCK_BYTES:
        raise OSError(errno.ENOSPC, f"the device ends {transferred} bytes into block {offset}")


def write(path: str, volume: str, offsets: Iterable[int], generation: int = 1) -> None:
    """Stamp the blocks of device ``path`` at ``offsets`` (bytes); raises OSError."""
    with _open(path, os.O_RDWR | os.O_DIRECT) as descriptor, mmap.mmap(-1, BLOCK_BYTES) as buffer:
        for offset in offsets:
            buffer[:] = Stamp(volume, offset, generation).to_block()
            _whole(os.pwritev(descriptor, [buffer], offset), offset)


def write_block(path: str, offset: int, block: bytes) -> None:
    """Write one block (BLOCK_BYTES bytes) to device ``path`` at ``offset``; raises OSError."""
    with _open(path, os.O_RDWR | os.O_DIRECT) as descriptor, mmap.mmap(-1, BLOCK_BYTES) as buffer:
        buffer[:] = block
        _whole(os.pwritev(descriptor, [buffer], offset), offset)


def write_through_cache(
    path: str, volume: str, offsets: Iterable[int], generation: int = 1
) -> None:
    """Stamp blocks as ``write`` does, but through the page cache, and fsync; raises OSError."""
    with _open(path, os.O_RDWR) as descriptor:
        for offset in offsets:
            block = Stamp(volume, offset, generation).to_block()
            _whole(os.pwrite(descriptor, block, offset), offset)
        os.fsync(descriptor)


def discard(path: str, start: int, length: int) -> None:
    """Discard a range (bytes) of device ``path``; raises OSError if it does not support that."""
    with _open(path, os.O_RDWR) as descriptor:
        fcntl.ioctl(descriptor, _BLKDISCARD, struct.pack("<QQ", start, length))


def read_block(path: str, offset: int) -> bytes:
    """Return the block of device ``path`` at ``offset`` (bytes); raises OSError."""
    with _open(path, os.O_RDONLY | os.O_DIRECT) as descriptor, mmap.mmap(-1, BLOCK_BYTES) as buffer:
        os.preadv(descriptor, [buffer], offset)
        return bytes(buffer)


def mismatches(path: str, volume: str, offsets: Iterable[int], generation: int = 1) -> list[str]:
    """Return one sentence for each block that does not carry its own stamp."""
    found = []
    for offset in offsets:
        block = read_block(path, offset)
        expected = Stamp(volume, offset, generation)
        if block != expected.to_block():
            found.append(f"block at byte {offset} holds {describe(block)}")
    return found


def describe(block: bytes) -> str:
    """Return in words what a block holds."""
    if not any(block):
        return "zeros"
    stamp = Stamp.from_block(block)
    if stamp is None:
        return "data that no test wrote, or a torn block"
    return f"volume {stamp.volume}, byte {stamp.offset}, generation {stamp.generation}"


def nonzero_blocks(path: str, offsets: Iterable[int]) -> list[int]:
    """Return those of ``offsets`` whose block is not all zeros."""
    return [offset for offset in offsets if any(read_block(path, offset))]


@dataclass
class Stream:
    """A writer that keeps a device busy: stamps, reads back, notes errors and stalls."""

    path: str
    volume: str
    offsets: list[int]
    pause_s: float = 0.002
    rounds: int = 0
    longest_s: float = 0.0
    errors: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def _run(self) -> None:
        generation = 1
        while not self._stop.wait(self.pause_s):
            offset = self.offsets[generation % len(self.offsets)]
            started = time.monotonic()
            try:
                write(self.path, self.volume, [offset], generation)
                self.errors += mismatches(self.path, self.volume, [offset], generation)
            except OSError as error:
                self.errors.append(f"I/O at byte {offset}: {error}")
            self.longest_s = max(self.longest_s, time.monotonic() - started)
            self.rounds += 1
            generation += 1

    @contextmanager
    def running(self) -> Iterator[Stream]:
        """Write in the background until the block of the with statement ends.

        The device stays open all the while, as an instance's disk does.
        """
        thread = threading.Thread(target=self._run, name=f"stream-{self.volume}")
        with ExitStack() as stack:
            with suppress(OSError):  # the writer's own attempts tell
                stack.enter_context(_open(self.path, os.O_RDWR))
            thread.start()
            try:
                _wait_for(lambda: self.rounds > 0 or bool(self.errors))
                yield self
            finally:
                self._stop.set()
                thread.join()


def _wait_for(condition: object, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while callable(condition) and not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
