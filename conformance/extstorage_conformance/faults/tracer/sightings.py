"""What others on the node can see of a script, or get in the way of: arguments, shared places."""

from __future__ import annotations

import os
import stat

from extstorage_conformance.faults.tracer import calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from extstorage_conformance.faults.tracer.memory import Memory

_MAKES_DIRECTORY = ("mkdir", "mkdirat")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_ONLY_NEW = os.O_CREAT | os.O_EXCL
_TEMPORARY = os.O_TMPFILE


class Sightings:
    """The arguments of every program that is executed, and what is made in shared directories.

    A directory is shared when anybody can write to it, as to /tmp. ``trusting`` are the files
    there that are opened for writing although this script has not made them itself, as new ones:
    somebody else may have put a link there. ``made`` are those, and the directories, that the
    script made.
    """

    def __init__(self) -> None:
        self._arguments: list[list[str]] = []
        self._trusting: list[str] = []
        self._made: dict[str, str] = {}

    def executes(self, argv: list[str]) -> None:
        """Note that a program is about to be executed."""
        self._arguments.append(argv)

    def calls(self, name: str, arguments: tuple[int, ...], memory: Memory) -> None:
        """Note what the system call ``name`` is about to do in a shared directory."""
        if name in _MAKES_DIRECTORY:
            path = calls.path_of(name, arguments, memory)
            if _is_shared(path) and not os.path.lexists(path):
                self._made[path] = "directory"
            return
        opening = calls.opening(name, arguments, memory)
        if opening is not None:
            self._opens(*opening)

    def _opens(self, path: str, flags: int) -> None:
        if not flags & _WRITES or flags & _TEMPORARY == _TEMPORARY or not _is_shared(path):
            return
        if path not in self._made and flags & _ONLY_NEW != _ONLY_NEW:
            self._trusting.append(path)
        if flags & os.O_CREAT and not os.path.lexists(path):
            self._made[path] = "file"

    def to_json(self) -> dict[str, Any]:
        """Return all of it as a JSON object."""
        return {"arguments": self._arguments, "trusting": self._trusting, "made": self._made}


def _is_shared(path: str) -> bool:
    try:
        mode = os.stat(os.path.dirname(path)).st_mode
    except OSError:
        return False
    return stat.S_ISDIR(mode) and bool(mode & stat.S_IWOTH)
