"""ptrace and seccomp of Linux on x86-64, as far as the tracer needs them.

Numbers and structures are those of ``linux/ptrace.h``, ``linux/seccomp.h``, ``linux/filter.h``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MACHINE = "x86_64"
_AUDIT_ARCH = 0xC000003E

_CONT = 7
_SYSCALL = 24
_GETREGS = 12  # User-Mode Linux has no GETREGSET
_SETREGS = 13
_SEIZE = 0x4206
_LISTEN = 0x4208
_GETEVENTMSG = 0x4201
_GET_SYSCALL_INFO = 0x420E

# TRACESYSGOOD, FORK, VFORK, CLONE, EXEC, EXIT, SECCOMP, EXITKILL
_OPTIONS = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x40 | 0x80 | 0x100000

EVENT_FORK = 1
EVENT_VFORK = 2
EVENT_CLONE = 3
EVENT_EXEC = 4
EVENT_EXIT = 6
EVENT_SECCOMP = 7
EVENT_STOP = 128
SYSCALL_STOP = 5 | 0x80
"""The stop signal of a syscall stop: SIGTRAP, with TRACESYSGOOD's mark."""

ENTRY = 1
EXIT = 2

WALL = 0x40000000

_WORDS = 27
_RAX = 10
_ARGUMENTS = (14, 13, 12, 7, 9, 8)  # rdi, rsi, rdx, r10, r8, r9
_ORIG_RAX = 15
_RSP = 19

_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_RET_TRACE = 0x7FF00000
_RET_ALLOW = 0x7FFF0000
_LOAD = 0x20
_JUMP_IF_EQUAL = 0x15
_RETURN = 0x06

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, process: int, address: int = 0, data: int = 0) -> int:
    ctypes.set_errno(0)
    result: int = _libc.ptrace(request, process, address, data)
    if result < 0 and ctypes.get_errno():
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def seize(process: int) -> None:
    """Trace ``process`` and all that it starts; they die with the tracer. Raises OSError."""
    _ptrace(_SEIZE, process, 0, _OPTIONS)


def resume(process: int, signal_number: int = 0, *, to_syscall: bool = False) -> None:
    """Let a stopped process go on, delivering a signal; ``to_syscall`` stops at the next call."""
    _ptrace(_SYSCALL if to_syscall else _CONT, process, 0, signal_number)


def listen(process: int) -> None:
    """Leave a process stopped that a signal (SIGSTOP) has stopped, until SIGCONT."""
    _ptrace(_LISTEN, process)


def event_message(process: int) -> int:
    """Return what the last event stop says: a new process's number, or an exit status."""
    value = ctypes.c_ulong()
    _ptrace(_GETEVENTMSG, process, 0, ctypes.addressof(value))
    return value.value


class Registers:
    """The registers of a stopped process: a system call's number, arguments and result."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._words = (ctypes.c_uint64 * _WORDS)()
        _ptrace(_GETREGS, process, 0, ctypes.addressof(self._words))

    @property
    def number(self) -> int:
        """The system call's number."""
        return int(self._words[_ORIG_RAX])

    @property
    def arguments(self) -> tuple[int, ...]:
        """The system call's six arguments, without sign."""
        return tuple(int(self._words[index]) for index in _ARGUMENTS)

    @property
    def result(self) -> int:
        """What the system call gave: minus an errno when it failed."""
        return ctypes.c_int64(self._words[_RAX]).value

    @property
    def stack(self) -> int:
        """The stack pointer."""
        return int(self._words[_RSP])

    def give(self, result: int) -> None:
        """Let the system call, which has ended, have given ``result``."""
        self._words[_RAX] = result
        self._store()

    def fail(self, error: int) -> None:
        """Let the system call, which has not begun, fail with ``error`` (an errno)."""
        self._words[_ORIG_RAX] = 2**64 - 1
        self._words[_RAX] = 2**64 - error
        self._store()

    def become(self, number: int, argument: int = 0) -> None:
        """Let the system call, which has not begun, be another one."""
        self._words[_ORIG_RAX] = number
        self._words[_ARGUMENTS[0]] = argument
        self._store()

    def _store(self) -> None:
        _ptrace(_SETREGS, self._process, 0, ctypes.addressof(self._words))


def syscall_stop(process: int) -> int:
    """Return whether a process is at a system call's ENTRY or EXIT, or at neither (0)."""
    info = ctypes.create_string_buffer(88)
    try:
        _ptrace(_GET_SYSCALL_INFO, process, len(info), ctypes.addressof(info))
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        # User-Mode Linux does not tell. It sets this result before a call begins.
        return ENTRY if Registers(process).result == -errno.ENOSYS else EXIT
    return info.raw[0]


def trace_calls(numbers: Iterable[int]) -> None:
    """Let this process, and all that it starts, stop for its tracer at these system calls only.

    Without a tracer they fail with ENOSYS from then on. Raises OSError.
    """
    wanted = sorted(numbers)
    count = len(wanted)
    program = [
        struct.pack("HBBI", _LOAD, 0, 0, 4),
        struct.pack("HBBI", _JUMP_IF_EQUAL, 1, 0, _AUDIT_ARCH),
        struct.pack("HBBI", _RETURN, 0, 0, _RET_ALLOW),
        struct.pack("HBBI", _LOAD, 0, 0, 0),
        *(
            struct.pack("HBBI", _JUMP_IF_EQUAL, count - index, 0, number)
            for index, number in enumerate(wanted)
        ),
        struct.pack("HBBI", _RETURN, 0, 0, _RET_ALLOW),
        struct.pack("HBBI", _RETURN, 0, 0, _RET_TRACE),
    ]
    code = b"".join(program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer))
    if os.geteuid() != 0:
        _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0):
        code_ = ctypes.get_errno()
        raise OSError(code_, os.strerror(code_))
