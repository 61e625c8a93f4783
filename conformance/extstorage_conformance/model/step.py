"""One call of a sequence, as data: it can be drawn, dropped, repeated and written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from extstorage.host.invocation import Invocation

VOLUMES = 2
"""How many volumes a sequence has; each can have one snapshot, which is a volume too."""

WRITE = "write"
"""The step that is no call: stamps on the device, as an instance writes."""


@dataclass(frozen=True)
class Step:
    """A call of a script for the volume number ``volume``, or a write to its device.

    ``snapshot`` means the volume that a snapshot has become. ``size_mib`` is what create and grow
    ask for. ``fault`` names what is wrong with the call, if anything (FAULTS).
    """

    verb: str
    volume: int
    snapshot: bool = False
    size_mib: int = 0
    exclusive: bool = True
    fault: str = ""
    node: int = 0

    def __str__(self) -> str:
        size = f" to {self.size_mib} MiB" if self.verb == "grow" else f" of {self.size_mib} MiB"
        return (
            f"{self.verb} volume {self.volume}"
            + (".snap" if self.snapshot else "")
            + (size if self.verb in ("create", "grow") else "")
            + (" shared" if self.verb == "open" and not self.exclusive else "")
            + (f", {self.fault}" if self.fault else "")
            + (f", on node {self.node}" if self.node else "")
        )


@dataclass(frozen=True)
class Fault:
    """A call that cannot be meant: the methods that it can be made of, and the change."""

    methods: tuple[str, ...]
    change: Callable[[Invocation], Invocation]


def _value(name: str, value: str) -> Callable[[Invocation], Invocation]:
    return lambda invocation: invocation.with_variables({name: value})


def _without(name: str) -> Callable[[Invocation], Invocation]:
    return lambda invocation: invocation.without(name)


FAULTS = {
    "without a name": Fault(("create", "attach", "grow", "snapshot"), _without("VOL_NAME")),
    "with an empty name": Fault(("create", "attach", "grow", "snapshot"), _value("VOL_NAME", "")),
    "size 0": Fault(("create",), _value("VOL_SIZE", "0")),
    "size 'many'": Fault(("create",), _value("VOL_SIZE", "many")),
    "size -1": Fault(("create",), _value("VOL_SIZE", "-1")),
    "without a size": Fault(("create",), _without("VOL_SIZE")),
    "new size 'many'": Fault(("grow",), _value("VOL_NEW_SIZE", "many")),
    "without a new size": Fault(("grow",), _without("VOL_NEW_SIZE")),
    "without a snapshot's name": Fault(("snapshot",), _without("VOL_SNAPSHOT_NAME")),
}
