"""What instances and disks may be called.

Source in Ganeti: ValidateDeviceNames in ``lib/utils/__init__.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.cluster.errors import NOT_UNIQUE, OpPrereqError

if TYPE_CHECKING:
    from collections.abc import Iterable


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
