"""Traces: what was called on which node, one JSON record for each command.

The format is that of the recordings of real clusters that this project is tested with.
"""

from __future__ import annotations

import fcntl
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from extstorage.cluster.calls import CallLog
    from extstorage.cluster.state import State

Record = dict[str, Any]


def places(state: State, names: Sequence[str]) -> str | None:
    """Return the primary node of the first of these instances that is there."""
    for name in names:
        if state.has_instance(name):
            return state.instance(name).primary_node
    return None


def record(
    command: str, release: str, log: CallLog, before: str | None, after: str | None
) -> Record:
    """Return the record of a command, its exit status and output yet to be added."""
    return {
        "operation": " ".join(command.split()[:2]),
        "command": command,
        "ganeti_version": f"{release} (extstorage)",
        "rc": None,
        "seconds": round(sum(call["dur"] or 0 for call in log.calls), 3),
        "pnode_before": before,
        "pnode_after": after,
        "output": "",
        "calls": [
            {"node": call["node"], "node_role": role(call["node"], before, after), **call}
            for call in log.calls
        ],
    }


def role(node: str, before: str | None, after: str | None) -> str:
    """Return what a node was to the instance, by its primary node before and after."""
    if before and after and before != after:
        names = {before: "source(old primary)", after: "target(new primary)"}
        return names.get(node, "other")
    return "primary" if node in (before, after) else "other"


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """Append a record to a trace file. Raises OSError."""
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(entry) + "\n")


def lines(calls: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each call: node, script, variables, exit status."""
    for call in calls:
        variables = " ".join(f"{name}={value}" for name, value in sorted(call["env"].items()))
        yield f"{call['node']} {call['script']} {variables}"
