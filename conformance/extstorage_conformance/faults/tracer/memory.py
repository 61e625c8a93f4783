"""What a stopped process has: the strings in its memory, its open files, its directory."""

from __future__ import annotations

import os

_CHUNK = 256
_LONGEST = 4096


class Memory:
    """Reads one process's memory and descriptors.

    ``outputs`` are the files that its standard output and error go to, ``provider`` is the
    provider's directory with a slash at its end.
    """

    def __init__(self, process: int, outputs: frozenset[str], provider: str) -> None:
        self._process = process
        self.outputs = outputs
        self.provider = provider

    def read(self, address: int, length: int) -> bytes:
        """Return up to ``length`` bytes at ``address``; none if there is nothing."""
        try:
            file = os.open(f"/proc/{self._process}/mem", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            return os.pread(file, length, address)
        except (OSError, OverflowError):
            return b""
        finally:
            os.close(file)

    def text(self, address: int) -> str:
        """Return the string at ``address``."""
        found = b""
        while address and b"\0" not in found and len(found) < _LONGEST:
            # Not over a page's end: what lies behind may not be there.
            part = self.read(address + len(found), _CHUNK - (address + len(found)) % _CHUNK)
            if not part:
                break
            found += part
        return os.fsdecode(found.partition(b"\0")[0])

    def word(self, address: int) -> int:
        """Return the 64-bit number at ``address``."""
        return int.from_bytes(self.read(address, 8), "little")

    def words(self, address: int, most: int = 64) -> list[str]:
        """Return the strings that an array of pointers, ended by 0, leads to: an argv."""
        found = []
        for index in range(most):
            pointer = self.word(address + 8 * index)
            if not pointer:
                break
            found.append(self.text(pointer))
        return found

    def descriptor(self, number: int) -> str:
        """Return what descriptor ``number`` leads to: a path, ``pipe:[5]``; "" if it is closed."""
        return _link(f"/proc/{self._process}/fd/{number & 0xFFFFFFFF}")

    def directory(self) -> str:
        """Return the working directory."""
        return _link(f"/proc/{self._process}/cwd")


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def outputs_of(process: int) -> frozenset[str]:
    """Return the files that the standard output and error of ``process`` go to."""
    return frozenset(filter(None, (_link(f"/proc/{process}/fd/{number}") for number in (1, 2))))
