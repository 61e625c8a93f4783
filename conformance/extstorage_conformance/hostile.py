"""Calls with values that a faulty script takes for more than data, and what they must not touch.

Such a script is run as root and may delete whatever a pattern in the value matches where it
stands: so it stands in a copy of the provider, and no name leads to what somebody else has made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING

from extstorage_conformance import judge

if TYPE_CHECKING:
    from pathlib import Path

    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.subject import Subject

# Each makes the file {canary} if a shell, or its arithmetic, takes it for more than data.
COMMANDS = (
    "$(: >{canary})",
    "`: >{canary}`",
    "; : >{canary}; #",
    "x\n: >{canary}\n",
    "'; : >{canary}; '",
    '"; : >{canary}; "',
    "a[$(: >{canary})]",
)
_LONGEST_SHOWN = 60
_OUTSIDE = """
find . -path ./log -prune -o -path ./together -prune -o -path './providers-*' -prune -o \\
    -mindepth 1 -printf '%p %y %m %s\\n'
printf '%s' "$ABOVE" | while IFS= read -r directory; do
    find "$directory/" -mindepth 1 -maxdepth 1 -name "$STRAY*"
done
"""
_DELETE_STRAYS = """
printf '%s' "$ABOVE" | while IFS= read -r directory; do
    find "$directory/" -mindepth 1 -maxdepth 1 -name "$STRAY*" -exec rm -rf -- {} +
done
"""


@dataclass(frozen=True)
class Canary:
    """A file that nobody makes, unless data is taken for a command."""

    subject: Subject
    path: str

    @classmethod
    def of(cls, subject: Subject) -> Canary:
        """Return the canary of a test."""
        return cls(subject, str(subject.suite.run_directory / "canary"))

    def judge(self, call: Call, what: str) -> None:
        """Judge that the call ended by itself and has not made the file."""
        judge.ended(call)
        try:
            self.subject.node.node.stat(self.path)
        except OSError:
            return
        self.subject.node.shell('rm -f -- "$CANARY"', "/", {"CANARY": self.path})
        judge.holds(condition=False, expected="a value that is data", got=f"{what} ran", call=call)

    def values(self, commands: tuple[str, ...] = COMMANDS) -> list[str]:
        """Return values that run a command if they are taken for one."""
        return [command.replace("{canary}", self.path) for command in commands]


@dataclass(frozen=True)
class Enclosure:
    """Where hostile calls are made: a copy of the provider, on the first node."""

    subject: Subject
    copy: Path
    canary: Canary

    @classmethod
    def of(cls, subject: Subject) -> Enclosure:
        """Copy the provider for a test."""
        suite = subject.suite
        return cls(subject, suite.copy_of_provider(suite.directory.name), Canary.of(subject))

    def call(self, invocation: Invocation, variable: str, value: str) -> Call:
        """Make the call with ``variable`` of this value; judge that it was data."""
        invocation = invocation.with_variables({variable: value})
        files = self._files
        # Most are refused: what is made is registered after the call, and nothing else.
        call = self.subject.execute(invocation.in_copy(str(self.copy)))
        self.subject.note(call)
        what = f"{variable}={shown(value)}"
        self.canary.judge(call, what)
        gone = sorted(files - self._list_files())
        got = f"{invocation.method} with {what} deleted {', '.join(gone[:3])}"
        judge.holds(not gone, "the provider's files to stay", got, call)
        return call

    @cached_property
    def stray(self) -> str:
        """A name that no file has, wherever a path with it leads."""
        return f"stray-{self.subject.uuid()}"

    def outside(self) -> set[str]:
        """Return what there is outside the back end's own directories.

        That is the run's directory, and whatever is named as ``stray`` is above a directory that
        a parameter names.
        """
        suite = self.subject.suite
        parameters = suite.configuration.parameters.values()
        places = [
            *suite.configuration.run["inventory_directories"],
            *(value for value in parameters if value.startswith("{run_directory}/")),
        ]
        own = [str(PurePath(place.replace("{run_directory}", "."))) for place in places]
        listed = self.subject.node.shell(_OUTSIDE, str(suite.run_directory), self._variables())
        lines = listed.stdout.decode(errors="backslashreplace").splitlines()
        return {line for line in lines if not line.startswith(tuple(f"./{each}" for each in own))}

    def delete_strays(self) -> None:
        """Delete what scripts have made outside of the pool, which their remove may refuse to."""
        self.subject.node.shell(_DELETE_STRAYS, "/", self._variables())

    def _variables(self) -> dict[str, str]:
        return {"STRAY": self.stray, "ABOVE": "".join(f"{path}\n" for path in self._above())}

    def _above(self) -> list[str]:
        values = self.subject.suite.parameters.values()
        above = {str(path) for value in values for path in PurePath(value).parents}
        return sorted({"/", *(path for path in above if path.startswith("/") and "\n" not in path)})

    @cached_property
    def _files(self) -> frozenset[str]:
        return frozenset(self._list_files())

    def _list_files(self) -> set[str]:
        listed = self.subject.node.shell(
            "find . -name __pycache__ -prune -o -print", str(self.copy), {}
        )
        return set(listed.stdout.decode(errors="backslashreplace").splitlines())


def shown(value: str) -> str:
    """Return the value as a message shows it."""
    return repr(value[:_LONGEST_SHOWN])
