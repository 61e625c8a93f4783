"""Hands a command to the process that has everything imported already (``resident.py``).

Python itself starts in the time that a script takes; what Ganeti's commands import here takes ten
times as long. So this module imports next to nothing, and nothing that it does changes what the
command does: whenever there is nobody to hand it to, ``handed_over`` returns None and the command
is carried out here.
"""

from __future__ import annotations

# Not the modules socket and signal: socket takes as long to import as Python to start.
import _signal  # type: ignore[import-not-found]  # no stubs
import _socket
import marshal
import os
import sys

from extstorage.cluster import location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

PROGRAMS = ("gnt-instance", "gnt-storage", "gnt-backup", "gnt-node", "gnt-cluster")
VARIABLE = "EXTSTORAGE_RESIDENT"
"""Set to ``no``, every command is carried out by the process that it was typed at."""

TAKEN = b"\1"
INTERRUPT = b"I"
LENGTH_BYTES = 4
_LOST = 3
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - slow


def kind() -> tuple[str, ...]:
    """Return what both ends have to have in common: interpreter and code."""
    return (sys.prefix, sys.version, _PACKAGE)


def handed_over(argv: Sequence[str]) -> int | None:
    """Have a command carried out; return its exit status, or None if nobody took it."""
    if not argv or argv[0] not in PROGRAMS or os.environ.get(VARIABLE) == "no":
        return None
    directory = _directory(argv)
    if directory is None:
        return None
    with _Interrupts() as interrupts:
        try:
            line = connected(directory)
        except OSError:
            return None
        try:
            if not _is_taken(line, argv):
                return None
            interrupts.go_to(line)
            return _awaited(line)
        finally:
            line.close()


class _Interrupts:
    """Interrupts while a command is handed over: they are for who carries it out.

    The terminal tells this process alone. What comes before the command is taken is kept for then,
    or raised at the end if nobody takes it; a second one does not wait for that.
    """

    def __init__(self) -> None:
        self._is_waiting = False
        self._line: _socket.socket | None = None
        # Not if it is ignored, as in the background.
        self._is_wanted = _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler

    def __enter__(self) -> Self:
        if self._is_wanted:
            # A handler that returns: an exception could come between an answer and its use.
            _signal.signal(_signal.SIGINT, self._come)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._is_wanted:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)
        if self._is_waiting:
            raise KeyboardInterrupt

    def go_to(self, line: _socket.socket) -> None:
        """Pass on over this line what has come, and what comes."""
        self._line = line
        if self._is_waiting:
            self._is_waiting = False
            _tell_interrupt(line)

    def _come(self, _number: int, _frame: object) -> None:
        if self._line is not None:
            _tell_interrupt(self._line)
        elif self._is_waiting:
            raise KeyboardInterrupt
        else:
            self._is_waiting = True


def _tell_interrupt(line: _socket.socket) -> None:
    try:  # noqa: SIM105 - contextlib is slow to import
        line.send(INTERRUPT)
    except OSError:
        pass  # the command has ended just now; how, is on the line


def _is_taken(line: _socket.socket, argv: Sequence[str]) -> bool:
    try:
        here = os.getcwd()  # noqa: PTH109 - pathlib is slow to import
        _send(line, (kind(), here, _umask(), list(argv), dict(os.environ)))
        return line.recv(1) == TAKEN
    except OSError:
        return False


def _directory(argv: Sequence[str]) -> str | None:
    given = None
    if len(argv) > 2 and argv[1] == "--cluster-dir":  # noqa: PLR2004 - the option and its value
        given = argv[2]
    elif len(argv) > 1 and argv[1].startswith("--cluster-dir="):
        given = argv[1].partition("=")[2]
    try:
        here = os.getcwd()  # noqa: PTH109 - pathlib is slow to import
        return location.named(given, os.environ) or location.nearest(here)
    except OSError:  # the working directory is gone
        return None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def connected(directory: str) -> _socket.socket:
    """Return a line to the process that takes a cluster's commands. Raises OSError."""
    # The path of a socket is short; that of a directory need not be.
    place = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        line.connect(f"/proc/self/fd/{place}/{location.RESIDENT}")
    except OSError:
        line.close()
        raise
    finally:
        os.close(place)
    return line


def _send(line: _socket.socket, request: tuple[Any, ...]) -> None:
    data = marshal.dumps(request)
    data = len(data).to_bytes(LENGTH_BYTES, "big") + data
    standard = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    sent = line.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, standard)])
    while sent < len(data):
        sent += line.send(data[sent:])


def _awaited(line: _socket.socket) -> int:
    try:
        status = line.recv(1)
    except OSError:
        status = b""
    if status:
        return status[0]
    print(
        "extstorage: the process that carried the command out has ended; type it again",
        file=sys.stderr,
    )
    return _LOST
