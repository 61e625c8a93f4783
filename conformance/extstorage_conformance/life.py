"""A volume's whole life, and what it tells: does one change in how scripts are called matter?"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from extstorage_conformance import judge, stamps
from extstorage_conformance.violation import Blocked, Violation

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.host.daemon import CallValues
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

Change = Callable[["Invocation"], "Invocation"]


def as_ganeti_calls(invocation: Invocation) -> Invocation:
    """Return the invocation as it is."""
    return invocation


def live(volume: Volume, *changes: Change) -> None:
    """Create, attach, detach and remove ``volume`` and judge each step; raises Violation.

    The calls are changed by ``changes`` in turn: with two of them every step
    that was called in one way has to be understood by the next one, called in
    the other way.
    """
    turns = itertools.cycle(changes)

    def call(method: str) -> Call:
        return volume.subject.run(next(turns)(volume.prepare(method)))

    judge.succeeds(call("create"))
    attached = judge.succeeds(call("attach"))
    if not volume.subject.configuration.capabilities["userspace_only"]:
        size_mib = stamps.size_bytes(judge.block_device(attached)) / stamps.MIB
        expected = f"a device of at least {volume.size_mib} MiB"
        judge.holds(size_mib >= volume.size_mib, expected, f"{size_mib:g} MiB", attached)
    judge.succeeds(call("detach"))
    judge.succeeds(call("remove"))
    judge.fails(call("attach"), "the volume was removed")


def compare(tested: Callable[[], None], control: Callable[[], None]) -> None:
    """Judge ``tested``; a fault that ``control`` has too is another rule's, and blocks this one."""
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


def unaffected_by(subject: Subject, change: Change) -> None:
    """Judge that a volume's life goes well, whichever calls are changed; raises Violation."""

    def tested() -> None:
        live(subject.volume(), change, as_ganeti_calls)
        live(subject.volume(), as_ganeti_calls, change)

    compare(tested, lambda: live(subject.volume(), as_ganeti_calls))


def ordinary(volume: Volume, method: str) -> Invocation:
    """Return an ordinary call of ``method`` for ``volume``, as Ganeti makes it."""
    values: dict[str, CallValues] = {
        "grow": {"new_size_mib": 2 * volume.size_mib},
        "setinfo": {"metadata": "originstname+instance1.example.com"},
        "snapshot": {
            "snapshot_name": f"{volume.name}.snap",
            "snapshot_size_mib": volume.size_mib,
        },
        "open": {"exclusive": True},
    }
    return volume.prepare(method, **values.get(method, {}))


def through(volume: Volume, *methods: str) -> None:
    """Run those of ``methods`` that Ganeti calls, in order, as given steps; raises Blocked."""
    for method in filter(volume.subject.uses, methods):
        if method == "attach":
            volume.attach()
            continue
        call = volume.subject.run(ordinary(volume, method))
        if call.failed:
            raise Blocked(f"{method} failed ({call.fail_reason})", call)


def snapshot_of(volume: Volume) -> Volume:
    """Return the volume that a snapshot becomes, under the name that Ganeti gives it."""
    return volume.subject.volume(name=f"{volume.name}.snap", size_mib=volume.size_mib)
