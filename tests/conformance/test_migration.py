"""The suite's migrations and failovers against recordings of a real cluster: call for call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from extstorage.contract.releases import release
from extstorage_conformance.instance import Instance
from extstorage_conformance.migration import Migration
from tests.cluster.recordings import rows

if TYPE_CHECKING:
    from collections.abc import Callable

Step = tuple[str, str, str, str]


@dataclass
class Notes:
    """In a subject's place: says what the provider has, and keeps the calls."""

    name: str = "3.0"
    has: tuple[str, ...] = ("open", "close")
    calls: list[Step] = field(default_factory=list)

    @property
    def host(self) -> Notes:
        return self

    @property
    def release(self) -> Any:  # noqa: ANN401 - a Release
        return release(self.name)

    def uses(self, method: str) -> bool:
        return method not in ("open", "close") or method in self.has


@dataclass
class Noted:
    """In the place of a volume and of its calls: notes each call, which succeeds."""

    subject: Notes
    disk: str
    node: str
    path: str = "/dev/null"
    size_mib: int = 1
    exit_code: int = 0
    timed_out: bool = False
    signal: None = None

    @property
    def name(self) -> str:
        return self.disk

    def on(self, node: str) -> Noted:
        return Noted(self.subject, self.disk, node)

    def is_gone(self) -> bool:
        return True

    def judge_attach(self) -> Noted:
        return self.call("attach")

    def call(self, method: str, *, exclusive: bool | None = None) -> Noted:
        mode = "" if exclusive is None else str(exclusive)
        self.subject.calls.append((self.node, method, self.disk, mode))
        return self

    def prepare(self, method: str, *, exclusive: bool | None = None) -> Prepared:
        return Prepared(method, exclusive)

    def run(self, prepared: Prepared) -> Noted:
        return self.call(prepared.method, exclusive=prepared.exclusive)


@dataclass
class Prepared:
    method: str
    exclusive: bool | None

    def with_variables(self, *, VOL_OPEN_EXCLUSIVE: str) -> Prepared:  # noqa: N803 - the variable
        return Prepared(self.method, VOL_OPEN_EXCLUSIVE == "True")


def migration(notes: Notes, disks: int) -> Migration:
    """Return a migration of noted disks from "source" to "target"."""
    noted = [Noted(notes, f"disk{index}", "source") for index in range(disks)]
    return Migration(Instance(cast("Any", noted)), cast("Any", "source"), cast("Any", "target"))


def recorded(operation: str, *, source: str = "source") -> list[Step]:
    """Return the calls that Ganeti made: node, method, disk, mode; ``source`` by its role there."""
    found = [row["calls"] for row in rows() if row["operation"] == operation and row["calls"]]
    return [
        (
            "source" if call["node_role"].startswith(source) else "target",
            call["script"].rpartition("/")[2],
            call["env"]["VOL_NAME"].rpartition(".")[2],
            call["env"].get("VOL_OPEN_EXCLUSIVE", ""),
        )
        for call in found[0]
    ]


def live(migration: Migration) -> None:
    migration.whole()


def called_off(migration: Migration) -> None:
    migration.do(migration.steps_before())
    migration.revert()


@pytest.mark.parametrize(
    ("operation", "disks", "do", "source"),
    [
        ("migrate (running, live, -n node3)", 1, live, "source"),
        ("gnt-node migrate", 2, live, "source"),
        ("failover 2 disks", 2, Migration.failover, "source"),
        ("migrate --cleanup after failed accept", 1, Migration.clean_up, "primary"),
        (
            "migrate --cleanup when the instance runs on the target",
            1,
            Migration.clean_up_on_the_wrong_node,
            "source",
        ),
        (
            "migrate: hypervisor refuses on target (AcceptInstance fails)",
            1,
            called_off,
            "primary",
        ),
        (
            "failover, source node marked offline (2 disks)",
            2,
            Migration.activate_on_target,
            "source",
        ),
    ],
)
def test_calls_are_those_of_ganeti(
    operation: str, disks: int, do: Callable[[Migration], object], source: str
) -> None:
    notes = Notes()

    do(migration(notes, disks))

    assert notes.calls == recorded(operation, source=source)


def test_without_open_and_close_the_attaches_stay() -> None:
    notes = Notes(has=())

    live(migration(notes, 1))

    assert notes.calls == recorded("migrate min provider")


@pytest.mark.parametrize("name", ["2.7", "2.13"])
def test_old_releases_attach_on_the_target_and_detach_on_the_source(name: str) -> None:
    notes = Notes(name)

    live(migration(notes, 1))

    assert [call[:2] for call in notes.calls] == [
        ("target", "attach"),
        ("source", "attach"),
        ("source", "detach"),
    ]
