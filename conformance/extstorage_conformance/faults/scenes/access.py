"""Scenes of the right to write: open, close; and of verify, which has no volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.faults.scenes.scene import Scene
from extstorage_conformance.life import ordinary

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation


class Open(Scene):
    """A volume with data, attached, and closed if there is close."""

    method = "open"

    def prepare(self) -> None:
        self.volume = self.subject.attached()
        self.note_mappings()
        self.volume.stamp(offsets=self.offsets(self.volume))
        if self.subject.uses("close"):
            self.volume.given("close")

    def invocation(self) -> Invocation:
        return ordinary(self.volume, "open")

    def judge_done(self, call: Call) -> None:
        self.judge_attached(self.volume)
        self.volume.judge_io(call, offsets=self.offsets(self.volume))

    def judge_opposite(self) -> None:
        if self.subject.uses("close"):
            judge.succeeds(self.volume.call("close"), "close takes open back")
        self.judge_again()

    def back(self) -> None:
        if self.subject.uses("close"):
            judge.succeeds(self.volume.call("close"), "close takes open back")


class Close(Scene):
    """A volume with data, attached and open."""

    method = "close"

    def prepare(self) -> None:
        self.volume = self.subject.attached()
        self.note_mappings()
        self._is_open = False

    def ready(self) -> None:
        super().ready()
        if self.subject.uses("open") and not self._is_open:
            self.volume.given("open", exclusive=True)
        self._is_open = False
        self.volume.stamp(offsets=self.offsets(self.volume))

    def invocation(self) -> Invocation:
        return self.volume.prepare("close")

    def judge_done(self, call: Call) -> None:
        self.judge_attached(self.volume)

    def back(self) -> None:
        # Not before: close ends I/O, with some storage reading too.
        call = None
        if self.subject.uses("open"):
            call = self.volume.call("open", exclusive=True)
            judge.succeeds(call, "open takes close back")
            self._is_open = True
        self.volume.judge_stamps(call, offsets=self.offsets(self.volume))

    def judge_opposite(self) -> None:
        if self.subject.uses("open"):
            call = self.volume.call("open", exclusive=True)
            judge.succeeds(call, "open takes close back")
            self.volume.judge_io(call, offsets=self.offsets(self.volume))
        self.judge_again()


class Verify(Scene):
    """No volume: only that it ends, and leaves nothing."""

    method = "verify"

    def invocation(self) -> Invocation:
        return ordinary(self.subject.volume(), "verify")

    def judge_again(self) -> None:
        judge.succeeds(self.subject.run(self.invocation()), "it did before")

    def back(self) -> None:
        self.judge_nothing_left(None, "verify makes nothing")
