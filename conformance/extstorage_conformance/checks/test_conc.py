"""Rules about calls that overlap: Ganeti runs jobs side by side, and any RPC on a disk attaches."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.life import ordinary
from extstorage_conformance.races import LIVES_ON, PAIRS, alone, race
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.sampling import LONGEST_S, held_at, number_of, turns
from extstorage_conformance.together import (
    at_once,
    judge_nothing_new,
    killed,
    patience_s,
    while_held,
)
from extstorage_conformance.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.host.call import Call
    from extstorage_conformance.inventory import Item
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_PARALLEL = 16
_ROUNDS_IN_PEACE = 10
_SLOW = ("create", "attach", "grow", "snapshot", "detach", "remove")
_LONGEST_WAIT_S = 10.0
_SHORTEST_SLOWNESS_S = 1.0
_LONGEST_RACES_S = 240.0
_LONGEST_OF_ONE_METHOD_S = 15.0
_CALLS_OF_A_RACE = 3  # of each method, about: with what makes, judges and undoes the volume


def _random(subject: Subject, what: str) -> random.Random:
    return random.Random(f"{subject.suite.seed} {what}")  # noqa: S311 - to be repeated


def _holds(
    subject: Subject, call: Call, standard: int, full: int, longest_s: float = LONGEST_S
) -> Iterator[float]:
    generator = _random(subject, call.invocation.method)
    return held_at(subject, generator, call, standard, full, longest_s=longest_s)


@rule(
    "ES-CONC-01",
    Level.MUST,
    source="lib/backend.py _RecursiveFindBD attaches for nearly every RPC; queries share locks",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds="16 at one moment 2 times (full: 20); held at 6 points (full: 50), drawn;"
    " in full each for 30 s at most",
)
def test_attaches_of_one_volume_overlap(subject: Subject) -> None:
    """Attaches of one volume that overlap all succeed, print one path and make one mapping.

    Two mappings are two caches over one set of blocks, of which detach may end one.
    """
    volume = subject.created()
    attach = volume.prepare("attach")

    def judge_one(calls: list[Call]) -> None:
        paths = {judge.block_device(call) for call in calls}
        judge.holds(len(paths) == 1, "one path", " and ".join(sorted(paths)), calls[-1])
        volume.path = paths.pop()
        volume.detach()
        judge_nothing_new(subject, before, calls[-1])

    volume.given("attach")
    before = _detached(volume)
    once = volume.given("attach")
    volume.detach()
    for _ in turns(subject, 2, 20):
        judge_one(at_once(subject, [attach] * _PARALLEL))
    for at_s in _holds(subject, once, 6, 50):
        overlap = while_held(
            subject,
            attach,
            lambda: volume.call("attach"),
            at_s=at_s,
            patience_s=patience_s(once),
        )
        judge_one([overlap.call, overlap.result])


def _detached(volume: Volume) -> frozenset[Item]:
    """Detach as a given step; return what is there then."""
    volume.given("detach")
    return volume.subject.survey.take()


@rule(
    "ES-CONC-02",
    Level.MUST,
    source="derived: jobs on different instances run side by side on a node",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds="1 (full: 6, for 30 s at most) of 16 volumes",
)
def test_calls_for_many_volumes_overlap(subject: Subject) -> None:
    """Calls for different volumes that start at one moment all succeed, each volume with its own.

    Sixteen volumes are created, attached, written, grown, detached, attached again and removed,
    each step for all of them at once.
    """
    volumes = [subject.volume() for _ in range(_PARALLEL)]
    for _ in turns(subject, 1, 6):
        _all(volumes, "create")
        calls = _all(volumes, "attach")
        _judge_own_devices(volumes, calls)
        for volume in volumes:
            volume.stamp()
        for method in ("setinfo", "grow", "detach"):
            _all(volumes, method)
        calls = _all(volumes, "attach")
        _judge_own_devices(volumes, calls)
        for volume, call in zip(volumes, calls, strict=True):
            volume.judge_stamps(call)
        _all(volumes, "detach")
        calls = _all(volumes, "remove")
        judge_nothing_new(subject, subject.baseline, calls[-1])


def _all(volumes: list[Volume], method: str) -> list[Call]:
    subject = volumes[0].subject
    calls = at_once(subject, [ordinary(volume, method) for volume in volumes])
    for call in calls:
        judge.succeeds(call, f"{len(calls)} of them, for different volumes, ran at once")
    return calls


def _judge_own_devices(volumes: list[Volume], calls: list[Call]) -> None:
    for volume, call in zip(volumes, calls, strict=True):
        volume.path = judge.block_device(call)
    paths = {volume.path for volume in volumes}
    judge.holds(len(paths) == len(volumes), f"{len(volumes)} devices", f"{len(paths)}", calls[-1])


@rule(
    "ES-CONC-03",
    Level.MUST,
    source="derived: detach exits 0 when there is nothing to detach, whoever has detached it",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds="16 at one moment 2 times (full: 20); held at 6 points (full: 50), drawn;"
    " in full each for 30 s at most",
)
def test_detaches_of_one_volume_overlap(subject: Subject) -> None:
    """Detaches of one volume that overlap all exit 0, and it is detached."""
    volume = subject.attached()
    volume.stamp()
    before = _detached(volume)
    volume.attach()
    once = volume.given("detach")

    def judge_detached(calls: list[Call]) -> None:
        for call in calls:
            judge.succeeds(call, "another detach of the volume overlapped")
        judge.holds(volume.is_gone(), "a detached volume", f"{volume.path} shows it", calls[-1])
        judge_nothing_new(subject, before, calls[-1])

    for _ in turns(subject, 2, 20):
        volume.attach()
        judge_detached(at_once(subject, [volume.prepare("detach")] * _PARALLEL))
    for at_s in _holds(subject, once, 6, 50):
        volume.attach()
        overlap = while_held(
            subject,
            volume.prepare("detach"),
            lambda: volume.call("detach"),
            at_s=at_s,
            patience_s=patience_s(once),
        )
        judge_detached([overlap.call, overlap.result])


@rule(
    "ES-CONC-04",
    Level.MUST,
    source="derived: a call that Ganeti gave up after its time limit still runs when others come",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds="each pair 2 times, 1 if the volume lives on (full: 100, all for 240 s at most),"
    " held at drawn points or at one moment",
)
def test_races_end_in_a_state_that_the_calls_tell(subject: Subject) -> None:
    """Two different calls for one volume that overlap leave what their exit statuses say.

    What was removed is gone, without a mapping of it; what was not removed can be attached, with
    its data, as large as grow said; nothing is left in the end. races.py lists the pairs.
    """
    pairs = [pair for pair in PAIRS if all(map(subject.uses, pair.methods))]
    times = alone(subject, {method for pair in pairs for method in pair.methods})
    for pair in pairs:
        generator = _random(subject, f"{pair}")
        few = 1 if pair in LIVES_ON else 2  # a volume that is going away is what data is lost in
        turn_s = _CALLS_OF_A_RACE * sum(times[method].seconds for method in pair.methods)
        number = number_of(subject, few, 100, turn_s, _LONGEST_RACES_S / len(pairs))
        for _ in race(subject, pair, times, generator, number):
            pass  # each is judged by what it leaves


@rule(
    "ES-CONC-05",
    Level.MUST,
    source="derived: two volumes of one name are one volume too many, and lose data",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds="8 at one moment 2 times (full: 20); held at 6 points (full: 50), drawn;"
    " in full each for 30 s at most",
)
def test_creates_of_one_name_make_one_volume(subject: Subject) -> None:
    """Creates of one name that overlap make one volume, whose data a slower create leaves alone.

    At most one of them exits 0, unless conformance.toml says that create of an existing volume
    succeeds.
    """
    may_repeat = subject.configuration.capabilities["create_existing"] == "succeeds"

    def judge_one(volume: Volume, calls: list[Call]) -> None:
        made = sum(call.succeeded for call in calls)
        enough = made == 1 or (may_repeat and made > 1)
        judge.holds(enough, "one create that exits 0", f"{made} of {len(calls)}", calls[-1])
        judge.succeeds(volume.call("remove"))
        attached = volume.call("attach")
        judge.fails(attached, "the volume was removed")
        judge_nothing_new(subject, before, calls[-1])

    once = subject.volume().given("create")
    before = subject.survey.take()
    for _ in turns(subject, 2, 20):
        volume = subject.volume()
        judge_one(volume, at_once(subject, [volume.prepare("create")] * (_PARALLEL // 2)))
    for at_s in _holds(subject, once, 6, 50):
        volume = subject.volume()
        overlap = while_held(
            subject,
            volume.prepare("create"),
            lambda volume=volume: _created_and_written(volume),  # type: ignore[misc]
            at_s=at_s,
            patience_s=4 * patience_s(once),
        )
        if overlap.result.succeeded:
            volume.judge_attach()
            volume.judge_stamps(overlap.call)
            volume.detach()
        judge_one(volume, [overlap.call, overlap.result])


def _created_and_written(volume: Volume) -> Call:
    call = volume.call("create")
    if call.succeeded:
        volume.attach()
        volume.stamp()
        volume.detach()
    return call


@rule(
    "ES-CONC-06",
    Level.MUST,
    source="derived: jobs on different instances run side by side on a node",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds="each method held at 2 points (full: 10, for 15 s at most), drawn",
)
def test_a_slow_call_loses_nothing_of_other_volumes(subject: Subject) -> None:
    """What is done to one volume stays done when a slower call for another began before it.

    A list of all volumes that each script reads, changes and writes back loses what was
    changed meanwhile.
    """
    bystander = subject.attached()
    bystander.stamp()
    bystander.detach()
    for method in filter(subject.uses, (*_SLOW, "setinfo")):
        slow = _ready_for(subject, method)
        once = subject.run(ordinary(_ready_for(subject, method), method))
        for at_s in _holds(subject, once, 2, 10, _LONGEST_OF_ONE_METHOD_S):
            overlap = while_held(
                subject,
                ordinary(slow, method),
                lambda: _changed(subject),
                at_s=at_s,
                patience_s=6 * patience_s(once),
            )
            _judge_change(*overlap.result, overlap.call)
            if method in ("create", "remove", "snapshot"):
                slow = _ready_for(subject, method)
    bystander.judge_attach()
    bystander.judge_stamps(None)


def _ready_for(subject: Subject, method: str) -> Volume:
    """Return a volume for which an ordinary call of ``method`` has its work to do."""
    if method == "create":
        return subject.volume()
    return subject.attached() if method == "detach" else subject.created()


def _changed(subject: Subject) -> tuple[Volume, Volume]:
    """Create a volume and remove another as given steps; return both."""
    made, gone = subject.created(), subject.created()
    made.attach()
    made.stamp()
    made.detach()
    gone.given("remove")
    return made, gone


def _judge_change(made: Volume, gone: Volume, slow: Call) -> None:
    try:
        made.judge_attach()
    except Violation as found:
        expected = f"{found.expected}: the volume was made during {slow.invocation.method}"
        raise Violation(expected, found.got, found.call) from None
    made.judge_stamps(slow)
    judge.fails(gone.call("attach"), f"it was removed during {slow.invocation.method}")


@rule(
    "ES-CONC-07",
    Level.MUST,
    source="derived: a script is killed with its node daemon, or by the out-of-memory killer",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds="each method killed at 2 points (full: 12, for 15 s at most), drawn",
)
def test_locks_die_with_their_holder(subject: Subject) -> None:
    """After a script was killed, wherever it was, the next calls neither wait for it nor give up.

    A lock that is a file or a directory outlives its holder; flock does not. Each of the next
    calls has ten seconds.
    """
    subject.excused = True  # what else a killed script leaves is not this rule's question
    for method in filter(subject.uses, (*_SLOW, "setinfo")):
        once = subject.run(ordinary(_ready_for(subject, method), method))
        for at_s in _holds(subject, once, 2, 12, _LONGEST_OF_ONE_METHOD_S):
            volume = _ready_for(subject, method)
            killed(subject, ordinary(volume, method), at_s=at_s)
            for again in _retried(method):
                call = subject.run(ordinary(volume, again))
                because = f"{method} was killed {at_s:.3f} s after its start"
                judge.succeeds(call, because)
                judge.holds(
                    call.seconds < _LONGEST_WAIT_S,
                    f"no wait for a dead process ({because})",
                    f"{call.seconds:.1f} s",
                    call,
                )


def _retried(method: str) -> tuple[str, ...]:
    """Return the methods that have to succeed, in this order, after ``method`` was killed."""
    whole = ("remove", "create", "attach", "detach", "remove")
    if method in ("create", "remove"):
        return whole
    # Under the name of a snapshot that was made, none can be made again.
    return ("attach", "detach", *whole) if method == "snapshot" else (method, *whole[-2:])


@rule(
    "ES-CONC-08",
    Level.SHOULD,
    source="derived: a job that holds up all others makes the whole cluster wait",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds="each method held at 3 points (full: 8, for 15 s at most), drawn;"
    " it may be waited for at half of them",
)
def test_slow_calls_do_not_hold_up_others(subject: Subject) -> None:
    """A call for one volume does not make the calls for another wait for its end.

    A lock on all volumes is no harm for moments. One that is held for most of a call's time is.
    The other call waits when it needs twenty times what it takes alone, and more than a second.
    """
    other = subject.attached()
    once = other.given("attach")
    patience = max(_SHORTEST_SLOWNESS_S, 5 * patience_s(once))
    for method in filter(subject.uses, _SLOW):
        held = waited = 0
        once = subject.run(ordinary(_ready_for(subject, method), method))
        for at_s in _holds(subject, once, 3, 8, _LONGEST_OF_ONE_METHOD_S):
            overlap = while_held(
                subject,
                ordinary(_ready_for(subject, method), method),
                lambda: other.given("attach"),
                at_s=at_s,
                patience_s=patience,
            )
            held += overlap.held
            waited += overlap.waited
        judge.holds(
            2 * waited <= held,
            f"attach of another volume to end while {method} is held up",
            f"it waited at {waited} of {held} points",
            overlap.call,
        )


@rule(
    "ES-CONC-10",
    Level.SHOULD,
    source="derived: an operator asks while a job runs, and both are right to do so",
    profile=Profile.FULL,
    needs=("device",),
    rounds="each pair 10 times, held at drawn points or at one moment",
)
def test_what_succeeds_in_either_order_succeeds_together(subject: Subject) -> None:
    """Calls for one volume that succeed one after another, in either order, succeed together."""
    pairs = [pair for pair in LIVES_ON if all(map(subject.uses, pair.methods))]
    times = alone(subject, {method for pair in pairs for method in pair.methods})
    for pair in pairs:
        generator = _random(subject, f"{pair} in peace")
        for call in race(subject, pair, times, generator, _ROUNDS_IN_PEACE):
            judge.succeeds(call, f"it overlapped with the other of {pair}")
