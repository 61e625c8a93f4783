"""Scenes in which a volume comes to be, or ceases to be: create, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.faults.scenes.scene import Scene

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation


class Create(Scene):
    """Nothing is there before."""

    method = "create"

    def prepare(self) -> None:
        self.volume = self.subject.volume()

    def ready(self) -> None:
        super().ready()
        self._is_written = self._is_gone = False

    def invocation(self) -> Invocation:
        return self.volume.prepare("create")

    def judge_done(self, call: Call) -> None:
        self._judge_whole()

    def judge_sound(self, call: Call, *, killed: bool) -> None:
        if killed:
            return  # whatever there is, the next calls have to cope with it
        if self.volume.call("attach").succeeded:
            self._judge_whole()
            self.judge_detached(self.volume)
        else:
            # Ganeti removes only what it can attach.
            self.judge_nothing_left(call, "create failed and there is no volume to attach")

    def judge_again(self) -> None:
        call = self.subject.run(self.invocation())
        if call.failed and self._is_less():
            judge.succeeds(self.volume.call("remove"), "create refuses, so this has to go")
            call = self.subject.run(self.invocation())
            judge.succeeds(call, "remove has taken away what was in its way")
        self._judge_whole()

    def _is_less(self) -> bool:
        """Return whether there is no volume, or one that is not whole."""
        attach = self.volume.call("attach")
        if attach.failed:
            return True
        self.volume.path = judge.block_device(attach)
        is_less = self.volume.device_mib() < self.volume.size_mib
        self.judge_detached(self.volume)
        return is_less

    def judge_opposite(self) -> None:
        because = "whatever there is of the volume can go"
        self.judge_done_if_there(self.volume, "remove", because)
        self._is_gone = True

    def _judge_whole(self) -> None:
        call = self.judge_attached(self.volume)
        self.judge_size(self.volume, self.volume.size_mib, call)
        self.volume.make_ready()
        offsets = self.offsets(self.volume)
        if self.subject.configuration.capabilities["zeroed"] and not self._is_written:
            dirty = self.volume.judge_read(call, lambda on, at: on.nonzero_blocks(at, offsets))
            judge.holds(not dirty, "zeros", f"old data at byte {dirty[:1]}", call)
        self._is_written = True
        self.volume.judge_io(call, offsets=offsets)

    def back(self) -> None:
        if self._is_gone:
            self.judge_nothing_left(None, "the volume was removed")
            return
        call = self.volume.call("detach")
        judge.succeeds(call, "nothing uses the device")
        call = self.judge_removed(self.volume)
        self.judge_nothing_left(call, "the volume was removed")


class Remove(Scene):
    """A volume, detached."""

    method = "remove"

    def ready(self) -> None:
        super().ready()
        self.volume.given("create")

    def prepare(self) -> None:
        self.volume = self.subject.volume()

    def invocation(self) -> Invocation:
        return self.volume.prepare("remove")

    def judge_done(self, call: Call) -> None:
        gone = self.volume.call("attach").failed
        judge.holds(gone, "no volume after remove", "attach still succeeds", call)
        self.judge_nothing_left(call, "the volume was removed")

    def judge_again(self) -> None:
        because = "the same call again, with nothing in its way"
        self.judge_done(self.judge_done_if_there(self.volume, "remove", because))

    def judge_opposite(self) -> None:
        call = self.volume.call("create")
        if call.failed:
            exists = self.volume.call("attach").succeeded
            judge.holds(exists, "create to succeed, or the volume", "neither", call)
            self.judge_detached(self.volume)
        self.judge_again()
