"""Processes that a script left running: they carry its VOL_NAME in their environment."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

from extstorage_conformance.inventory.item import Item


def items(owns: Callable[[str], bool]) -> Iterator[Item]:
    """Yield the processes whose environment names a volume that ``owns`` accepts."""
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            environment = _read(f"/proc/{name}/environ")
            if owns(environment):
                yield Item("process", name, _read(f"/proc/{name}/cmdline").replace("\0", " "))


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def release(item: Item) -> None:
    """Kill the process ``item``; raises OSError."""
    os.kill(int(item.name), signal.SIGKILL)
