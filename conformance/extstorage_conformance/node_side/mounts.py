"""Mounted file systems of this process's mount namespace."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage_conformance.node_side.found import Found

if TYPE_CHECKING:
    from collections.abc import Iterator


def items() -> Iterator[Found]:
    """Yield one item for each mount: its mount point, and its source."""
    with Path("/proc/self/mountinfo").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            before, _, after = line.partition(" - ")
            yield Found("mount", before.split()[4], after.split()[1])


def release(name: str) -> None:
    """Unmount ``name``; raises CalledProcessError."""
    subprocess.run(["umount", name], check=True, capture_output=True)
