"""Files of the kernel, in /proc and /sys: hundreds are read around every test, so without Path."""

from __future__ import annotations

import os

_MOST_AT_ONCE = 1 << 16


def content(path: str) -> str:
    """Return what the file says; ``""`` if it is not there or does not say it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    parts = []
    try:
        while part := os.read(descriptor, _MOST_AT_ONCE):
            parts.append(part)
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    return b"".join(parts).decode(errors="replace")


def names(directory: str) -> list[str]:
    """Return the names of the entries of a directory; raises OSError."""
    return os.listdir(directory)  # noqa: PTH208 - a Path for each is what costs
