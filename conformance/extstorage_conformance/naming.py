"""Names of the volumes that a run makes: Ganeti's form, and recognisable as ours.

Ganeti names a volume ``<uuid>.ext.disk<index>`` (46 characters up to disk9).
The run and the worker stand in the UUID, so that whatever carries the name
(a loop device's backing file, a link, a process's environment) tells whose it is.
"""

from __future__ import annotations

import itertools
import re
import secrets

_MARK = "8e57"
# What runs make, and what Ganeti itself makes for the instances of this node.
_ANYBODYS = re.compile(
    r"e5[0-9a-f]{6}-[0-9a-f]{4}-4[0-9a-f]{3}-8e57-[0-9a-f]{12}"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.ext\.disk[0-9]"
)


def new_run() -> str:
    """Return a fresh run id: eight hexadecimal digits, ``e5`` first."""
    return "e5" + secrets.token_hex(3)


class Namer:
    """Makes the UUIDs of one worker of one run."""

    def __init__(self, run: str, worker: int = 0) -> None:
        self.prefix = f"{run}-{worker:04x}"
        self._count = itertools.count(1)

    def uuid(self) -> str:
        """Return a UUID that no other volume has."""
        number = next(self._count) % 0x1000
        return f"{self.prefix}-4{number:03x}-{_MARK}-{secrets.token_hex(6)}"

    def owns(self, text: str) -> bool:
        """Return whether ``text`` carries the name of a volume of this worker.

        Device-mapper doubles the dashes of a name.
        """
        return self.prefix in text or self.prefix in text.replace("--", "-")

    def is_foreign(self, text: str) -> bool:
        """Return whether ``text`` carries only names that other runs, or Ganeti, made."""
        return bool(_ANYBODYS.search(text)) and not self.owns(text)
