"""Rules about leaks: what stays on the node and in the back end when all is undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.contract.variables import PARAMETER_PREFIX
from extstorage_conformance import judge
from extstorage_conformance.faults.limits import without_writes
from extstorage_conformance.life import ordinary, snapshot_of, through
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.inventory import Item
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_WARM_UP = 3
_REPEATS = 20
_ITEMS = 5
_BAD_SIZES = ("0", "-1", "many", "")


def _live(subject: Subject) -> Call:
    """Take a volume through all that Ganeti does to one, as given steps; return the last call."""
    volume = subject.volume()
    through(volume, "create", "attach", "open")
    volume.stamp()
    through(volume, "setinfo", "snapshot")
    if subject.uses("snapshot"):
        # Before grow, which may be refused while there is a snapshot (ES-GROW-14).
        through(snapshot_of(volume), "attach", "open", "detach", "remove")
    through(volume, "attach", "grow", "detach", "remove")
    return subject.calls[-1]


def _shown(left: Iterable[Item]) -> str:
    items = list(left)
    more = f" and {len(items) - _ITEMS} more" if len(items) > _ITEMS else ""
    return "left: " + "; ".join(map(str, items[:_ITEMS])) + more


@rule(
    "ES-LEAK-01",
    Level.MUST,
    source="derived: a node has few loop devices, and a mapping that stays holds its storage",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_node_is_as_before(subject: Subject) -> None:
    """After a volume's whole life, from create to remove, the node is as it was before.

    Mappings, read-only flags, mounts, links, locks, files that carry the
    volume's name, processes.
    """
    last = _live(subject)
    of_back_end = subject.survey.is_of_back_end
    left = [item for item in subject.left() if not of_back_end(item)]
    judge.holds(not left, "the node as it was", _shown(left), last)


@rule(
    "ES-LEAK-02",
    Level.MUST,
    source="derived: Ganeti undoes nothing of a call that failed",
    profile=Profile.STANDARD,
)
def test_refused_calls_leave_nothing(subject: Subject) -> None:
    """A call that fails leaves the node and the back end as they were, and so does every check.

    What is left behind after a check of another rule that went well is reported
    here too.
    """
    volume = subject.created()
    before = subject.survey.take()
    for invocation in _wrong(subject, volume):
        call = subject.run(invocation)
        if call.succeeded:  # whether it may is another rule's question
            before = subject.survey.take()
            continue
        left = subject.survey.left_since(before)
        judge.holds(not left, "nothing, as the call failed", _shown(left), call)


def _wrong(subject: Subject, volume: Volume) -> Iterator[Invocation]:
    """Yield calls that a provider refuses: of nothing, with wrong values, without a value."""
    nothing = subject.volume()
    for method in filter(subject.uses, ("attach", "grow", "setinfo", "open", "snapshot")):
        yield ordinary(nothing, method)
    create = subject.volume().prepare("create")
    for size in _BAD_SIZES:
        yield create.with_variables(VOL_SIZE=size)
    yield create.without("VOL_SIZE")
    yield create.without("VOL_NAME")
    for name, values in subject.configuration.invalid_values.items():
        for value in values:
            yield create.with_variables({f"{PARAMETER_PREFIX}{name.upper()}": value})
    yield volume.prepare("create").with_variables(VOL_SIZE=str(2 * volume.size_mib))
    yield ordinary(volume, "grow").with_variables(VOL_NEW_SIZE="many")
    yield ordinary(volume, "grow").without("VOL_NEW_SIZE")
    yield without_writes(subject.volume().prepare("create"))
    for method in filter(subject.uses, ("snapshot", "grow")):
        yield without_writes(ordinary(volume, method))


@rule(
    "ES-LEAK-03",
    Level.MUST,
    source="derived: what stays in the back end takes space that nobody knows of",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_back_end_is_as_before(subject: Subject) -> None:
    """After a volume's whole life the back end holds what it held before, no copy and no record.

    conformance.toml says how to look: inventory_directories or the hook inventory.
    """
    if not (
        subject.configuration.run["inventory_directories"]
        or subject.configuration.hooks["inventory"]
    ):
        raise NotApplicable("conformance.toml names neither inventory_directories nor a hook")
    last = _live(subject)
    left = [item for item in subject.left() if subject.survey.is_of_back_end(item)]
    judge.holds(not left, "the back end as it was", _shown(left), last)


@rule(
    "ES-LEAK-04",
    Level.SHOULD,
    source="derived: attach is called for every RPC on a disk, for years",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds=f"{_REPEATS} attaches, after {_WARM_UP} that do not count",
)
def test_state_does_not_grow_with_attach(subject: Subject) -> None:
    """Attach of an attached volume adds nothing to the files that the provider keeps.

    A line a call fills a file system within months.
    """
    volume = subject.attached()
    for _ in range(_WARM_UP):
        volume.given("attach")
    before = _file_bytes(subject)
    for _ in range(_REPEATS):
        call = volume.given("attach")
    grown = _file_bytes(subject) - before
    judge.holds(
        grown < _REPEATS,
        f"files as large as before {_REPEATS} attaches",
        f"{grown} bytes more",
        call,
    )


def _file_bytes(subject: Subject) -> int:
    paths = [item.name for item in subject.survey.take() if item.kind == "file"]
    return int(subject.node.ask("file_bytes", paths))
