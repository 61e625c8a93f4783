"""The ten methods of an ExtStorage provider: one script each.

Source in Ganeti: ``lib/constants.py`` (ES_SCRIPTS), ``lib/storage/extstorage.py``
(ExtStorageFromDisk says which scripts are optional).
"""

from __future__ import annotations


class Method:
    """One method: what its script does, and since which release Ganeti calls it.

    ``required`` methods make a provider invalid when their script is missing;
    optional ones are skipped. ``since`` is the first release with the method.
    """

    __slots__ = ("name", "required", "since", "summary")

    def __init__(self, name: str, summary: str, *, required: bool, since: str) -> None:
        self.name = name
        self.summary = summary
        self.required = required
        self.since = since

    def __repr__(self) -> str:
        return f"Method({self.name!r})"


CREATE = Method("create", "make a new volume of VOL_SIZE MiB", required=True, since="2.7")
ATTACH = Method(
    "attach",
    "map the volume to a block device of this node and print its path",
    required=True,
    since="2.7",
)
DETACH = Method("detach", "remove this node's mapping of the volume", required=True, since="2.7")
REMOVE = Method("remove", "delete the volume and its data", required=True, since="2.7")
GROW = Method("grow", "make the volume VOL_NEW_SIZE MiB large", required=True, since="2.7")
SETINFO = Method(
    "setinfo", "replace the volume's metadata by VOL_METADATA", required=True, since="2.7"
)
VERIFY = Method(
    "verify", "check this node's tools and the parameters' values", required=True, since="2.7"
)
SNAPSHOT = Method(
    "snapshot",
    "take a frozen copy of the volume, a volume named VOL_SNAPSHOT_NAME",
    required=False,
    since="2.13",
)
OPEN = Method(
    "open",
    "make the attached volume ready for I/O, exclusive or shared",
    required=False,
    since="2.14",
)
CLOSE = Method(
    "close",
    "end this node's I/O on the volume, which stays attached",
    required=False,
    since="2.14",
)

METHODS = (CREATE, ATTACH, DETACH, REMOVE, GROW, SETINFO, VERIFY, SNAPSHOT, OPEN, CLOSE)
METHOD_NAMES = tuple(method.name for method in METHODS)
REQUIRED_METHODS = tuple(method.name for method in METHODS if method.required)
OPTIONAL_METHODS = tuple(method.name for method in METHODS if not method.required)

PARAMETERS_FILE = "parameters.list"
"""The one file beside the scripts that a valid provider must have."""


def method(name: str) -> Method:
    """Return the method called ``name``; raise KeyError if there is none."""
    for candidate in METHODS:
        if candidate.name == name:
            return candidate
    raise KeyError(name)
