"""A frozen copy of a file that may be written to meanwhile."""

from __future__ import annotations

import errno
import fcntl
import os
import time

from extstorage.provider import ProviderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_FICLONE = 0x40049409
_CHUNK = 4 * 1024 * 1024
_TIME_S = 20.0
_SECOND_NS = 1_000_000_000


class _Changed(Exception):  # noqa: N818 - no error: it ends one attempt
    """The file was written to while it was copied."""


def copy_frozen(origin: str, copy: int) -> None:
    """Make the open file ``copy`` what the file ``origin`` was at one moment.

    Where the file system shares blocks between files (XFS, Btrfs) that is one step,
    whatever is written meanwhile. Elsewhere the blocks are copied until none was
    written during a whole pass; ProviderError if that does not come to pass.
    """
    source = os.open(origin, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not _clone(source, copy):
            _copy_when_quiet(origin, source, copy)
    finally:
        os.close(source)


def _clone(source: int, copy: int) -> bool:
    try:
        fcntl.ioctl(copy, _FICLONE, source)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.ENOSYS):
            return False
        raise
    return True


def _copy_when_quiet(origin: str, source: int, copy: int) -> None:
    give_up = time.monotonic() + _TIME_S
    while time.monotonic() < give_up:
        if _copied_unchanged(origin, source, copy):
            return
    raise ProviderError(
        f"the volume was written to during every copy for {_TIME_S:g} s: stop its instance, or"
        " keep the directory on XFS or Btrfs, where a snapshot takes no copy"
    )


def _copied_unchanged(origin: str, source: int, copy: int) -> bool:
    before = _version(origin)
    time.sleep(_tick_s(before))
    try:
        # Unchanged for a tick: from here on every write makes another version.
        _expect(before, origin)
        _copy(source, copy, lambda: _expect(before, origin))
    except _Changed:
        return False
    return True


def _tick_s(version: tuple[int, int, int]) -> float:
    """Return a time longer than what the file system rounds a file's times to."""
    _, modified_ns, _ = version
    return 0.02 if modified_ns % _SECOND_NS else 1.1  # ext4 with small inodes keeps seconds


def _version(path: str) -> tuple[int, int, int]:
    # Opened anew: a network file system then asks its server.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _expect(version: tuple[int, int, int], path: str) -> None:
    if _version(path) != version:
        raise _Changed


def _copy(source: int, copy: int, check: Callable[[], None]) -> None:
    size = os.fstat(source).st_size
    os.ftruncate(copy, 0)  # what an earlier pass wrote may be a hole now
    os.ftruncate(copy, size)
    position = 0
    while position < size:
        start, end = _next_extent(source, position, size)
        for offset in range(start, end, _CHUNK):
            _write(copy, os.pread(source, min(_CHUNK, end - offset), offset), offset)
            check()
        position = end
    check()


def _next_extent(source: int, position: int, size: int) -> tuple[int, int]:
    """Return where the next data begin and end; ``(size, size)`` if there are none."""
    try:
        start = os.lseek(source, position, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size, size
        raise
    return start, os.lseek(source, start, os.SEEK_HOLE)


def _write(copy: int, block: bytes, offset: int) -> None:
    while block:
        written = os.pwrite(copy, block, offset)
        block = block[written:]
        offset += written
