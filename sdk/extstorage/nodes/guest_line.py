"""The way of requests into a guest: a serial line that must never be full.

User-Mode Linux stops listening to a serial line for good when its buffer of 4096 bytes runs full.
So the guest counts what it has read, and this machine never sends more than fits.
"""

from __future__ import annotations

import contextlib
import os

WINDOW = 3072
"""The most bytes that are on their way and not read yet."""

STEP = 512
"""The bytes that one byte from the guest says are read."""


class Feeder:
    """Passes requests on to a guest, as fast as that one reads them.

    Args:
        requests: The descriptor that requests come from.
        guest: The descriptor that the guest's serial line is fed by.
        read: The descriptor that the guest says on what it has read.
    """

    def __init__(self, requests: int, guest: int, read: int) -> None:
        self._requests = requests
        self._guest = guest
        self._read = read
        self._under_way = 0
        self._ended = False

    def waits_for(self) -> list[int]:
        """Return the descriptors whose data ``pass_on`` takes."""
        full = self._ended or self._under_way >= WINDOW
        return [self._read] if full else [self._read, self._requests]

    def pass_on(self, ready: list[int]) -> None:
        """Take what descriptors of ``waits_for`` have; at the end of requests hang up."""
        if self._read in ready:
            self._under_way -= STEP * len(os.read(self._read, WINDOW))
        if self._requests in ready:
            data = os.read(self._requests, WINDOW - self._under_way)
            if data:
                self._under_way += len(data)
                # It fits: a pipe holds more than the window.
                with contextlib.suppress(BrokenPipeError):  # the guest is going
                    os.write(self._guest, data)
            else:
                self._ended = True
                os.close(self._guest)


class Reader:
    """Reads requests in the guest, and says so.

    Args:
        line: The descriptor of the serial line.
        read: The descriptor to say on what was read.
    """

    def __init__(self, line: int, read: int) -> None:
        self._line = line
        self._said = read
        self._unsaid = 0

    def read(self) -> bytes:
        """Return what has come; nothing at the end."""
        data = os.read(self._line, WINDOW)
        steps, self._unsaid = divmod(self._unsaid + len(data), STEP)
        if steps:
            os.write(self._said, b"." * steps)
        return data
