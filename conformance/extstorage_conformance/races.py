"""Races of two calls for one volume, and what has to be true after them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.life import ordinary, snapshot_of
from extstorage_conformance.together import at_once, patience_s, while_held
from extstorage_conformance.violation import Blocked, Violation

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Mapping

    from extstorage.host.call import Call
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_AT_ONCE = 2  # the turn in which neither is held


@dataclass(frozen=True)
class Pair:
    """Two methods that race; ``attached`` tells whether the volume is attached before."""

    first: str
    second: str
    attached: bool = False

    @property
    def methods(self) -> tuple[str, str]:
        """Both, in order."""
        return self.first, self.second

    def __str__(self) -> str:
        return f"{self.first} and {self.second}" + (" while attached" if self.attached else "")


# Pairs of which neither ends the volume: each call succeeds, whichever comes first.
LIVES_ON = (
    Pair("attach", "detach"),
    Pair("attach", "detach", attached=True),
    Pair("attach", "grow", attached=True),
    Pair("grow", "detach", attached=True),
    Pair("grow", "setinfo", attached=True),
    Pair("snapshot", "detach", attached=True),
    Pair("snapshot", "grow", attached=True),
)
PAIRS = (
    *LIVES_ON,
    Pair("attach", "remove"),
    Pair("detach", "remove", attached=True),
    Pair("grow", "remove"),
    Pair("setinfo", "remove"),
    Pair("snapshot", "remove"),
    Pair("create", "remove"),
)


def alone(subject: Subject, methods: Iterable[str]) -> dict[str, Call]:
    """Run each of the methods alone, as given steps; return the calls. Raises Blocked."""
    calls = {}
    for method in methods:
        volume = subject.volume()
        if method != "create":
            volume.create_attached()
        call = subject.run(ordinary(volume, method))
        if call.failed and method != "remove":  # a volume that is attached may refuse it
            raise Blocked(f"{method} fails alone ({call.fail_reason})", call)
        for made in (snapshot_of(volume), volume):
            made.call("detach")
            made.call("remove")
        calls[method] = call
    return calls


def race(
    subject: Subject, pair: Pair, alone: Mapping[str, Call], generator: random.Random, rounds: int
) -> Iterator[Call]:
    """Let the two race ``rounds`` times and judge what is true after each; yield their calls.

    In turn each is held, at a point of its time that ``alone`` knows, while the other runs, and
    both start at one moment. Raises Violation, Blocked.
    """
    for turn in range(rounds):
        volume = _prepared(subject, pair)
        both = [ordinary(volume, method) for method in pair.methods]
        if turn % 3 == _AT_ONCE:
            raced = at_once(subject, both)
        else:
            held, other = both if turn % 3 else reversed(both)
            overlap = while_held(
                subject,
                held,
                partial(subject.run, other),
                at_s=generator.random() * alone[held.method].seconds,
                patience_s=patience_s(alone[other.method]),
            )
            raced = [overlap.call, overlap.result]
        try:
            _judge(volume, pair, {call.invocation.method: call for call in raced})
        except Blocked as unusable:  # by what worked before the race
            expected = f"a volume that can be used after the race of {pair}"
            raise Violation(expected, str(unusable), unusable.call) from None
        yield from raced


def _prepared(subject: Subject, pair: Pair) -> Volume:
    volume = subject.volume()
    if pair.first == "create":
        return volume
    volume.create_attached()
    volume.stamp()
    if not pair.attached:
        volume.detach()
    return volume


def _judge(volume: Volume, pair: Pair, calls: dict[str, Call]) -> None:
    """Judge that the volume is what the calls told, and that it can be undone."""
    last = calls[pair.second]
    for call in calls.values():
        judge.ended(call)
    removed = pair.second == "remove" and last.succeeded
    if not removed:
        _judge_there(volume, pair, calls)
    elif pair.first != "create":
        judge.fails(volume.call("attach"), f"remove raced with {pair.first}, and exited 0")
        _judge_nothing_left(volume, pair, last)
    cascades = volume.subject.configuration.capabilities["remove_with_snapshots"] == "cascades"
    if pair.first == "snapshot" and not (removed and cascades):
        judge_snapshot(volume, calls["snapshot"])
    if volume.call("attach").succeeded:
        judge.succeeds(volume.call("detach"), f"after the race of {pair}")
        judge.succeeds(volume.call("remove"), f"after the race of {pair}")
    else:
        judge.ended(volume.call("remove"))  # which may be refused of what is not there
    _judge_nothing_left(volume, pair, last)


def _judge_nothing_left(volume: Volume, pair: Pair, call: Call) -> None:
    snapshot = snapshot_of(volume).name
    left = [item for item in volume.subject.left() if snapshot not in item.text]
    shown = "; ".join(map(str, left[:3]))
    judge.holds(not left, f"nothing left after the race of {pair}", f"left: {shown}", call)


def _judge_there(volume: Volume, pair: Pair, calls: dict[str, Call]) -> None:
    if pair.first == "create" and calls["create"].failed:
        return
    last = calls[pair.second]
    volume.judge_attach()
    if pair.first != "create":
        volume.judge_stamps(last)
    grow = calls.get("grow")
    least = 2 * volume.size_mib if grow is not None and grow.succeeded else volume.size_mib
    size = volume.device_mib()
    judge.holds(size >= least, f"{least} MiB after the race of {pair}", f"{size:g} MiB", last)


def judge_snapshot(volume: Volume, call: Call) -> None:
    """Judge that what ``call`` took of the stamped ``volume`` is what it tells; remove it.

    Raises Violation.
    """
    snapshot = snapshot_of(volume)
    if call.failed:
        judge.fails(snapshot.call("attach"), "snapshot failed, in a race")
        return
    snapshot.judge_attach()
    found = snapshot.judge_read(
        call, lambda on, at: on.mismatches(at, volume.name, volume.offsets())
    )
    judge.holds(not found, "the origin's data in the snapshot", "; ".join(found[:3]), call)
    judge.succeeds(snapshot.call("detach"))
    judge.succeeds(snapshot.call("remove"))
