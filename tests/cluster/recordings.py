"""384 operations of a real three-node cluster (Ganeti 3.0.2, hypervisor fake), as recorded."""

from __future__ import annotations

import json
import lzma
import re
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("data")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MOMENT = re.compile(r"^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} ", re.MULTILINE)
_NUMBER = re.compile(r"\b([Jj]obs?) \d+(, \d+)*")

Row = dict[str, Any]


@cache
def rows() -> list[Row]:
    """Return all recorded operations, in the order in which they were carried out."""
    with lzma.open(DATA / "traces.jsonl.xz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@cache
def misbehaviour() -> list[Row]:
    """Return what happened with bad providers and failing scripts; many are in ``rows`` too.

    Calls have no variables here; ``instances_after`` says what became of the instances.
    """
    with lzma.open(DATA / "misbehaviour.jsonl.xz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def after(operation: str) -> str | None:
    """Return what became of the instances, where that was recorded: name, states, node."""
    found = [row["instances_after"] for row in misbehaviour() if row["case"] == operation]
    return found[0] if found else None


def instance_is_there(command: str) -> bool:
    """Return whether a command is about an instance that is there before it."""
    return command.startswith("gnt-instance ") and not command.startswith("gnt-instance add")


def as_row(case: Row) -> Row:
    """Return a case of ``misbehaviour`` in the form of ``rows``."""
    words = (case["instances_after"] or "").split()
    made = not instance_is_there(case["command"])
    calls = [{"env": {}, "stdout": None, **call} for call in case["calls"]]
    return {
        **case,
        "operation": case["case"],
        "calls": calls,
        "pnode_before": None if made else "node2",
        "pnode_after": words[-1].split(".")[0] if words else None,
    }


class Normaliser:
    """Numbers UUIDs in the order in which they appear; those that are known stay."""

    def __init__(self, known: set[str]) -> None:
        self._known = known
        self._numbers: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        return UUID.sub(lambda match: self._number(match[0]), text)

    def _number(self, uuid: str) -> str:
        if uuid in self._known:
            return uuid
        return self._numbers.setdefault(uuid, f"UUID{len(self._numbers)}")


def calls(row: Row, known: set[str]) -> list[tuple[str, str, int | None, dict[str, str]]]:
    """Return an operation's calls in a form that can be compared: role, script, exit, variables."""
    normalised = Normaliser(known)
    return [
        (
            call["node_role"],
            call["script"],
            call["exit"],
            {name: normalised(call["env"][name]) for name in sorted(call["env"])},
        )
        for call in row["calls"]
    ]


def text(output: str, known: set[str]) -> str:
    """Return an operation's output without what is different each time."""
    return Normaliser(known)(_NUMBER.sub(r"\1 N", _MOMENT.sub("@ ", output)))
