"""Lets guests run on processors that have more registers than User-Mode Linux knows."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from extstorage.nodes.node import NodeError

_PROCESSORS = Path("/proc/cpuinfo")
_UNKNOWN = "amx_tile"
_COMPILER = "gcc"
_SOURCE = Path(__file__).with_suffix(".c")


def are_unknown() -> bool:
    """Return whether this machine's processor has some that Debian's linux.uml (6.1) does not know.

    Of those that Linux hands out as a process's state, AMX's tiles are the only ones.
    """
    lines = _PROCESSORS.read_text(encoding="utf-8", errors="replace").splitlines()
    return any(line.startswith("flags") and _UNKNOWN in line.split() for line in lines)


def missing(path: str) -> str | None:
    """Return in one line why guests cannot run on this processor and what to do, or None."""
    if not are_unknown() or shutil.which(_COMPILER, path=path):
        return None
    return f"guests need a C compiler on processors with AMX: apt-get install {_COMPILER}"


def library(directory: str, path: str) -> str:
    """Make in ``directory`` what linux.uml has to load first; return the file, "" for nothing.

    Raises NodeError.
    """
    if not are_unknown():
        return ""
    file = f"{directory}/registers.so"
    command = [_COMPILER, "-O2", "-shared", "-fPIC", "-nostdlib", "-o", file, str(_SOURCE)]
    done = subprocess.run(
        command,
        env={"PATH": path, "TMPDIR": directory},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise NodeError(f"{shlex.join(command)} failed: {said}")
    return file
