"""What the tracer is told to do: where to report, which step to break, and how."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from extstorage_conformance.faults.tracer.calls import Effect
    from extstorage_conformance.faults.tracer.steps import Step

FAIL = "fail"
HANG = "hang"
MISSING = "missing"
ERROR = "error"
DURING = "during"
AFTER = "after"

FULL = "full"
READ_ONLY = "read-only"
LOG_FULL = "log-full"

_KERNEL_FILES = ("/dev/", "/sys/", "/proc/")
_WRITES = ("write", "make", "open", "size", "name", "delete", "mode")


class Plan:
    """One run's orders, as they come in JSON.

    ``do`` is what happens at the step that ``key`` and ``number`` name, or all the time; with
    during and after ``signal`` says which signal the whole script gets. After a step that
    hangs it gets SIGTERM when ``patience`` seconds have passed (0: never), and SIGKILL ``linger``
    seconds later. ``clock`` is by how many seconds the time of day is off once it has been read
    ``after`` times. ``watches`` is whether sightings are reported.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.report: str = data["report"]
        self.provider: str = data["provider"].rstrip("/") + "/"
        self.names: dict[str, str] = data["names"]
        self.interpreters = frozenset(data["interpreters"])
        self.do: str = data.get("do", "")
        self.key: str = data.get("key", "")
        self.number: int = data.get("number", 0)
        self.status: int = data.get("status", 1)
        self.message: str = data.get("message", "")
        self.error: int = data.get("error", errno.EIO)
        self.signal: int = data.get("signal", 0)
        self.inside: int = data.get("inside", 0)
        self.tool: str = data.get("tool", "")
        self.patience: float = data.get("patience", 0)
        self.linger: float = data.get("linger", 0)
        self.clock: int = data.get("clock", 0)
        self.after: int = data.get("after", 0)
        self.room: int = data.get("room", 0)
        self.watches: bool = data.get("watches", False)

    def is_at(self, step: Step) -> bool:
        """Return whether ``step`` is the one to break."""
        return bool(self.key) and step.key == self.key and step.number == self.number

    def error_everywhere(self, effect: Effect, taken: int) -> int:
        """Return the errno that every call like ``effect`` fails with, or 0.

        ``taken`` says how many calls before it took space.
        """
        if effect.paths[0].startswith(_KERNEL_FILES):
            return 0
        if self.do == FULL and takes_space(effect) and taken >= self.room:
            return errno.ENOSPC
        return errno.EROFS if self.do == READ_ONLY and effect.kind in _WRITES else 0


def takes_space(effect: Effect) -> bool:
    """Return whether a full file system refuses the call; a longer file may have a hole."""
    return not effect.paths[0].startswith(_KERNEL_FILES) and (
        effect.kind == "write" or _makes(effect) or effect.name == "fallocate"
    )


def _makes(effect: Effect) -> bool:
    if effect.name.startswith("mkdir") and os.path.isdir(effect.paths[0]):
        return False  # EEXIST, before anybody asks for room
    return effect.kind == "make" and effect.what != "O_TRUNC"
