"""Processes that a script left running: they carry its VOL_NAME in their environment.

Hooks may start daemons, whose environment has the run's directory: those are the vendor's, to last.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from extstorage_conformance.node_side.found import HOOK_PROCESS, Found
from extstorage_conformance.node_side.kernel import content, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def items(owns: Callable[[str], bool]) -> Iterator[Found]:
    """Yield the processes whose environment names a volume that ``owns`` accepts."""
    for number in filter(str.isdigit, names("/proc")):
        if int(number) == os.getpid():
            continue
        environment = content(f"/proc/{number}/environ")
        if owns(environment):
            # No script is given that variable, every hook is.
            is_of_hook = "\0RUN_DIRECTORY=" in f"\0{environment}"
            kind = HOOK_PROCESS if is_of_hook else "process"
            command = content(f"/proc/{number}/cmdline").replace("\0", " ")
            yield Found(kind, number, command)


def release(name: str) -> None:
    """Kill the process ``name``; raises OSError."""
    os.kill(int(name), signal.SIGKILL)
