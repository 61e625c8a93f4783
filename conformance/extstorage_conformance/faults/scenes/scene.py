"""What the scenes of all methods have in common."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.inventory.survey import PATIENCE_S

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.inventory import Item
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_OFFSETS = 8
_BLOCK_KINDS = ("loop device", "dm table", "disk")
_SHOWN = 3
_LOOK_S = 0.05


class Scene:
    """One method's trials; the base has what all methods share.

    ``is_full`` says that there was no space in the call under test. ``is_dirty`` is set by whoever
    finds a violation: the next trial gets new volumes.
    """

    method = ""
    volume: Volume

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.is_full = False
        self.before: frozenset[Item] = frozenset()
        self._mapped: int | None = None
        self.is_dirty = True

    def ready(self) -> None:
        """Bring the volumes to where the method is called, by given steps; raises Blocked."""
        if self.is_dirty:
            self.before = self.subject.survey.take()
            self.prepare()
            self.is_dirty = False

    def prepare(self) -> None:
        """Make new volumes."""

    def invocation(self) -> Invocation:
        """Return the call under test."""
        raise NotImplementedError

    def judge_done(self, call: Call) -> None:
        """Judge that the effect is there, whatever the exit status said."""

    def judge_sound(self, call: Call, *, killed: bool) -> None:
        """Judge what a call that failed, or was killed, has left."""

    def judge_again(self) -> None:
        """Judge that the same call succeeds now, or says truly that it was done already."""
        call = self.subject.run(self.invocation())
        judge.succeeds(call, "the same call again, with nothing in its way")
        self.judge_done(call)

    def judge_opposite(self) -> None:
        """Judge that the call that takes the method back succeeds; else as ``judge_again``."""
        self.judge_again()

    def back(self) -> None:
        """Judge that all can be undone; the next trial begins as this one did."""

    def judge_nothing_left(self, call: Call | None, because: str) -> None:
        """Judge that the node and the back end are as they were before the volume."""
        left = self.subject.survey.left_since(self.before)
        shown = "; ".join(map(str, left[:_SHOWN]))
        judge.holds(not left, f"nothing left ({because})", f"left: {shown}", call)

    def judge_attached(self, volume: Volume) -> Call:
        """Judge that attach gives the volume's device, and that there is one mapping of it."""
        call = volume.judge_attach()
        self.judge_mapped_once(call)
        return call

    def judge_mapped_once(self, call: Call | None) -> None:
        """Judge that there are no more mappings than an undisturbed attach makes."""
        if self._mapped is not None:
            found = self._mappings(self._mapped)
            expected = f"{self._mapped} mapping(s) of the volume, as after any attach"
            judge.holds(found <= self._mapped, expected, f"{found}", call)

    def judge_unmapped(self, call: Call | None = None) -> None:
        """Judge that a detached volume has no mapping; where one stays, that there is no second."""
        if self.subject.configuration.capabilities["visible_after_detach"]:
            self.judge_mapped_once(call)
        else:
            judge.holds(self._mappings(0) == 0, "no mapping after detach", "one is left", call)

    def note_mappings(self) -> None:
        """Note how many mappings an attach makes that nothing disturbs."""
        self._mapped = self._mappings()

    def _mappings(self, awaited: int | None = None) -> int:
        """Return how many there are; while there are more than ``awaited``, look for a moment.

        A device that somebody on the node holds open goes when it is let go.
        """
        deadline = time.monotonic() + PATIENCE_S
        found = self._counted()
        while awaited is not None and found > awaited and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
            found = self._counted()
        return found

    def _counted(self) -> int:
        # A node is shared: only what carries the name of one of our volumes is counted.
        owns = self.subject.suite.namer.owns
        new = self.subject.survey.take() - self.before
        return sum(item.kind in _BLOCK_KINDS and owns(item.text) for item in new)

    def judge_detached(self, volume: Volume) -> Call:
        """Judge that detach succeeds and the device is gone."""
        call = volume.call("detach")
        judge.succeeds(call, "nothing uses the device")
        judge.holds(volume.is_gone(), "the device to show the volume no more", "it does", call)
        return call

    def judge_done_if_there(self, volume: Volume, method: str, because: str) -> Call:
        """Judge that ``method`` succeeds; of a volume that is not there it may be refused."""
        call = judge.ended(volume.call(method))
        if call.failed and volume.call("attach").succeeded:
            judge.succeeds(call, because)
        return call

    def judge_removed(self, volume: Volume) -> Call:
        """Judge that the detached volume can be removed and is gone."""
        call = volume.call("remove")
        judge.succeeds(call, "nothing uses the volume")
        gone = volume.call("attach").failed
        judge.holds(gone, "no volume after remove", "attach still succeeds", call)
        return call

    def judge_size(self, volume: Volume, least_mib: int, call: Call) -> None:
        """Judge that the attached device is as large as was asked for."""
        found = volume.device_mib()
        judge.holds(found >= least_mib, f"at least {least_mib} MiB", f"{found:g} MiB", call)

    def offsets(self, volume: Volume) -> list[int]:
        """Return where the volume is stamped."""
        return volume.offsets(_OFFSETS)
