"""The steps that a script takes outside its own process, and how each one is known again."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = "command"
CALL = "call"

_RANDOM = 6
"""From how many letters on the end of a name is taken for mktemp's or a hash."""


class Step:
    """One external command or system call: key and number know it again in the next run.

    ``process`` is the one that runs the command; ``inside`` counts the command's own system
    calls that change something; ``outcome`` is an exit status, or a call's result (0, -errno).
    """

    def __init__(self, key: str, number: int, *, kind: str, text: str, changes: bool) -> None:
        self.key = key
        self.number = number
        self.kind = kind
        self.text = text
        self.changes = changes
        self.inside = 0
        self.outcome: int | None = None
        self.process = 0
        self.wraps = False

    def to_json(self) -> dict[str, Any]:
        """Return the step as a JSON object."""
        return {
            "key": self.key,
            "number": self.number,
            "kind": self.kind,
            "text": self.text,
            "changes": self.changes or bool(self.inside),
            "inside": self.inside,
            "outcome": self.outcome,
            "wraps": self.wraps,
        }


class Steps:
    """All steps of one run, in the order in which they began."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._counts: dict[str, int] = {}
        self.taken: list[Step] = []

    def command(self, path: str, argv: list[str], process: int) -> Step:
        """Note that ``process`` is about to execute a program; return the step."""
        name = os.path.basename(path)
        if name == "busybox" and len(argv) > 1 and os.path.basename(argv[0]) == name:
            name = argv[1]
        step = self._new(f"{COMMAND} {name}", COMMAND, " ".join([name, *argv[1:]]), changes=False)
        step.process = process
        return step

    def call(self, name: str, kind: str, paths: tuple[str, ...], what: str, text: str) -> Step:
        """Note that a system call is about to be made; return the step."""
        places = " ".join(self._place(path) for path in paths)
        key = f"{CALL} {name} {places} {what}".rstrip()
        return self._new(key, kind, text, changes=False)

    def _new(self, key: str, kind: str, text: str, *, changes: bool) -> Step:
        self._counts[key] = self._counts.get(key, 0) + 1
        step = Step(key, self._counts[key], kind=kind, text=text[:500], changes=changes)
        self.taken.append(step)
        return step

    def retract(self, step: Step) -> None:
        """Forget a step that did not come to pass: a program that could not be executed."""
        self.taken.remove(step)
        self._counts[step.key] -= 1

    def _place(self, path: str) -> str:
        for value, name in self._names.items():
            path = path.replace(value, name)
        return "/".join(_without_chance(part) for part in path.split("/"))


def _without_chance(part: str) -> str:
    """Return a file name without what differs from run to run: numbers, random letters."""
    if part.startswith("tmp") and len(part) > len("tmp") + _RANDOM:
        return "tmp*"
    for mark in (".", "-", "_"):
        head, _, tail = part.rpartition(mark)
        if head and len(tail) >= _RANDOM and tail.isalnum() and (mark == "." or _mixed(tail)):
            part = f"{head}{mark}*"
    return _without_numbers(part)


def _mixed(text: str) -> bool:
    return not text.islower() and not text.isupper()


def _without_numbers(text: str) -> str:
    kept: list[str] = []
    for character in text:
        if not character.isdigit():
            kept.append(character)
        elif kept[-1:] != ["N"]:
            kept.append("N")
    return "".join(kept)
