"""Whether a way of calling scripts matters: volumes live through it, and through another.

A fault that shows in both ways is another rule's: it blocks the rule that
compares, and does not break it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.life import ordinary, snapshot_of
from extstorage_conformance.violation import Blocked, Violation

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

Change = Callable[["Invocation"], "Invocation"]

_FURTHER_METHODS = ("open", "setinfo", "grow", "snapshot", "close")


def as_ganeti_calls(invocation: Invocation) -> Invocation:
    """Return the invocation as it is."""
    return invocation


def unaffected_by(subject: Subject, change: Change) -> None:
    """Judge that all goes well, whichever calls are changed; raises Violation, Blocked."""

    def mixed() -> None:
        # What is called in one way has to understand what was called in the other.
        live(subject.volume(), change, as_ganeti_calls)
        live(subject.volume(), as_ganeti_calls, change)

    compare(mixed, lambda: live(subject.volume(), as_ganeti_calls))
    _compare_further_methods(subject, change, as_ganeti_calls)


def needs_no(subject: Subject, crutch: Change) -> None:
    """Judge that nothing goes well only if calls are changed by ``crutch``; raises Violation."""
    as_well(subject, as_ganeti_calls, crutch)


def as_well(subject: Subject, tested: Change, control: Change) -> None:
    """Judge that all that goes well in the way ``control`` does so in the way ``tested``."""
    compare(lambda: live(subject.volume(), tested), lambda: live(subject.volume(), control))
    _compare_further_methods(subject, tested, control)


def compare(tested: Callable[[], None], control: Callable[[], None]) -> None:
    """Run ``tested``, which raises Violation; raises Blocked instead when ``control`` does too."""
    try:
        tested()
    except Violation as found:
        if found.call is not None and found.call.timed_out:
            raise  # the control would only take as long again
        try:
            control()
        except Violation as also:
            raise Blocked(f"other rules are broken first: {also}", also.call) from None
        raise


def live(volume: Volume, *changes: Change) -> None:
    """Create, attach, detach and remove ``volume`` and judge each step; raises Violation.

    The calls are changed by ``changes`` in turn.
    """
    turns = itertools.cycle(changes)

    def call(method: str) -> Call:
        return volume.run(next(turns)(volume.prepare(method)))

    try:
        judge.succeeds(call("create"))
        _judge_device(volume, judge.succeeds(call("attach")))
        judge.succeeds(call("detach"))
        judge.succeeds(call("remove"))
        _judge_gone(volume, call("attach"))
    except Violation:
        _undo(volume, changes[0])
        raise


def _judge_device(volume: Volume, attached: Call) -> None:
    if volume.subject.configuration.capabilities["userspace_only"]:
        return
    volume.path = judge.block_device(attached)
    try:
        size_mib = volume.device_mib()
    except Blocked as found:
        raise Violation("a device that can be opened", str(found), attached) from None
    expected = f"a device of at least {volume.size_mib} MiB"
    judge.holds(size_mib >= volume.size_mib, expected, f"{size_mib:g} MiB", attached)


def _judge_gone(volume: Volume, attached: Call) -> None:
    """Judge that the last attach found nothing, though it may exit 0: that breaks ES-ATTACH-03."""
    try:
        if not volume.subject.configuration.capabilities["userspace_only"]:
            judge.block_device(attached)
    except Violation:
        return
    judge.fails(attached, "the volume was removed")


def _undo(volume: Volume, change: Change) -> None:
    """Detach and remove in the changed way: it may lead to a store of its own."""
    for method in ("detach", "remove"):
        volume.run(change(volume.prepare(method)))


def _compare_further_methods(subject: Subject, tested: Change, control: Change) -> None:
    """Judge the methods that a volume can live without; raises Violation."""
    failures = [call for call in _further_calls(subject, tested) if call.failed]
    if failures:
        controls = {call.invocation.method: call for call in _further_calls(subject, control)}
        for call in failures:
            if controls[call.invocation.method].succeeded:
                judge.succeeds(call)


def _further_calls(subject: Subject, change: Change) -> list[Call]:
    volume = subject.volume()
    try:
        for method in ("create", "attach"):
            # Other scripts may refuse what one of them needs.
            if volume.run(change(volume.prepare(method))).failed:
                volume.call(method)
        calls = []
        for method in filter(subject.uses, _FURTHER_METHODS):
            calls.append(volume.run(change(ordinary(volume, method))))
            if method == "grow" and calls[-1].succeeded:  # Ganeti has the new size on record
                volume.disk = replace(volume.disk, size_mib=2 * volume.size_mib)
        return calls
    finally:
        if subject.uses("snapshot"):
            _undo(snapshot_of(volume), change)
        _undo(volume, change)
