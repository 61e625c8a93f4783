"""One command, typed at a real cluster and at ours; what became of it on each, to be compared."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from extstorage.cluster import trace
from extstorage.cluster.location import DIRECTORY
from extstorage.resources import reference_providers
from tests.cluster import recordings
from tests.ganeti.real_cluster import Said
from tests.ganeti.traced import Tracing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ganeti.real_cluster import RealCluster

PROVIDERS = {"traced": True, "other": True, "bare": False}
"""The providers by name, and whether they have the optional scripts."""

_STATE = "gnt-instance list --no-headers --separator=| -o name,admin_state,status,pnode,disk.count"


@dataclass
class Outcome:
    """What became of a command, in a form that two clusters can share."""

    status: int
    output: str
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    state: str = ""
    minor_0: bool = False  # an attach gave /dev/loop0, which Ganeti takes for no device

    def calls_beside(self, other: Outcome) -> list[tuple[Any, ...]]:
        """Return the calls to compare with another outcome's.

        A volume on /dev/loop0 is attached more often; where that is so on one of two clusters,
        the calls are compared without those that repeat an attach.
        """
        if not (self.minor_0 or other.minor_0):
            return self.calls
        found: list[tuple[Any, ...]] = []
        for call in self.calls:
            if not (found and call == found[-1] and call[1].endswith("/attach")):
                found.append(call)
        return found


@contextlib.contextmanager
def minor_0_taken(directory: Path) -> Iterator[None]:
    """Keep /dev/loop0, if it is free, so that no volume gets it."""
    image = directory / "minor-0"
    image.write_bytes(b"\0" * 4096)
    words = ["losetup", "/dev/loop0", str(image)]
    if subprocess.run(words, check=False, capture_output=True).returncode != 0:
        yield
        return
    # Detached while it is open, it goes with this process, however that one ends.
    with open("/dev/loop0", "rb"):  # noqa: PTH123 - held, not read
        subprocess.run(["losetup", "--detach", "/dev/loop0"], check=True)
        yield


class Side:
    """A cluster to type at; subclasses say how."""

    def __init__(self, shared: Path, directory: Path) -> None:
        self.shared = shared
        self.tracing = Tracing(shared)
        self._places: dict[str, str] = {}
        self.providers = [
            self.tracing.provider(directory / name, optional=optional)
            for name, optional in PROVIDERS.items()
        ]

    def type(self, command: str) -> Said:
        """Type a command."""
        raise NotImplementedError

    def outcome(self, command: str) -> Outcome:
        """Type a command and return what became of it."""
        before = self._places
        self.tracing.take()
        said = self.type(command.replace("SHARED", str(self.shared)))
        calls = self.tracing.take()
        state = self.type(_STATE).output
        after = self._places = _places(state)
        name = next((word for word in command.split() if word in before | after), "")
        for call in calls:
            call["node_role"] = trace.role(call["node"], before.get(name), after.get(name))
        row = {"calls": calls}
        return Outcome(
            said.status,
            self._words(said.output),
            [
                (role, script, status, self._paths(variables))
                for role, script, status, variables in recordings.calls(row, set())
            ],
            self._words(state),
            any(call["stdout"] == "/dev/loop0" for call in calls),
        )

    def _words(self, output: str) -> str:
        output = output.replace(str(self.shared), "SHARED")
        output = re.sub(r"/dev/loop\d+ \(\d+:\d+\)|/dev/loop\d+", "/dev/loopN", output)
        output = re.sub(r"(Creation|Modification) time: .*", r"\1 time: T", output)
        output = re.sub(r"Serial number: .*", "Serial number: N", output)
        output = _of_a_quiet_machine(output)
        # Two calls of one second share a log file, of which the last lines are quoted.
        output = re.sub(r"(\\n[^\\\n]+?)\1+$", r"\1", output, flags=re.MULTILINE)
        output = re.sub(r"(Supported parameters:\n)((?: {6}.*\n)+)", _sorted_lines, output)
        return recordings.text(output, set())

    def _paths(self, variables: dict[str, str]) -> dict[str, str]:
        return {name: self._words(value) for name, value in variables.items()}


def _places(state: str) -> dict[str, str]:
    """Return the primary node of each instance."""
    rows = [line.split("|") for line in state.splitlines() if "|" in line]
    return {row[0]: row[3] for row in rows}


def _of_a_quiet_machine(output: str) -> str:
    """Return what Ganeti says of a transfer that is over before it looks.

    On a busy machine it may still go on then, and one of its ends may be over before the other.
    """
    output = re.sub(r".* \w+/\d+ (is (sending|receiving) data on|sent) .*\n", "", output)
    sent, received = (
        rf"(.* \w+/\d+ finished ){verb}( data\n)" for verb in ("sending", "receiving")
    )
    return re.sub(sent + received, r"\1receiving\2\3sending\4", output)


def _sorted_lines(match: re.Match[str]) -> str:
    # Ganeti prints a set: the order is chance.
    return match[1] + "".join(sorted(match[2].splitlines(keepends=True)))


class Real(Side):
    """A real cluster."""

    def __init__(self, cluster: RealCluster, directory: Path) -> None:
        super().__init__(cluster.shared, directory)
        self.cluster = cluster
        for provider in (*reference_providers(), *self.providers):
            cluster.install(provider)

    def type(self, command: str) -> Said:
        """Type a command on the master."""
        return self.cluster.type(*shlex.split(command))


class Ours(Side):
    """A cluster of this project, on namespace nodes, in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.type("cluster init --nodes namespaces:3")
        super().__init__(directory / DIRECTORY / "shared", directory / "providers")
        for provider in self.providers:
            self.type(f"cluster install-provider {provider}")

    def type(self, command: str) -> Said:
        """Type a command in the directory that has the cluster."""
        done = subprocess.run(
            [sys.executable, "-m", "extstorage", *shlex.split(command)],
            cwd=self._directory,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
        )
        return Said(done.returncode, done.stdout.decode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Switch the nodes off."""
        self.type("cluster destroy --force")
