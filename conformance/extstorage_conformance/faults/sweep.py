"""The sweep: every boundary of every method, in the order of the call maps, the same every time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from extstorage_conformance.faults import progress, scenes, tracing
from extstorage_conformance.faults.boundary import CallMap
from extstorage_conformance.faults.trial import attempt
from extstorage_conformance.violation import Blocked, NotApplicable, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from extstorage_conformance.faults.extent import Extent
    from extstorage_conformance.faults.reach import Reach
    from extstorage_conformance.faults.scenes import Scene
    from extstorage_conformance.faults.trial import Trial, Tried
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.suite import Suite
    from extstorage_conformance.volume import Volume

_SHOWN = 5
_WORST = 20
"""So many broken trials of one rule are enough: the provider has to be mended first."""
_ON_THE_POOL = {"create", "remove"}
"""Methods that change what there is of volumes."""


@dataclass(frozen=True)
class Recorded:
    """One undisturbed call under the tracer: its map, and what ``tracing.Traced`` counts.

    ``is_whole`` is the extent's. ``sampled`` holds the kinds of boundaries that a sample of this
    run has had of other methods, ``hung`` those that have hung.
    """

    calls: CallMap
    taken: int
    said: int
    is_whole: bool
    sampled: set[str]
    hung: set[str]


@dataclass
class Sweep:
    """The sweep over one suite's provider; what was recorded serves all rules."""

    recorded: dict[str, Recorded] = field(default_factory=dict)
    sampled: set[str] = field(default_factory=set)
    hung: set[str] = field(default_factory=set)
    tried: dict[str, Tried] = field(default_factory=dict)

    def record(self, scene: Scene, *, is_whole: bool) -> Recorded:
        """Return what the scene's call does when nothing is broken, recorded when first asked."""
        known = self.recorded.get(scene.method)
        if known is None:
            _warm_up(scene)
            scene.ready()
            first = tracing.run(scene.subject, scene.invocation())
            if first.call.failed:
                reason = first.call.fail_reason
                raise Blocked(f"{scene.method} failed under the tracer ({reason})", first.call)
            scene.judge_done(first.call)
            scene.back()
            calls = CallMap.of(scene.method, first.steps)
            known = Recorded(calls, first.taken, first.said, is_whole, self.sampled, self.hung)
            self.recorded[scene.method] = known
        return known


_sweeps: WeakKeyDictionary[Suite, Sweep] = WeakKeyDictionary()


def _warm_up(scene: Scene) -> None:
    """Call once without the tracer: what is only made at a first call is no step of the others."""
    try:
        scene.ready()
        scene.judge_done(scenes.given(scene))
        scene.back()
    except Violation as violation:
        raise Blocked(f"without any fault: {violation}", violation.call) from None


def recorded_calls(subject: Subject, method: str) -> CallMap:
    """Return what one undisturbed call of ``method`` does; raises Blocked."""
    recorded = _sweeps.setdefault(subject.suite, Sweep()).record(
        scenes.scene_of(subject, method), is_whole=subject.suite.extent.is_whole
    )
    subject.reach.know(recorded.calls)
    return recorded.calls


def sweep(
    subject: Subject, methods: Collection[str], trials: Callable[[Recorded], Iterable[Trial]]
) -> list[Tried]:
    """Try what ``trials`` chooses of each method's recorded call.

    Raises Violation for those that break what they owe, NotApplicable when there is nothing to
    try, Blocked when a step before a trial fails.
    """
    subject.suite.extent.begin()
    bystander = _bystander(subject) if _ON_THE_POOL.intersection(methods) else None
    tried, blocked = _try_methods(subject, methods, trials)
    broken = [each for each in tried if each.violation is not None]
    if broken:
        raise _together(broken, len(tried))
    if blocked is not None:
        raise blocked
    if not tried and not subject.reach.skipped:
        raise NotApplicable("none of the scripts has a boundary of this kind")
    if bystander is not None:
        _judge_bystander(bystander, len(tried))
    return tried


def _try_methods(
    subject: Subject, methods: Iterable[str], trials: Callable[[Recorded], Iterable[Trial]]
) -> tuple[list[Tried], Blocked | None]:
    """Return what came of the trials, and what first stood in the way of a method's."""
    tried: list[Tried] = []
    blocked = None
    for method in methods:
        try:
            tried.extend(_try_method(subject, method, trials))
        except Blocked as found:
            blocked = blocked or found
    return tried, blocked


def _try_method(
    subject: Subject, method: str, trials: Callable[[Recorded], Iterable[Trial]]
) -> Iterator[Tried]:
    extent, reach = subject.suite.extent, subject.reach
    if not (subject.uses(method) and extent.wants_method(method)):
        return
    of_suite = _sweeps.setdefault(subject.suite, Sweep())
    scene = scenes.scene_of(subject, method)
    recorded = of_suite.record(scene, is_whole=extent.is_whole)
    reach.know(recorded.calls)
    wanted = [trial for trial in trials(recorded) if extent.wants(trial)]
    for each in _try_all(scene, wanted, extent, reach):
        of_suite.tried[each.trial.name] = each
        yield each


def _bystander(subject: Subject) -> Volume:
    """Return a volume with data, detached, that no trial is about; raises Blocked."""
    bystander = subject.attached()
    bystander.stamp()
    bystander.detach()
    return bystander


def _judge_bystander(bystander: Volume, trials: int) -> None:
    """Judge that trials with other volumes have left one alone, once for all of them.

    What a half-written list of all volumes has lost, no later call for another volume brings back.
    """
    try:
        bystander.judge_stamps(bystander.judge_attach())
    except Violation as found:
        where = f", of a volume that none of {trials} trials was about"
        raise Violation(found.expected + where, found.got, found.call) from None


def attempts(
    subject: Subject, methods: Iterable[str], trials: Callable[[Recorded], Iterable[Trial]]
) -> Iterator[Tried]:
    """Yield what came of the trials, by the rule that made them already or else made now.

    What a trial breaks is that rule's to tell. Those whose script was seen to explain itself in
    the run that is resumed are left out. Raises Blocked as ``sweep``.
    """
    extent, of_suite = subject.suite.extent, _sweeps.setdefault(subject.suite, Sweep())
    extent.begin()
    for method in methods:
        if subject.uses(method) and extent.wants_method(method):
            scene = scenes.scene_of(subject, method)
            recorded = of_suite.record(scene, is_whole=extent.is_whole)
            subject.reach.know(recorded.calls)
            for trial in filter(extent.wants, trials(recorded)):
                if extent.done is not None and extent.done.has(replace(trial, explained=True)):
                    subject.reach.skipped += 1
                    continue
                if trial.name not in of_suite.tried:
                    started = time.monotonic()
                    tried = of_suite.tried[trial.name] = attempt(scene, trial)
                    subject.reach.note(tried, time.monotonic() - started)
                yield of_suite.tried[trial.name]


def _try_all(scene: Scene, trials: list[Trial], extent: Extent, reach: Reach) -> Iterator[Tried]:
    broken = 0
    for number, trial in enumerate(trials, start=1):
        progress.show(f"{number}/{len(trials)} {trial.name}")
        if extent.done is not None and extent.done.has(trial):
            reach.skipped += 1
            continue
        started = time.monotonic()
        try:
            tried = attempt(scene, trial)
        except Blocked:
            if not broken:
                raise
            break  # what a broken trial left stands in the way of the next
        reach.note(tried, time.monotonic() - started)
        if extent.done is not None:
            extent.done.note(trial, passed=tried.violation is None)
        broken += tried.violation is not None
        yield tried
        if broken >= _WORST:
            break


def _together(broken: list[Tried], tried: int) -> Violation:
    """Return the violation of the shortest trial, with the names of the others."""
    first = broken[0].violation
    assert first is not None  # noqa: S101 - for the type checker
    others = [each.trial.name for each in broken[1:]]
    more = ""
    if others:
        shown = "; ".join(others[:_SHOWN])
        rest = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        more = f"\n            also broken, of {tried} trials: {shown}{rest}"
    return Violation(first.expected, first.got + more, first.call)
