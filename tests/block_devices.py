"""A block device with a partition and several names, and who can use it."""

from __future__ import annotations

import os
import re
import subprocess
import uuid
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Use = Callable[["BlockDevice", Path], AbstractContextManager[str]]

needs_loop = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)


class BlockDevice:
    """A loop device: its path, a link to it, a second node, and the node of its partition."""

    def __init__(self, path: str, directory: Path) -> None:
        self.path = path
        self.link = directory / "by-path"
        self.link.symlink_to(path)
        self.other = f"/dev/extstorage-test-{uuid.uuid4().hex}"
        self.part = f"{self.other}1"  # as /dev/sdX1: no "p" before the number

    def names(self) -> list[str]:
        """Return what the device can be called."""
        return [self.path, str(self.link), self.other]


def only(user: str) -> str:
    """Return a pattern of a device's users; any losetup looks into every device for a moment."""
    losetup = r"process \d+ \(losetup\)"
    return rf"({losetup}, )*{re.escape(user)}(, {losetup})*"


def told_in_use(name: str, user: str) -> str:
    """Return a pattern of what is told of a device that nobody else uses."""
    return rf"{re.escape(name)} is in use \({only(user)}\): stop that, and try again"


@contextmanager
def block_device(directory: Path) -> Iterator[BlockDevice]:
    """Make a device; take it away again."""
    file = directory / "blocks"
    file.write_bytes(b"")
    os.truncate(file, 8 << 20)
    with ExitStack() as stack:
        path = _output("losetup", "--partscan", "--find", "--show", str(file))
        stack.callback(_output, "losetup", "--detach", path)
        _output("addpart", path, "1", "0", "8192")
        stack.callback(_output, "delpart", path, "1")
        device = BlockDevice(path, directory)
        for node, number in (
            (device.other, Path(path).stat().st_rdev),
            (device.part, Path(f"{path}p1").stat().st_rdev),
        ):
            os.mknod(node, 0o60600, number)
            stack.callback(os.unlink, node)
        yield device


@contextmanager
def opened(path: str) -> Iterator[str]:
    """Let a process have the file open; what it is called is the value."""
    with Path(path).open("rb") as file:
        holder = subprocess.Popen(["sleep", "60"], stdin=file)
    try:
        yield f"process {holder.pid} (sleep)"
    finally:
        holder.kill()
        holder.wait()


@contextmanager
def mounted(path: str, directory: Path) -> Iterator[str]:
    """Mount a file system that is on the device; what that is called is the value."""
    place = directory / "mounted"
    place.mkdir()
    _output("mkfs.ext4", "-q", "-F", path)
    _output("mount", path, str(place))
    try:
        yield f"mount {place}"
    finally:
        _output("umount", str(place))


USES: dict[str, Use] = {
    "the device is open": lambda device, _: opened(device.path),
    "its second node is open": lambda device, _: opened(device.other),
    "its partition is open": lambda device, _: opened(device.part),
    "the device is mounted": lambda device, directory: mounted(device.other, directory),
    "its partition is mounted": lambda device, directory: mounted(device.part, directory),
}


def _output(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
