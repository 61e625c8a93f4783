"""Script calls: recorded as they are made, or only written down (``--dry-run``).

A record has the fields of the project's recordings of real clusters: node, script, env, exit,
stdout, t and dur (seconds).
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from extstorage.contract.variables import PARAMETER_PREFIX
from extstorage.host.call import Call
from extstorage.host.daemon import Host
from extstorage.nodes.node import Completed

if TYPE_CHECKING:
    from extstorage.host.invocation import Invocation
    from extstorage.nodes.node import Command, Facts, FileStatus, Node, Search, Sight

_PREFIXES = ("VOL_", PARAMETER_PREFIX)
_PLANNED_DEVICE = "/dev/planned"


@dataclass
class CallLog:
    """The calls of one command, on all nodes, in the order in which they began."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    _started: float | None = None

    def add(self, node: str, invocation: Invocation, began: float) -> dict[str, Any]:
        """Add a call that begins; return its record, to be completed."""
        if self._started is None:
            self._started = began
        record: dict[str, Any] = {
            "node": node,
            "script": f"{invocation.provider.name}/{invocation.method}",
            "env": {
                name: value
                for name, value in invocation.environment.items()
                if name.startswith(_PREFIXES)
            },
            "exit": None,
            "stdout": None,
            "t": round(began - self._started, 3),
            "dur": None,
        }
        self.calls.append(record)
        return record


class RecordingHost(Host):
    """A node daemon that writes each call into a log."""

    log: CallLog

    def run(self, invocation: Invocation) -> Call:
        """Run a script to its end and record that; see Host.run."""
        began = time.monotonic()
        record = self.log.add(self.node.name, invocation, began)
        try:
            call = super().run(invocation)
        except BaseException:
            self.log.calls.remove(record)  # nothing has run
            raise
        record["exit"] = call.exit_code
        record["stdout"] = call.stdout.rstrip("\n") if invocation.method == "attach" else None
        record["dur"] = round(call.seconds, 4)
        return call


class PlanningHost(Host):
    """A node daemon that runs nothing: each script would do what it is asked to."""

    log: CallLog

    def run(self, invocation: Invocation) -> Call:
        """Record a call as if it had succeeded."""
        self.log.add(self.node.name, invocation, time.monotonic())["exit"] = 0
        output = _PLANNED_DEVICE.encode() if invocation.method == "attach" else b""
        return Call(
            invocation=invocation,
            release=self.release,
            exit_code=0,
            signal=None,
            timed_out=False,
            seconds=0.0,
            stdout_bytes=output,
        )


class _PlannedStatus(NamedTuple):
    st_mode: int = stat.S_IFBLK
    st_rdev: int = os.makedev(259, 1)
    st_ino: int = 0
    st_dev: int = 0
    st_size: int = 0


class PlanningNode:
    """A node on which nothing happens: what is there can be read, and one device is to come."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.name = node.name

    def run(self, command: Command) -> Completed:
        """Do nothing, successfully."""
        del command
        return Completed(
            exit_code=0, signal=None, timed_out=False, stdout=b"", stderr=b"", seconds=0.0
        )

    def read_file(self, path: str) -> bytes:
        """Return a file's content. Raises OSError."""
        return self._node.read_file(path)

    def stat(self, path: str) -> FileStatus:
        """Return a file's status. Raises OSError."""
        return _PlannedStatus() if path == _PLANNED_DEVICE else self._node.stat(path)

    def look(self, search: Search) -> Sight:
        """Look at a directory's files; see Node.look."""
        return self._node.look(search)

    def is_directory(self, path: str) -> bool:
        """Return whether the path leads to a directory."""
        return self._node.is_directory(path)

    def make_directory(self, path: str, mode: int) -> None:
        """Do nothing."""

    def copy_directory(self, source: str, target: str) -> None:
        """Do nothing."""

    def facts(self) -> Facts:
        """Return what is known of the node."""
        return self._node.facts()

    def run_python(
        self, source: str, function: str, *arguments: object, timeout_s: float | None = None
    ) -> None:
        """Do nothing."""
