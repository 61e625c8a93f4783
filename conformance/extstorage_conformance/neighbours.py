"""Volumes whose names begin with each other's: where providers take one for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance.life import snapshot_of

if TYPE_CHECKING:
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume


def neighbours(subject: Subject, *, snapshot: bool = True) -> tuple[Volume, list[Volume]]:
    """Return disk1 of an instance, and its disk10, disk11 and disk1.snap: attached and stamped.

    ``snapshot``: whether what has the name of disk1's snapshot is among them.
    Given steps: raises Blocked, too when attach confuses them.
    """
    uuid = subject.uuid()
    # A search that stops at the first match finds disk10, one that takes the last finds disk11.
    before, volume, after = (subject.attached(uuid=uuid, index=index) for index in (10, 1, 11))
    others = [before, after, *(named_as_its_snapshot(volume) if snapshot else ())]
    for each in (volume, *others):
        each.stamp()
    for each in (volume, *others):
        each.given_stamps()
    return volume, others


def named_as_its_snapshot(volume: Volume) -> list[Volume]:
    """Return a new volume with the name of the volume's snapshot, attached, if there can be one.

    A search for whole words finds disk1 in disk1.snap. It has data and a life of its own, as
    create made it; a provider without snapshots never meets the name, and another may keep such
    names for what snapshot makes.
    """
    other = snapshot_of(volume)
    if not volume.subject.uses("snapshot") or other.call("create").failed:
        return []
    other.attach()
    return [other]
