"""Scenes in which a volume gets a device on the node, or loses it: attach, detach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.faults.scenes.scene import Scene

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation


class Attach(Scene):
    """A volume with data, detached."""

    method = "attach"

    def prepare(self) -> None:
        self.volume = self.subject.created()
        self.volume.attach()
        self.note_mappings()
        self.volume.stamp(offsets=self.offsets(self.volume))
        self.volume.detach()

    def invocation(self) -> Invocation:
        return self.volume.prepare("attach")

    def judge_done(self, call: Call) -> None:
        self.volume.path = judge.block_device(call)
        self.volume.make_ready()
        self.volume.judge_stamps(call, offsets=self.offsets(self.volume))
        self.judge_mapped_once(call)

    def judge_opposite(self) -> None:
        self.judge_detached(self.volume)
        self.judge_again()

    def back(self) -> None:
        self.judge_detached(self.volume)
        self.judge_unmapped()


class Detach(Attach):
    """The same volume, attached."""

    method = "detach"

    def ready(self) -> None:
        super().ready()
        self.volume.attach()

    def invocation(self) -> Invocation:
        return self.volume.prepare("detach")

    def judge_done(self, call: Call) -> None:
        judge.holds(self.volume.is_gone(), "the device to show the volume no more", "it does", call)
        self.judge_unmapped(call)

    def judge_opposite(self) -> None:
        call = self.judge_attached(self.volume)
        self.volume.judge_stamps(call, offsets=self.offsets(self.volume))
        self.judge_again()

    def back(self) -> None:
        call = self.judge_attached(self.volume)
        self.volume.judge_stamps(call, offsets=self.offsets(self.volume))
        super().back()
