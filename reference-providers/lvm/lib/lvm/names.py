"""What a volume is called: in LVM, and in device-mapper.

LVM keeps some names for itself: those that begin with ``snapshot`` or ``pvmove``, and
those that contain ``_tmeta``, ``_mimage`` and other words that begin with ``_``. A volume may have
any of them. ``+``, which no volume's name contains, makes room: ``_`` becomes ``+u``, and a ``+``
goes before a reserved beginning. At the end stands ``+PROVIDER``: the name itself says who made the
volume, so a command that is given the name cannot act on anybody else's.

    0b7c2c55-8a4e-4f0e-8a0e-3f5a3a1f2c77.ext.disk0+lvm
"""

from __future__ import annotations

from extstorage.provider import InvalidInputError
from extstorage.provider.errors import quoted

_RESERVED_BEGINNINGS = ("snapshot", "pvmove")
_LONGEST = 127 - len("+.copy-cow")
"""Of a device-mapper name: a copy of the volume, and LVM's layers below it, have longer ones."""

AREA = "extstorage+area"
"""The volume that holds the nodes' lease and what each node has open (area.py)."""


def logical_volume(group: str, provider: str, volume: str) -> str:
    """Return the name of the logical volume that is ``volume`` of the provider ``provider``.

    Raises InvalidInputError if device-mapper has no room for it.
    """
    name = f"{volume.replace('_', '+u')}+{provider.replace('_', '+u')}"
    if name.startswith(_RESERVED_BEGINNINGS):
        name = f"+{name}"
    length = len(mapping(group, name))
    if length > _LONGEST:
        raise InvalidInputError(
            f"the name {quoted(volume)} makes a device name of {length} characters in group"
            f" {group}, - counting twice: expected at most {_LONGEST}"
        )
    return name


def unfinished(name: str) -> str:
    """Return what the logical volume ``name`` is called until its content is there."""
    return f"{name}+.new"


def frozen(name: str) -> str:
    """Return the name of the snapshot that freezes the logical volume ``name`` for a copy."""
    return f"{name}+.copy"


def removed(name: str) -> str:
    """Return what the logical volume ``name`` is called while it is being removed."""
    return f"{name}+.old"


def mapping(group: str, name: str) -> str:
    """Return the device-mapper name of the logical volume ``group/name``."""
    return f"{group.replace('-', '--')}-{name.replace('-', '--')}"
