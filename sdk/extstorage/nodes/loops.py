"""The loop devices whose files a node opened, and how the node's end frees them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from pathlib import Path

_LOOP_CLR_FD = 0x4C01
_BLKROSET = 0x125D
_SYS_BLOCK = Path("/sys/block")
_PATIENCE_S = 5.0


class LoopDevices:
    """Loop devices, kept open: until they are freed none can become anybody else's.

    Args:
        root: The node's root directory. A file that the node opened has a path below it, as
            processes outside that root see it; a file that anybody else opened has not.
    """

    def __init__(self, root: str) -> None:
        self._open: dict[str, int] = {}
        for entry in _SYS_BLOCK.glob("loop*"):
            if _backing_file(entry).startswith(f"{root}/"):
                with contextlib.suppress(OSError):  # gone in this moment
                    self._open[entry.name] = os.open(f"/dev/{entry.name}", os.O_RDONLY)
        for name in [*self._open]:
            if not _backing_file(_SYS_BLOCK / name).startswith(f"{root}/"):
                os.close(self._open.pop(name))

    def free(self) -> list[str]:
        """Unmap them all; return the paths of those that stay mapped, since others use them."""
        before = {name: _state(name) for name in self._open}
        for descriptor in self._open.values():
            # The flag outlives the mapping: a machine that boots has none.
            fcntl.ioctl(descriptor, _BLKROSET, struct.pack("=i", 0))
            with contextlib.suppress(OSError):
                fcntl.ioctl(descriptor, _LOOP_CLR_FD)
            os.close(descriptor)
        self._open.clear()
        give_up = time.monotonic() + _PATIENCE_S
        while left := [name for name, state in before.items() if _state(name) == state]:
            if time.monotonic() > give_up:
                break
            time.sleep(0.005)
        return [f"/dev/{name}" for name in left]


def _backing_file(device: Path) -> str:
    try:
        return os.fsdecode((device / "loop/backing_file").read_bytes())
    except OSError:
        return ""


def _state(name: str) -> tuple[bool, str]:
    """Return whether the device is mapped, and a number that changes with each mapping."""
    try:
        number = (_SYS_BLOCK / name / "diskseq").read_text(encoding="ascii")
    except FileNotFoundError:  # before Linux 5.15
        number = ""
    return (_SYS_BLOCK / name / "loop").exists(), number
