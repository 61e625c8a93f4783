"""The blocks of a data file: how many there are."""

from __future__ import annotations

import os

from extstorage.provider import ProviderError
from loopback.volumes import MIB


def extend(data: int, size: int, *, preallocate: bool) -> None:
    """Make the open file ``data`` at least ``size`` MiB; its size is as before if that fails."""
    before = os.fstat(data).st_size
    after = size * MIB
    if after <= before:
        return
    try:
        if preallocate:
            os.posix_fallocate(data, before, after - before)
        else:
            os.ftruncate(data, after)
    except OSError as error:
        os.ftruncate(data, before)
        raise ProviderError(f"cannot give the volume {size} MiB: {error.strerror}") from None


def grow(path: str, new_size: int, *, preallocate: bool) -> None:
    """Make the file at ``path`` ``new_size`` MiB; never make it smaller."""
    data = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.fstat(data).st_size
        if new_size * MIB < size:
            raise ProviderError(
                f"VOL_NEW_SIZE: expected at least the volume's {size // MIB} MiB,"
                f" found {new_size}: a volume never shrinks"
            )
        extend(data, new_size, preallocate=preallocate)
        os.fsync(data)
    finally:
        os.close(data)
