"""Block devices: loop devices that are bound, device-mapper tables, disks."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage_conformance.node_side.found import Found
from extstorage_conformance.node_side.kernel import content, names

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYS_BLOCK = "/sys/block"
_SYS_CLASS = "/sys/class/block"
_SYS_NUMBER = "/sys/dev/block"
_DELETED = " (deleted)"  # what the kernel appends to the path of a file that is gone
_LOOP_CLR_FD = 0x4C01


def _read(path: str) -> str:
    return content(path).strip()


def items() -> Iterator[Found]:
    """Yield bound loop devices, dm tables and other disks."""
    for name in sorted(names(_SYS_BLOCK)):
        directory = f"{_SYS_BLOCK}/{name}"
        if name.startswith("loop"):
            if backing_file := _read(f"{directory}/loop/backing_file"):
                yield Found("loop device", f"/dev/{name}", backing_file)
        elif name.startswith("dm-"):
            yield Found("dm table", _read(f"{directory}/dm/name"), _read(f"{directory}/dm/uuid"))
        elif not name.startswith(("ram", "zram")) and _read(f"{directory}/size") not in ("", "0"):
            yield Found("disk", name)


def mapping_of(path: str) -> str:
    """Return what the block device ``path`` shows of its volume (a backing file), or ``""``."""
    directory = f"{_SYS_BLOCK}/{Path(path).resolve().name}"
    return _read(f"{directory}/loop/backing_file") or _read(f"{directory}/dm/uuid")


def identity(path: str) -> str:
    """Return what tells the block device ``path`` from any other, mapping included.

    Raises OSError when there is no such path.
    """
    return f"{Path(path).stat().st_rdev} {mapping_of(path).removesuffix(_DELETED)}"


def identities() -> frozenset[str]:
    """Return the identities of all block devices that hold something now."""
    paths = [f"/dev/{name.replace('!', '/')}" for name in names(_SYS_CLASS)]
    return frozenset(identity(path) for path in paths if is_mapped(path))


def is_read_only(path: str) -> bool:
    """Return whether the kernel's read-only flag of the block device ``path`` is set."""
    return _read(f"{_SYS_BLOCK}/{Path(path).resolve().name}/ro") == "1"


def is_mapped(path: str) -> bool:
    """Return whether ``path`` is a block device that holds something: a free loop device does not.

    The kernel tells; the device is not opened.
    """
    try:
        status = Path(path).stat()
    except OSError:
        return False
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return stat.S_ISBLK(status.st_mode) and _read(f"{_SYS_NUMBER}/{number}/size") not in {"", "0"}


def release(name: str) -> None:
    """Unbind the loop device ``name``; raises OSError."""
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _LOOP_CLR_FD)
    finally:
        os.close(descriptor)
