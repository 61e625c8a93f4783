"""Every variable that Ganeti sets for a script, and which methods get it.

Source in Ganeti: ``lib/storage/extstorage.py`` (_ExtStorageEnvironment and its
callers). The man page's "common" variables are an ideal; this is what is sent.
"""

from __future__ import annotations

from extstorage.contract.releases import LATEST, Release

_ALL_BUT_VERIFY = (
    "create", "attach", "detach", "remove", "grow", "setinfo", "snapshot", "open", "close",
)  # fmt: skip
_ALL_BUT_SNAPSHOT = tuple(name for name in _ALL_BUT_VERIFY if name != "snapshot")


class Variable:
    """One ``VOL_*`` variable.

    ``unit`` is ``"MiB"`` for sizes (decimal integers), ``"True or False"`` for
    booleans, ``""`` for text. ``always`` is false for a variable that depends
    on the disk (a name that the user may not have given).
    """

    __slots__ = ("always", "meaning", "methods", "name", "since", "unit")

    def __init__(
        self,
        name: str,
        meaning: str,
        *,
        methods: tuple[str, ...],
        since: str = "2.7",
        unit: str = "",
        always: bool = True,
    ) -> None:
        self.name = name
        self.meaning = meaning
        self.methods = methods
        self.since = since
        self.unit = unit
        self.always = always

    def __repr__(self) -> str:
        return f"Variable({self.name!r})"


VARIABLES = (
    Variable(
        "VOL_NAME",
        "the volume's identity, unique in the cluster: <uuid>.ext.disk<index at creation>",
        methods=_ALL_BUT_VERIFY,
    ),
    Variable(
        "VOL_SIZE",
        "create: the size asked for; grow: the size that Ganeti has on record",
        methods=("create", "grow"),
        unit="MiB",
    ),
    Variable(
        "VOL_NEW_SIZE",
        "the whole size after growing, not the difference",
        methods=("grow",),
        unit="MiB",
    ),
    Variable(
        "VOL_METADATA",
        "text about the volume: [-A-Za-z0-9_+.], 1 to 128 characters",
        methods=("setinfo",),
    ),
    Variable(
        "VOL_CNAME",
        "the disk's name, if the user gave one; it can change",
        methods=_ALL_BUT_SNAPSHOT,
        since="2.11",
        always=False,
    ),
    Variable(
        "VOL_UUID",
        "the UUID of Ganeti's disk object; not the volume's identity",
        methods=_ALL_BUT_SNAPSHOT,
        since="2.11",
    ),
    Variable(
        "VOL_SNAPSHOT_NAME",
        "the name of the volume that the snapshot becomes: <VOL_NAME>.snap",
        methods=("snapshot",),
        since="2.13",
    ),
    Variable(
        "VOL_SNAPSHOT_SIZE",
        "the size that Ganeti has on record for the volume",
        methods=("snapshot",),
        since="2.13",
        unit="MiB",
    ),
    Variable(
        "VOL_OPEN_EXCLUSIVE",
        "True: this node alone; False: shared with other nodes (live migration)",
        methods=("open",),
        since="2.14",
        unit="True or False",
    ),
)
VARIABLE_NAMES = tuple(variable.name for variable in VARIABLES)

PARAMETER_PREFIX = "EXTP_"
"""A parameter ``name`` of a disk reaches scripts as ``EXTP_NAME``, its value unchanged."""

ALWAYS_SENT_PARAMETERS = {"EXTP_PROVIDER": "2.7", "EXTP_ACCESS": "2.13"}
"""Parameters that Ganeti adds to every disk's own, with the release that began to."""


def variables_of(method: str, release: Release = LATEST) -> tuple[Variable, ...]:
    """Return the ``VOL_*`` variables that ``release`` sends to ``method``'s script."""
    return tuple(
        variable
        for variable in VARIABLES
        if method in variable.methods and release.at_least(variable.since)
    )


def required_variables(method: str) -> tuple[str, ...]:
    """Return the variables that every release that calls ``method`` sends it."""
    return tuple(
        variable.name
        for variable in VARIABLES
        if method in variable.methods
        and variable.always
        and variable.name != "VOL_UUID"  # not sent before 2.11
    )
