"""Rules about calls that overlap: Ganeti runs jobs side by side, and any RPC on a disk attaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.life import given_lone_life, ordinary, through
from extstorage_conformance.races import LIVES_ON, PAIRS, alone, judge_snapshot, race
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.sampling import LONGEST_S, generator_of, held_at, number_of, turns
from extstorage_conformance.together import (
    at_once,
    judge_nothing_new,
    patience_s,
    while_held,
)

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage_conformance.inventory import Item
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_PARALLEL = 16
_ROUNDS_IN_PEACE = 10
_LONGEST_RACES_S = 600.0  # a hundred of each pair, if one takes less than half a second
_CALLS_OF_A_RACE = 3  # of each method, about: with what makes, judges and undoes the volume


@rule(
    "ES-CONC-01",
    Level.MUST,
    source="lib/backend.py _RecursiveFindBD attaches for nearly every RPC; queries share locks",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds="16 at one moment 2 times (full: 20); held at 6 points (full: 50), drawn;"
    f" in full each for {LONGEST_S:g} s at most",
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

    volume.attach()
    before = _detached(volume)
    once = volume.given("attach")
    volume.detach()
    for _ in turns(subject, 2, 20):
        judge_one(at_once(subject, [attach] * _PARALLEL))
    for at_s in held_at(subject, once, 6, 50):
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
    volume.detach()
    return volume.subject.survey.take()


@rule(
    "ES-CONC-02",
    Level.MUST,
    source="derived: jobs on different instances run side by side on a node",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds=f"1 (full: 6, for {LONGEST_S:g} s at most) of {_PARALLEL} volumes",
)
def test_calls_for_many_volumes_overlap(subject: Subject) -> None:
    """Calls for different volumes that start at one moment all succeed, each volume with its own.

    Sixteen volumes are created, attached, written, grown, detached, attached again and removed,
    each step for all of them at once. Of eight more, snapshots are taken at once: each has its own.
    """
    given_lone_life(subject)
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
    if subject.uses("snapshot"):
        _judge_snapshots_at_once(subject)


def _all(volumes: list[Volume], method: str) -> list[Call]:
    subject = volumes[0].subject
    calls = at_once(subject, [ordinary(volume, method) for volume in volumes])
    for call in calls:
        judge.succeeds(call, f"{len(calls)} of them, for different volumes, ran at once")
    return calls


def _judge_snapshots_at_once(subject: Subject) -> None:
    alone, *volumes = [subject.attached() for _ in range(1 + _PARALLEL // 2)]
    through(alone, "snapshot")
    for volume in volumes:
        volume.stamp()
    for volume, call in zip(volumes, _all(volumes, "snapshot"), strict=True):
        judge_snapshot(volume, call)


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
    f" in full each for {LONGEST_S:g} s at most",
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
    for at_s in held_at(subject, once, 6, 50):
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
    rounds="each pair 2 times, 1 if the volume lives on (full: 100,"
    f" all for {_LONGEST_RACES_S:g} s at most), held at drawn points or at one moment",
)
def test_races_end_in_a_state_that_the_calls_tell(subject: Subject) -> None:
    """Two different calls for one volume that overlap leave what their exit statuses say.

    What was removed is gone, without a mapping of it; what was not removed can be attached, with
    its data, as large as grow said; nothing is left in the end. races.py lists the pairs.
    """
    pairs = [pair for pair in PAIRS if all(map(subject.uses, pair.methods))]
    times = alone(subject, {method for pair in pairs for method in pair.methods})
    for pair in pairs:
        generator = generator_of(subject, f"{pair}")
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
    f" in full each for {LONGEST_S:g} s at most",
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
    for at_s in held_at(subject, once, 6, 50):
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
        generator = generator_of(subject, f"{pair} in peace")
        for call in race(subject, pair, times, generator, _ROUNDS_IN_PEACE):
            judge.succeeds(call, f"it overlapped with the other of {pair}")
