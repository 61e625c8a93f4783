"""What instances and disks may be called.

Source in Ganeti: GetNormalizedName in ``lib/netutils.py``, MatchNameComponent in
``lib/utils/text.py``, ValidateDeviceNames in ``lib/utils/__init__.py``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from extstorage.cluster.errors import NOT_UNIQUE, OpPrereqError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_HOSTNAME = re.compile(r"[a-z0-9._-]{1,255}")
_LONGEST = 240  # a record is a file of the instance's name, and while it is written a longer one


def normalized(name: str) -> str:
    """Return a new instance's name as it is kept, in small letters. Raises OpPrereqError."""
    lower = name.lower()
    if not _HOSTNAME.fullmatch(lower) or ".." in lower or lower.startswith("."):
        raise OpPrereqError(f"Invalid hostname '{lower}'")
    if len(lower) > _LONGEST:
        raise OpPrereqError(
            f"Invalid hostname '{lower}': it has {len(lower)} characters, and records are files of"
            f" the instances' names: use at most {_LONGEST}"
        )
    return lower.rstrip(".")


def matched(name: str, known: Collection[str]) -> str | None:
    """Return which known name is meant: the whole of it, or first labels that only one has.

    Capital and small letters are the same.
    """
    if name in known:
        return name
    lower = name.lower()
    whole = [candidate for candidate in known if candidate.lower() == lower]
    found = whole or [candidate for candidate in known if candidate.lower().startswith(f"{lower}.")]
    return found[0] if len(found) == 1 else None


def check_disk_names(disks: Iterable[tuple[str | None, str | None]]) -> None:
    """Refuse names of one instance's disks, each given after its UUID; a new disk has none yet.

    A name must not be a number, nor what a disk before it is called, by name or UUID. Raises
    OpPrereqError.
    """
    taken: list[str] = []
    for uuid, name in disks:
        if uuid is not None:
            taken.append(uuid)
        if name is None or name.lower() == "none":
            continue
        if _is_number(name):
            raise OpPrereqError(f"Invalid name '{name}'. Purely numeric disk names are not allowed")
        if name in taken:
            raise OpPrereqError(f"disk name '{name}' already used", NOT_UNIQUE)
        taken.append(name)


def _is_number(name: str) -> bool:
    try:
        int(name)
    except ValueError:
        return False
    return True
