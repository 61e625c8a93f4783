"""Processes that a script left running: they carry its VOL_NAME in their environment."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage_conformance.node_side.found import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def items(owns: Callable[[str], bool]) -> Iterator[Found]:
    """Yield the processes whose environment names a volume that ``owns`` accepts."""
    for directory in Path("/proc").iterdir():
        name = directory.name
        if name.isdigit() and int(name) != os.getpid() and owns(_read(directory / "environ")):
            yield Found("process", name, _read(directory / "cmdline").replace("\0", " "))


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def release(name: str) -> None:
    """Kill the process ``name``; raises OSError."""
    os.kill(int(name), signal.SIGKILL)
