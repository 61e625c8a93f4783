"""Copying one device to another, past the page cache."""

from __future__ import annotations

import mmap
import os

from extstorage.provider import ProviderError

_CHUNK = 4 * 1024 * 1024


def copy(source: str, target: str, size: int) -> None:
    """Copy ``size`` bytes from the device ``source`` to ``target``; they are on disk then."""
    reading = os.open(source, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    try:
        writing = os.open(target, os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
        try:
            _copy(reading, writing, size)
            os.fsync(writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _copy(reading: int, writing: int, size: int) -> None:
    with mmap.mmap(-1, _CHUNK) as buffer, memoryview(buffer) as view:
        for offset in range(0, size, _CHUNK):
            length = min(_CHUNK, size - offset)
            with view[:length] as part:
                read = os.preadv(reading, [part], offset)
                written = os.pwritev(writing, [part], offset)
            if (read, written) != (length, length):
                raise ProviderError(f"the copy ended early, at byte {offset}")
