"""A clock that is wrong: the time of day that a script and its tools read is shifted.

Programs read the clock in a page that the kernel maps into them, without a system call. A program
that is not told of that page asks the kernel. The times of files are the kernel's, and right.
"""

from __future__ import annotations

import os
import struct

from extstorage_conformance.faults.tracer.kernel import Registers

NUMBERS = {96: "gettimeofday", 201: "time", 228: "clock_gettime"}
"""Names by number, on x86-64."""

_OF_DAY = (0, 5, 8, 11)  # CLOCK_REALTIME, its COARSE and ALARM, CLOCK_TAI
_WORD = struct.Struct("q")
_AT_IGNORE = 1
_AT_SYSINFO_EHDR = 33
_AUXILIARY = struct.Struct("QQ")


class Clock:
    """Shifts the time of day by ``shift`` seconds once it has been read ``after`` times."""

    def __init__(self, shift: int, after: int) -> None:
        self._shift = shift
        self._after = after
        self.read = 0

    def has_read(self, process: int, name: str, arguments: tuple[int, ...]) -> None:
        """Change what a process, at the end of the system call ``name``, has been told."""
        if name == "clock_gettime" and arguments[0] & 0xFFFFFFFF not in _OF_DAY:
            return
        self.read += 1
        registers = Registers(process)
        if self.read <= self._after or registers.result < 0:
            return
        if name == "time":
            registers.give(registers.result + self._shift)
        address = arguments[1 if name == "clock_gettime" else 0]
        if address:
            _add(process, address, self._shift)


def _add(process: int, address: int, number: int) -> None:
    file = os.open(f"/proc/{process}/mem", os.O_RDWR | os.O_CLOEXEC)
    try:
        (before,) = _WORD.unpack(os.pread(file, _WORD.size, address))
        os.pwrite(file, _WORD.pack(before + number), address)
    except (OSError, struct.error):
        pass  # the process is gone, or gave a wrong address
    finally:
        os.close(file)


def hide_page(process: int) -> None:
    """Let a program that has not begun yet not know where it could read the clock by itself."""
    file = os.open(f"/proc/{process}/mem", os.O_RDWR | os.O_CLOEXEC)
    try:
        # The number of arguments, the arguments, 0, the environment, 0, the auxiliary vector.
        address = Registers(process).stack
        (arguments,) = _WORD.unpack(os.pread(file, _WORD.size, address))
        address += _WORD.size * (arguments + 2)
        while os.pread(file, _WORD.size, address) != bytes(_WORD.size):
            address += _WORD.size
        _ignore_page(file, address + _WORD.size)
    finally:
        os.close(file)


def _ignore_page(file: int, address: int) -> None:
    kind = _AT_IGNORE
    while kind:
        kind, value = _AUXILIARY.unpack(os.pread(file, _AUXILIARY.size, address))
        if kind == _AT_SYSINFO_EHDR:
            os.pwrite(file, _AUXILIARY.pack(_AT_IGNORE, value), address)
        address += _AUXILIARY.size
