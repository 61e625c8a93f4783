"""Names: of providers, of parameters, of volumes.

Source in Ganeti: ``lib/constants.py`` (EXT_PLUGIN_MASK), ``lib/cmdlib/
instance_storage.py`` (ComputeDisks, _GenerateUniqueNames), ``lib/storage/extstorage.py``.
"""

from __future__ import annotations

_LOWER = "abcdefghijklmnopqrstuvwxyz"
_ALPHANUMERIC = _LOWER + _LOWER.upper() + "0123456789"
_PROVIDER_NAME_CHARACTERS = frozenset(_ALPHANUMERIC + "_-")
_PARAMETER_NAME_CHARACTERS = frozenset(_LOWER + "0123456789_")
METADATA_CHARACTERS = frozenset(_ALPHANUMERIC + "-_+.")
"""What setinfo's text is made of; Ganeti replaces every other character by ``_``."""
METADATA_LENGTH = 128
"""The most characters that Ganeti sends as VOL_METADATA."""

RESERVED_PARAMETERS = (
    "size", "mode", "name", "vg", "metavg", "adopt", "spindles", "provider", "access", "dev_type",
)  # fmt: skip
"""Names that Ganeti keeps for itself: a provider's parameter of that name never arrives."""

SNAPSHOT_SUFFIX = ".snap"
"""What Ganeti appends to VOL_NAME for the snapshot that gnt-backup export takes."""


def is_provider_name(name: str) -> bool:
    """Return whether ``name`` matches Ganeti's mask ``^[a-zA-Z0-9_-]+$``."""
    return bool(name) and all(char in _PROVIDER_NAME_CHARACTERS for char in name)


def is_parameter_name(name: str) -> bool:
    """Return whether ``name`` gives a variable that a shell can read: ``[a-z][a-z0-9_]*``."""
    return (
        bool(name)
        and name[0] in _LOWER
        and all(char in _PARAMETER_NAME_CHARACTERS for char in name)
    )


def volume_name(uuid: str, index: int) -> str:
    """Return the name that Ganeti gives to an instance's disk number ``index``."""
    return f"{uuid}.ext.disk{index}"
