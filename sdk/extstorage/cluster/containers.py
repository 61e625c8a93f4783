"""Several changes of an instance's list of disks, one after the other.

Source in Ganeti: _LookupDiskIndex and _PreCheckDisks in ``lib/cmdlib/instance_set_params.py``,
ApplyContainerMods in ``lib/cmdlib/instance_utils.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from extstorage.cluster import names
from extstorage.cluster.errors import WRONG_STATE, OpExecError, OpPrereqError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from extstorage.cluster.model import ClusterDisk

ADD = "add"
ATTACH = "attach"
REMOVE = "remove"
DETACH = "detach"
MODIFY = "modify"
ACTIONS = (ADD, ATTACH, REMOVE, DETACH, MODIFY)
_MAX_DISKS = 16


def lookup(disks: Sequence[ClusterDisk], identifier: str) -> int:
    """Return the index that is meant by an index, a name or a UUID. Raises OpPrereqError.

    A name means the disk that has it now, whatever the changes before do: Ganeti looks all of them
    up before it does anything.
    """
    try:
        return int(identifier)
    except ValueError:
        for index, disk in enumerate(disks):
            if identifier in (disk.name, disk.uuid):
                return index
    raise OpPrereqError(f"Lookup of disk {identifier!r} failed", None)


def slot(count: int, index: int) -> int:
    """Return where the new one of ``count`` disks comes; -1 is the end (GetIndexFromIdentifier).

    Raises OpExecError, as Ganeti's IndexError arrives at the user.
    """
    if index == -1:
        return count
    _check(count, index)
    return index


def place(count: int, index: int) -> int:
    """Return which of ``count`` disks is meant; -1 is the last one (GetItemFromContainer).

    Raises OpExecError, as Ganeti's IndexError arrives at the user.
    """
    if index != -1:
        _check(count, index)
    if not count or index == count:
        raise OpExecError("list index out of range")
    return index % count


def _check(count: int, index: int) -> None:
    if index < 0:
        raise OpExecError("Not accepting negative indices other than -1")
    if index > count:
        raise OpExecError(f"Got disk index {index}, but there are only {count}")


@dataclass
class _Draft:
    """A disk on trial: all that the check has to know of it; a new one has no UUID yet."""

    uuid: str | None
    name: str | None


def rehearse(
    disks: Sequence[ClusterDisk], changes: Sequence[tuple[str, int, Mapping[str, str | int]]]
) -> None:
    """Go through changes (action, index, parameters) on a copy. Raises OpPrereqError, OpExecError.

    So changes of which one cannot be made are refused before the first of them is made.
    """
    drafts = [_Draft(disk.uuid, disk.name) for disk in disks]
    for action, index, given in changes:
        _apply(drafts, action, index, given)
    names.check_disk_names((draft.uuid, draft.name) for draft in drafts)
    if len(drafts) > _MAX_DISKS:
        raise OpPrereqError(
            f"Instance has too many disks ({_MAX_DISKS}), cannot add more", WRONG_STATE
        )


def _apply(drafts: list[_Draft], action: str, index: int, given: Mapping[str, str | int]) -> None:
    name = _name(given)
    if action in (ADD, ATTACH):
        drafts.insert(slot(len(drafts), index), _Draft(None, name))
        return
    found = place(len(drafts), index)
    if action in (REMOVE, DETACH):
        del drafts[found]
        return
    if drafts[found].uuid is None:
        # There Ganeti has the parameters in the disk's place, and trips over them.
        raise OpExecError("'dict' object has no attribute 'name'")
    # Without a name among the parameters too: the check forgets the one that the disk has.
    drafts[found].name = name


def _name(given: Mapping[str, str | int]) -> str | None:
    name = given.get("name")
    return None if name is None or str(name).lower() == "none" else str(name)
