"""Rules about time: how long attach takes, and what it grows with.

What is measured here stands in the JSON report, where --compare finds it in the next run.

That each call ends is judged wherever a rule judges a call: [run] script_timeout is far below
the 900 s that Ganeti waits. That calls do not wait for each other is ES-CONC-08's question, which
holds one in midair: a time of many at once tells more of the node's processors than of a lock.
"""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.rules import Level, Profile, rule

if TYPE_CHECKING:
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_REPEATS_IN_STANDARD = 10
_REPEATS = 30
_LONGEST_MEDIAN_S = 1.0
_VOLUMES = 50
_MOST_GROWTH = 2
_MEASURABLE_S = 0.05
_AT_ONCE = 16
_AT_ONCE_ROUNDS = 3
_MS = 1000


def _attach_seconds(volume: Volume, repeats: int) -> list[float]:
    """Return what each of ``repeats`` attaches of an attached volume took."""
    return [volume.given("attach").seconds for _ in range(repeats)]


@rule(
    "ES-PERF-02",
    Level.SHOULD,
    source="lib/backend.py _RecursiveFindBD attaches anew for nearly every RPC about the disk",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds=f"{_REPEATS_IN_STANDARD} attaches (full: {_REPEATS})",
)
def test_repeated_attach_is_quick(subject: Subject) -> None:
    """Attach of an attached volume takes less than a second, in the median.

    It finds what is there. A scan of the bus or a login belongs to the first attach.
    """
    volume = subject.attached()
    full = subject.suite.profile is Profile.FULL
    taken = _attach_seconds(volume, _REPEATS if full else _REPEATS_IN_STANDARD)
    median = statistics.median(taken)
    got = f"{median:.2f} s, in the median of {len(taken)}"
    judge.holds(median < _LONGEST_MEDIAN_S, "less than a second", got, subject.calls[-1])


@rule(
    "ES-PERF-03",
    Level.SHOULD,
    source="derived: attach is on the path of every RPC, and pools hold hundreds of disks",
    profile=Profile.FULL,
    needs=("device",),
    rounds=f"{_REPEATS_IN_STANDARD} attaches, of which the quickest counts",
)
def test_attach_does_not_grow_with_the_pool(subject: Subject) -> None:
    """Attach takes less than twice as long when there are fifty more volumes.

    The quickest of several attaches counts, as a busy node makes any of them slow, and the slower
    of what they took before the fifty were made and after they were removed.
    """
    volume = subject.attached()
    few = _quickest(volume)
    subject.figures["attach_of_the_only_volume_ms"] = few * _MS
    others = [subject.created() for _ in range(_VOLUMES)]
    many = _quickest(volume)
    subject.figures[f"attach_among_{_VOLUMES}_more_volumes_ms"] = many * _MS
    call = subject.calls[-1]
    for other in others:
        other.given("remove")
    few = max(few, _quickest(volume))
    most = _MOST_GROWTH * few + _MEASURABLE_S
    got = f"{many * 1000:.0f} ms with {_VOLUMES} more volumes, {few * 1000:.0f} ms without"
    judge.holds(many < most, f"less than {most * 1000:.0f} ms", got, call)


def _quickest(volume: Volume) -> float:
    return min(_attach_seconds(volume, _REPEATS_IN_STANDARD))


@rule(
    "ES-PERF-04",
    Level.MAY,
    source="derived: a node that starts again attaches the disks of all its instances",
    profile=Profile.FULL,
    needs=("device",),
    rounds="3, of which the quickest counts",
)
def test_sixteen_attach_at_once(subject: Subject) -> None:
    """Sixteen attaches at once take no more than twice as long as one after another.

    They may share locks and processors; but no script may fail, or sleep, because another one is
    at work.
    """
    volumes = [subject.created() for _ in range(_AT_ONCE)]
    # What else the machine does only ever adds: the quickest counts, as for one attach.
    in_turn = min(_in_turn_seconds(volumes) for _ in range(_AT_ONCE_ROUNDS))
    together = min(_together_seconds(volumes) for _ in range(_AT_ONCE_ROUNDS))
    subject.figures[f"{_AT_ONCE}_attaches_in_turn_ms"] = in_turn * _MS
    subject.figures[f"{_AT_ONCE}_attaches_at_once_ms"] = together * _MS
    got = f"{together:.2f} s at once, {in_turn:.2f} s in turn"
    judge.holds(
        together < 2 * in_turn + _MEASURABLE_S,
        "no more than twice as long",
        got,
        subject.calls[-1],
    )


def _in_turn_seconds(volumes: list[Volume]) -> float:
    started = time.monotonic()
    for volume in volumes:
        volume.attach()
    seconds = time.monotonic() - started
    for volume in volumes:
        volume.detach()
    return seconds


def _together_seconds(volumes: list[Volume]) -> float:
    """Attach all at once, judge that each succeeds, and detach; return the time of the attaches."""
    subject = volumes[0].subject
    attaches = [volume.prepare("attach") for volume in volumes]
    started = time.monotonic()
    # No gate: what it takes to wait for that would be measured too.
    with ThreadPoolExecutor(len(attaches)) as pool:
        calls = list(pool.map(subject.execute, attaches))
    seconds = time.monotonic() - started
    for volume, call in zip(volumes, calls, strict=True):
        subject.note(call)
        volume.path = judge.block_device(call)
        volume.detach()
    return seconds
