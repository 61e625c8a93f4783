"""The steps that a script takes outside its own process, as a recorded run showed them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ONLY_ASKS = ("read", "ask")
"""Kinds of system calls that change nothing, wherever they are."""
_LEAVES_NOTHING = ("read", "ask", "open", "sync", "lock")


@dataclass(frozen=True)
class Boundary:
    """One external command or system call of a script.

    Attributes:
        key: What it is, without what differs from run to run.
        number: The how-manieth of that key it is in a call, from 1.
        kind: ``command``, or the class of a system call: make, open, read, ask, write, size,
            name, delete, sync, lock, mode, device, mount, network.
        text: The whole command line, or the system call with its paths.
        changes: Whether the world outside is another one afterwards.
        inside: How many system calls that change something a command makes.
        outcome: A command's exit status (minus a signal), a call's errno as a negative number, 0.
        wraps: Whether the command only starts another one in its place (``env``, ``nice``).
    """

    key: str
    number: int
    kind: str
    text: str
    changes: bool
    inside: int
    outcome: int | None
    wraps: bool

    @property
    def is_command(self) -> bool:
        """Whether it is an external command; else it is a system call of the script's own."""
        return self.kind == "command"

    @property
    def tool(self) -> str:
        """The command's name."""
        return self.key.partition(" ")[2]

    @property
    def use(self) -> str:
        """What the tool is used for, as its options say it; of a system call its class."""
        options = [word for word in self.text.split() if word.startswith("-")]
        return " ".join([self.key, *options]) if self.is_command else self.kind

    @property
    def name(self) -> str:
        """What people and ``--only`` call it: ``losetup#2``."""
        return f"{self.key.partition(' ')[2]}#{self.number}"

    @property
    def means(self) -> str:
        """How it is reached: ``command`` or ``system call``."""
        return "command" if self.is_command else "system call"

    @property
    def leaves_something(self) -> bool:
        """Whether a script that ends right after it leaves more than one that ends before."""
        return self.changes and self.kind not in _LEAVES_NOTHING and not (self.outcome or 0) < 0

    def to_json(self) -> dict[str, Any]:
        """Return the boundary as a JSON object."""
        return {
            "name": self.name,
            "kind": self.kind,
            "text": self.text,
            "changes": self.changes,
            "outcome": self.outcome,
        }


@dataclass(frozen=True)
class CallMap:
    """What one method's script does outside its process, in the order in which it begins."""

    method: str
    boundaries: tuple[Boundary, ...]

    @classmethod
    def of(cls, method: str, steps: Iterable[dict[str, Any]]) -> CallMap:
        """Return the map that the tracer's report of one run shows."""
        return cls(method, tuple(Boundary(**step) for step in steps))

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the external commands, each once, in their order."""
        return tuple(dict.fromkeys(each.tool for each in self.boundaries if each.is_command))

    def failing(self) -> Iterator[Boundary]:
        """Yield the boundaries to fail; of reads that are alike the first one stands for all."""
        seen = set()
        for boundary in self.boundaries:
            if boundary.kind in ONLY_ASKS and boundary.key in seen:
                continue
            seen.add(boundary.key)
            if not boundary.wraps and not (not boundary.is_command and (boundary.outcome or 0) < 0):
                yield boundary

    def leaving(self) -> Iterator[Boundary]:
        """Yield the boundaries after which a script that is killed leaves something new."""
        return (each for each in self.boundaries if each.leaves_something and not each.wraps)
