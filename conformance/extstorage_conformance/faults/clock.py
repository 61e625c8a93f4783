"""Calls on a node whose clock jumps: lives of volumes that must not notice."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING

from extstorage.contract.methods import METHOD_NAMES
from extstorage_conformance import judge
from extstorage_conformance.comparison import compare
from extstorage_conformance.faults import fault, tracing
from extstorage_conformance.life import ordinary, snapshot_of
from extstorage_conformance.violation import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_DAY_S = 86400
_JUMPS = (
    fault.clock(_DAY_S),
    fault.clock(-_DAY_S),
    fault.clock(_DAY_S, after=1),
    fault.clock(-_DAY_S, after=1),
)
_OFFSETS = 8
_TWICE = 2


class _Life:
    """The calls of one life, each with the next jump of ``jumps``; none if there are none."""

    def __init__(self, subject: Subject, jumps: Sequence[fault.Fault]) -> None:
        self._subject = subject
        self._jumps = itertools.cycle(jumps or (None,))
        self.reads = 0

    def make(self, invocation: Invocation) -> Call:
        """Make a call; judge that it succeeds."""
        jump = next(self._jumps)
        traced = tracing.run(self._subject, invocation, jump)
        self.reads += traced.fired
        return judge.succeeds(traced.call, jump.name if jump else "")

    def through(self) -> None:
        """Take a volume through its life, each call twice if it can be made twice."""
        volume = self._subject.volume()
        self.make(volume.prepare("create"))
        self._attach(volume)
        volume.make_ready()
        volume.stamp(offsets=volume.offsets(_OFFSETS))
        for method in filter(self._subject.uses, ("open", "setinfo", "close", "grow")):
            # To the same size again, a volume need not grow.
            for _ in range(1 if method == "grow" else _TWICE):
                self.make(ordinary(volume, method))
        if self._subject.uses("snapshot"):
            self.make(ordinary(volume, "snapshot"))
            self.make(snapshot_of(volume).prepare("remove"))
        for _ in range(_TWICE):
            volume.judge_stamps(self._attach(volume), offsets=volume.offsets(_OFFSETS))
            call = self.make(volume.prepare("detach"))
            judge.holds(volume.is_gone(), "the device to show the volume no more", "it does", call)
        self.make(volume.prepare("remove"))
        judge.fails(volume.call("attach"), "the volume was removed")

    def _attach(self, volume: Volume) -> Call:
        call = self.make(volume.prepare("attach"))
        volume.path = judge.block_device(call)
        return call


def survive_jumps(subject: Subject) -> None:
    """Take volumes through their lives, with a jump in each call, each jump in its turn.

    Raises Violation, Blocked, and NotApplicable if no script looks at the clock.
    """
    subject.suite.extent.expect_whole(*METHOD_NAMES)
    reads = 0
    for first in range(len(_JUMPS)):
        life = _Life(subject, (*_JUMPS[first:], *_JUMPS[:first]))
        compare(life.through, partial(_Life(subject, ()).through))
        reads += life.reads
        if not reads:
            raise NotApplicable("no script asks for the time of day")
        if not subject.suite.extent.is_whole:
            break
