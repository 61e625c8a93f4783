"""A provider that writes down its calls and has the loopback provider do the work.

It stands beside ``loopback`` in the search path. ``log`` and ``faults`` in its directory are the
paths of two files that all nodes see: one JSON record for each call goes to the first; a line
``METHOD NODE [VOLUME]`` in the second makes that call fail, or ``!METHOD NODE`` after it was done.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

METHODS = ("create", "attach", "detach", "remove", "grow", "setinfo", "verify")
OPTIONAL = ("snapshot", "open", "close")
_SCRIPT = r"""#!/usr/bin/python3 -IS
import json, os, sys

here, method = os.path.split(os.path.abspath(sys.argv[0]))
node = os.uname().nodename

def path(name):
    with open(f"{here}/{name}") as file:
        return file.read().strip()

def faults():
    try:
        with open(path("faults")) as file:
            return file.read().splitlines()
    except OSError:
        return []

def fails(mark):
    short = node.partition(".")[0]
    return f"{mark}{method} {short}" in faults()

def call():
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        if method == "attach":
            os.dup2(writer, 1)
        work = f"{os.path.dirname(here)}/loopback/{method}"
        os.execv(work, [work])
    os.close(writer)
    output = b""
    while method == "attach" and (data := os.read(reader, 65536)):
        output += data
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, output

status, output = (9, b"") if fails("") else call()
if fails("!"):
    status, output = 9, b""
if status == 9:
    os.write(2, f"{method} fails on {node}, as it was told to\n".encode())
record = {
    "node": node,
    "script": f"{os.path.basename(here)}/{method}",
    "exit": status,
    "stdout": output.decode().rstrip(),
    "env": {k: v for k, v in os.environ.items() if k.startswith(("VOL_", "EXTP_"))},
    "argv": len(sys.argv),
    "cwd": os.getcwd(),
}
log = os.open(path("log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
os.write(log, json.dumps(record).encode() + b"\n")
os.write(1, output)
os._exit(status)
"""


class Tracing:
    """The log and the faults of the providers of one cluster."""

    def __init__(self, shared: Path) -> None:
        self._log = shared / "calls.log"
        self._faults = shared / "faults"

    def provider(self, directory: Path, *, optional: bool = True) -> Path:
        """Make a provider in ``directory``; its name is the directory's."""
        directory.mkdir(parents=True)
        for method in METHODS + (OPTIONAL if optional else ()):
            (directory / method).write_text(_SCRIPT)
            (directory / method).chmod(0o755)
        loopback = Path(__file__).parents[2] / "reference-providers" / "loopback"
        shutil.copy(loopback / "parameters.list", directory)
        (directory / "log").write_text(str(self._log))
        (directory / "faults").write_text(str(self._faults))
        return directory

    def take(self) -> list[dict[str, Any]]:
        """Return the calls since the last time."""
        try:
            lines = self._log.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        self._log.unlink()
        return [json.loads(line) for line in lines]

    def set_faults(self, *faults: str) -> None:
        """Have exactly these calls fail: ``METHOD NODE``."""
        self._faults.write_text("".join(f"{fault}\n" for fault in faults))
