"""Processes of scripts: those that are to be stopped or killed, and those that were left running.

What a script left running carries its VOL_NAME in its environment. Hooks may start daemons, whose
environment has the run's directory: those are the vendor's, to last.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage_conformance.node_side.found import HOOK_PROCESS, Found
from extstorage_conformance.node_side.kernel import content, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONGEST_START_S = 30.0


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


def signal_group(file: str, after_s: float, name: str) -> bool:
    """Send the signal ``name`` to the process group whose number a file has; was there one?

    The file is waited for: the signal is sent ``after_s`` seconds after it was written.
    """
    group = _group_in(Path(file))
    if group is None:  # no script has started
        return False
    time.sleep(after_s)
    try:
        os.killpg(group, signal.Signals[f"SIG{name}"])
    except OSError:
        return False
    return True


def _group_in(file: Path) -> int | None:
    deadline = time.monotonic() + _LONGEST_START_S
    while time.monotonic() < deadline:
        text = file.read_text(encoding="ascii") if file.exists() else ""
        if text.endswith("\n"):
            return int(text)
        time.sleep(0.0005)
    return None
