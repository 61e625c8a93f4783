"""What a volume is called: in LVM, and in device-mapper.

LVM keeps some names for itself: those that begin with ``snapshot`` or ``pvmove``, and
those that contain ``_tmeta``, ``_mimage`` and other words that begin with ``_``. A volume may have
any of them. ``+``, which no volume's name contains, makes room: ``_`` becomes ``+u``, and a ``+``
goes before a reserved beginning. The names that Ganeti gives stay as they are.
"""

from __future__ import annotations

from extstorage.provider import InvalidInputError
from extstorage.provider.errors import quoted

_RESERVED_BEGINNINGS = ("snapshot", "pvmove")
_LONGEST = 127 - len("-real")
"""Of a device-mapper name; LVM puts layers below a volume that has a snapshot."""

AREA = "extstorage+area"
"""The volume that holds the nodes' lease and what each node has open (area.py)."""


def logical_volume(group: str, volume: str) -> str:
    """Return the name of the logical volume that is ``volume``; the same on every node.

    Raises InvalidInputError if device-mapper has no room for it.
    """
    name = volume.replace("_", "+u")
    if name.startswith(_RESERVED_BEGINNINGS):
        name = f"+{name}"
    length = len(mapping(group, name))
    if length > _LONGEST:
        raise InvalidInputError(
            f"the name {quoted(volume)} makes a device name of {length} characters in group"
            f" {group}, - counting twice: expected at most {_LONGEST}"
        )
    return name


def temporary_snapshot(name: str) -> str:
    """Return the name of what freezes the logical volume ``name`` while it is copied."""
    return f"{name}+copy"


def mapping(group: str, name: str) -> str:
    """Return the device-mapper name of the logical volume ``group/name``."""
    return f"{group.replace('-', '--')}-{name.replace('-', '--')}"
