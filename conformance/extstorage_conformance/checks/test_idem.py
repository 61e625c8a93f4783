"""Rules about repetition: Ganeti repeats its calls, and expects what it got the first time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.checks.patterns import LIFE, SNAPSHOT, WHOLE, Pattern
from extstorage_conformance.life import ordinary, snapshot_of, through
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from extstorage.host.call import Call
    from extstorage_conformance.inventory import Item
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_REPEATS = 10
_CYCLES = 5
_USE = ("attach", "open", "setinfo", "close", "detach")
# What goes wrong when a call is made again at once is the finding of that method's own rule.
_TWICE = ("attach", "attach", "open", "open", "close", "close", "detach", "detach")


@rule(
    "ES-IDEM-01",
    Level.MUST,
    source="man ganeti-extstorage-interface(7); lib/backend.py attaches for nearly every RPC",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds=f"{_REPEATS} of each method",
)
def test_repeated_calls_converge(subject: Subject) -> None:
    """Attach, open, setinfo, close and detach, ten times each, leave what one time leaves.

    One detach undoes any number of attaches: nothing is counted and nothing
    piles up.
    """
    volume = subject.created()
    through(volume, *_USE)
    through(volume, *_TWICE)
    once = subject.survey.take()
    for method in filter(subject.uses, _USE):
        for number in range(1, _REPEATS + 1):
            call = subject.run(ordinary(volume, method))
            judge.succeeds(call, f"time {number} of {_REPEATS}")
            if method == "detach" and number == 1:
                _judge_nothing_new(subject, once, "what one attach and one detach leave", call)
    _judge_nothing_new(subject, once, "what each of them leaves once", call)


def _judge_nothing_new(
    subject: Subject, before: frozenset[Item], expected: str, call: Call
) -> None:
    left = subject.survey.left_since(before)
    judge.holds(not left, expected, "more: " + "; ".join(map(str, left[:3])), call)


@rule(
    "ES-IDEM-02",
    Level.MUST,
    source="derived: gnt-instance recreate-disks makes a volume of the same name again",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds=f"{_CYCLES} lives",
)
def test_lifecycle_repeats(subject: Subject) -> None:
    """A volume's whole life can be repeated under its name, and nothing stays in the end.

    From create to remove, five times.
    """
    volume = subject.volume()
    life = ("create", *_USE, "remove")
    through(volume, *life)
    for cycle in range(2, _CYCLES + 1):
        for method in filter(subject.uses, life):
            call = subject.run(ordinary(volume, method))
            judge.succeeds(call, f"life {cycle} of {_CYCLES} under one name")
    _judge_nothing_new(subject, subject.baseline, "what was there before the first life", call)


@rule(
    "ES-IDEM-03",
    Level.MUST,
    source="lib/backend.py BlockdevCreate, BlockdevAssemble, BlockdevGrow, BlockdevShutdown, "
    "BlockdevRemove; lib/storage/extstorage.py (attach in the constructor)",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_ganetis_own_sequences(subject: Subject) -> None:
    """Every call succeeds in the sequences in which Ganeti makes them, one operation after another.

    checks/patterns.py has the sequences. Each method is tried before, also twice
    in a row: one that never works, or only once, is another rule's finding.
    """
    _try_each_method(subject)
    _replay(subject.volume(), LIFE)
    for pattern in WHOLE:
        _replay(subject.volume(), (pattern,))


def _try_each_method(subject: Subject) -> None:
    volume = subject.volume()
    through(volume, "create", "attach", "attach", "open", "open", "setinfo", "setinfo")
    if subject.uses("snapshot"):
        for _ in range(2):
            through(volume, "snapshot")
            through(snapshot_of(volume), "attach", "open", "open", "detach", "remove")
    through(volume, "grow", "close", "detach", "attach", "open", "detach", "remove", "create")
    through(volume, "remove")


def _replay(volume: Volume, patterns: Iterable[Pattern]) -> None:
    subject = volume.subject
    snapshot = snapshot_of(volume)
    for pattern in patterns:
        if pattern.uses("snapshot") and not subject.uses("snapshot"):
            continue
        for number, step in enumerate(pattern.steps, start=1):
            target = snapshot if step.startswith(SNAPSHOT) else volume
            _step(target, pattern, number, step.removeprefix(SNAPSHOT))
        if pattern.uses("grow"):
            volume.disk = replace(volume.disk, size_mib=2 * volume.size_mib)


def _step(volume: Volume, pattern: Pattern, number: int, method: str) -> None:
    subject = volume.subject
    if not subject.uses(method):
        return
    call = subject.run(ordinary(volume, method))
    try:
        if method == "attach":
            judge.block_device(call)
        else:
            judge.succeeds(call)
    except Violation as found:
        where = f"step {number} ({pattern.steps[number - 1]}) of {pattern.operation}"
        expected = f"{found.expected} at {where}: {pattern.text}"
        raise Violation(expected, found.got, call) from None
