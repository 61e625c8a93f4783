"""Volumes whose names are prefixes of each other: where providers take one for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume


def neighbours(subject: Subject) -> tuple[Volume, list[Volume]]:
    """Return disk1 of an instance, and its disk10 and disk11: attached and stamped.

    Given steps: raises Blocked, too when attach confuses them.
    """
    uuid = subject.uuid()
    # A search that stops at the first match finds disk10, one that takes the last finds disk11.
    before, volume, after = (subject.attached(uuid=uuid, index=index) for index in (10, 1, 11))
    for each in (before, volume, after):
        each.stamp()
    for each in (before, volume, after):
        each.given_stamps()
    return volume, [before, after]
