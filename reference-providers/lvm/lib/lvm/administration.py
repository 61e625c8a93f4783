"""The ``area`` command: ``area make GROUP``, ``area join GROUP NUMBER`` and so on."""

from __future__ import annotations

import os
import sys

from extstorage.provider import InvalidInputError, ProviderError
from extstorage.provider.errors import FAILED, printable
from lvm import device, names
from lvm.area import NODES, SIZE, Area
from lvm.commands import lvm
from lvm.protection import lease, lockspace_name, protection
from lvm.sanlock import Sanlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

_USAGE = """usage: area make GROUP [IO_TIMEOUT]       once, on one node
       area join GROUP NUMBER [IO_TIMEOUT]  on every node after each boot; NUMBER 1 to 250, its own
       area leave GROUP                    on a node that stops, with no volume of GROUP attached
       area forget GROUP NUMBER            on any node: that node is dead, you have made sure
IO_TIMEOUT is sanlock's, in seconds, by default 10: a dead node is known after 8 times that + 60.
"""
_NEW = ("--wipesignatures=y", "--zero=y")
_SHOWN = 5  # names in a message


def main() -> NoReturn:
    """Do what the arguments say; exit 0, 1 if it failed, 2 if they are wrong."""
    words = sys.argv[1:]
    if words in (["-h"], ["--help"]):
        sys.stdout.write(_USAGE)
        sys.exit(0)
    try:
        _run(words)
    except (ProviderError, OSError) as error:
        sys.stderr.write(f"area: {printable(str(error))}\n")
        sys.exit(error.exit_code if isinstance(error, ProviderError) else FAILED)
    sys.exit(0)


def _run(words: list[str]) -> None:
    commands: dict[tuple[str, int], Callable[..., None]] = {
        ("make", 2): make, ("make", 3): make,
        ("join", 3): join, ("join", 4): join,
        ("leave", 2): leave,
        ("forget", 3): forget,
    }  # fmt: skip
    command = commands.get((words[0], len(words))) if words else None
    if command is None:
        sys.stderr.write(_USAGE)
        sys.exit(2)
    command(words[1], *(_number(word) for word in words[2:]))


def _number(word: str) -> int:
    if word.isascii() and word.isdigit() and 1 <= int(word) <= NODES:
        return int(word)
    raise InvalidInputError(f"expected a number from 1 to {NODES}, found {word!a}")


def make(group: str, io_timeout_s: int = 0) -> None:
    """Make the area, or leave nothing; a group that lvmlockd locks needs no lease in it."""
    has_lease = _has_lease(group)
    if has_lease:
        lockspace_name(group)  # raises for a group whose name is too long for one
        Sanlock().expect_running()
    lvm("lvcreate", "--name", names.AREA, *_NEW, f"--size={SIZE}b", group)
    try:
        _fill(group)
        if has_lease:
            Sanlock().make(_place(group, 0), lease(group), io_timeout_s)
    except BaseException:
        lvm("lvremove", f"{group}/{names.AREA}")  # or nobody could make it again
        raise


def _fill(group: str) -> None:
    """Activate the area on this node; nobody has said anything in it yet."""
    lvm("lvchange", "--activate=sy", f"{group}/{names.AREA}")
    area = Area(group)
    if area.size() > SIZE:
        lvm("lvextend", f"--size={area.size()}b", f"{group}/{names.AREA}")
    descriptor = area.open()
    try:
        for node in range(1, NODES + 1):
            area.write(descriptor, node, b"")
    finally:
        os.close(descriptor)


def _has_lease(group: str) -> bool:
    """Return whether the lease in the area protects the group, not lvmlockd."""
    return lvm("vgs", "--noheadings", "--options=vg_lock_type", group).strip() in ("", "none")


def join(group: str, number: int, io_timeout_s: int = 0) -> None:
    """Let this node take part as node ``number``, which it does when this returns.

    sanlock must be running.
    """
    lvm("lvchange", "--activate=sy", f"{group}/{names.AREA}")
    if _has_lease(group):
        Sanlock().join(_place(group, number), io_timeout_s)
        holds = protection(group, none=False).holds
        if holds is not None:
            holds.this_node()


def leave(group: str) -> None:
    """End this node's part; raise ProviderError while it has volumes of the group attached.

    What it says of itself ends with its part: the others would open and remove what its guests use.
    """
    attached = _attached(group)
    if attached:
        raise ProviderError(
            f"expected no volume of group {group} attached on this node, found {len(attached)}"
            f" ({_some(attached)}): detach them first; nothing was changed"
        )
    own = lockspace_name(group)
    sanlock = Sanlock()
    for lockspace in sanlock.lockspaces():
        if lockspace.name == own:
            sanlock.leave(_place(group, lockspace.host_id))
    lvm("lvchange", "--activate=n", f"{group}/{names.AREA}")


def _attached(group: str) -> list[str]:
    """Return which logical volumes of providers are active on this node, as the kernel tells."""
    beginning = names.mapping(group, "")
    found = []
    for mapping in sorted(os.listdir("/dev/mapper")):
        name = mapping[len(beginning) :].replace("--", "/")
        # "+" is in the names that providers give; "-" stands before the name of a layer of LVM's.
        is_volume = mapping.startswith(beginning) and "+" in name and "-" not in name
        if is_volume and name != names.AREA and device.find(mapping) is not None:
            found.append(name.replace("/", "-"))
    return found


def _some(attached: list[str]) -> str:
    return ", ".join(attached[:_SHOWN]) + (", ..." if len(attached) > _SHOWN else "")


def forget(group: str, number: int) -> None:
    """Let nothing that the dead node ``number`` had open keep the others from it."""
    holds = protection(group, none=False).holds
    if holds is not None:
        holds.forget(number)


def _place(group: str, number: int) -> str:
    return f"{lockspace_name(group)}:{number}:{Area(group).path}:0"
