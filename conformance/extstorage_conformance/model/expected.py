"""The reference model: what the contract says that a call owes, and what it changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extstorage_conformance.model.step import Step


class Owes(Enum):
    """Which exit status a call owes."""

    SUCCESS = "exit 0"
    FAILURE = "a non-zero exit"
    EITHER = "either"


@dataclass
class Known:
    """What is known of one volume; ``writer`` is the node that wrote to it last.

    ``size_mib`` is the least that it has. ``attached`` maps each node that it is attached on to
    the device's path there. ``open_on`` holds the nodes on which I/O is allowed. ``written`` maps
    each stamped offset, in bytes, to its generation; ``stamped_as`` is the name in the stamps, a
    snapshot's being its origin's. ``visible`` is false after a grow until the next attach shows it.
    """

    name: str
    exists: bool = False
    size_mib: int = 0
    attached: dict[int, str] = field(default_factory=dict)
    open_on: set[int] = field(default_factory=set)
    written: dict[int, int] = field(default_factory=dict)
    stamped_as: dict[int, str] = field(default_factory=dict)
    visible: bool = True
    writer: int = 0

    def is_gone(self) -> None:
        """Note that the volume exists no more, nor any mapping of it."""
        self.exists = False
        self.size_mib = 0
        for kept in (self.attached, self.open_on, self.written, self.stamped_as):
            kept.clear()

    def take_over(self, origin: Known, size_mib: int) -> None:
        """Note that this volume has become a snapshot of ``origin``."""
        self.exists, self.size_mib, self.visible = True, size_mib, True
        self.attached, self.open_on = {}, set()
        self.written, self.stamped_as = dict(origin.written), dict(origin.stamped_as)

    def copy(self) -> Known:
        """Return a copy that changes on its own."""
        return replace(
            self,
            attached=dict(self.attached),
            open_on=set(self.open_on),
            written=dict(self.written),
            stamped_as=dict(self.stamped_as),
        )


@dataclass(frozen=True)
class Claims:
    """What conformance.toml says that create does with an existing name."""

    create_may_repeat: bool = False


def owed(step: Step, volume: Known, snapshot: Known, claims: Claims) -> Owes:
    """Return what the call owes when ``volume`` is as it is known; ``snapshot`` is its snapshot.

    Success is owed where Ganeti makes such calls, failure where success would be a lie.
    """
    if step.fault:
        return Owes.FAILURE
    if step.verb == "create":
        return _create(step, volume, claims)
    if not volume.exists:
        return Owes.FAILURE if step.verb in ("attach", "grow", "snapshot") else Owes.EITHER
    if step.verb == "remove" and volume.attached:
        return Owes.EITHER
    if step.verb in ("attach", "detach", "remove"):
        return Owes.SUCCESS
    # Ganeti attaches before all that follows, on the node where it is to happen.
    return _on_attached(step, volume, snapshot) if step.node in volume.attached else Owes.EITHER


def _on_attached(step: Step, volume: Known, snapshot: Known) -> Owes:
    is_open_elsewhere = bool(volume.open_on - {step.node})
    doubtful = {
        "grow": step.size_mib <= volume.size_mib or not volume.visible,
        # Ganeti has snapshots made where the instance is.
        "snapshot": snapshot.exists or is_open_elsewhere,
        "open": is_open_elsewhere,
    }
    return Owes.EITHER if doubtful.get(step.verb) else Owes.SUCCESS


def _create(step: Step, volume: Known, claims: Claims) -> Owes:
    if not volume.exists:
        return Owes.SUCCESS
    if step.size_mib > volume.size_mib:
        return Owes.FAILURE
    if step.size_mib < volume.size_mib:
        return Owes.EITHER
    return Owes.SUCCESS if claims.create_may_repeat else Owes.FAILURE
