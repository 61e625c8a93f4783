"""The scene in which a volume gets a copy: snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.faults.scenes.scene import Scene
from extstorage_conformance.life import ordinary, snapshot_of

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation


class Snapshot(Scene):
    """A volume with data, attached, as in an export."""

    method = "snapshot"

    def ready(self) -> None:
        super().ready()
        self._is_gone = False

    def prepare(self) -> None:
        self.volume = self.subject.attached()
        self.volume.stamp(offsets=self.offsets(self.volume))
        self.snapshot = snapshot_of(self.volume)
        self.before = self.subject.survey.take()

    def invocation(self) -> Invocation:
        return ordinary(self.volume, "snapshot")

    def judge_done(self, call: Call) -> None:
        attach = self.snapshot.judge_attach()
        self._judge_copy(attach)
        self._judge_origin(call)

    def _judge_copy(self, call: Call) -> None:
        found = self._mismatches()
        judge.holds(not found, "the origin's data in the snapshot", "; ".join(found[:2]), call)

    def _judge_origin(self, call: Call) -> None:
        self.volume.judge_stamps(call, offsets=self.offsets(self.volume))

    def judge_sound(self, call: Call, *, killed: bool) -> None:
        if not (killed and self._waits()):
            self._judge_origin(call)
        if killed:
            return
        if self.snapshot.call("attach").succeeded:
            self.judge_done(call)
            self._detach()
        else:
            self.judge_nothing_left(call, "snapshot failed and there is none to attach")

    def _waits(self) -> bool:
        """Return whether a killed tool has left the origin suspended: the next call resumes it."""
        try:
            self.volume.devices.stamps(self.volume.path, self.offsets(self.volume)[:1])
        except TimeoutError:
            return True
        except OSError:
            return False
        return False

    def judge_again(self) -> None:
        call = self.subject.run(self.invocation())
        if call.failed and self._is_torn():
            judge.succeeds(self.snapshot.call("remove"), "snapshot refuses, so this has to go")
            call = self.subject.run(self.invocation())
            judge.succeeds(call, "remove has taken away what was in its way")
        self.judge_done(call)

    def _is_torn(self) -> bool:
        """Return whether there is no snapshot, or one that is not the origin's copy."""
        attach = self.snapshot.call("attach")
        if attach.failed:
            return True
        self.snapshot.path = judge.block_device(attach)
        is_torn = bool(self._mismatches())
        if is_torn:
            self._detach()
        return is_torn

    def _mismatches(self) -> list[str]:
        offsets = self.offsets(self.volume)
        try:
            return self.volume.devices.mismatches(self.snapshot.path, self.volume.name, offsets)
        except OSError as error:
            return [f"reading {self.snapshot.path} failed: {error}"]

    def judge_opposite(self) -> None:
        because = "whatever there is of the snapshot can go"
        # Attached it is if the fault did not come to pass.
        for method in ("detach", "remove"):
            call = self.judge_done_if_there(self.snapshot, method, because)
        self._is_gone = True
        self._judge_origin(call)

    def _detach(self) -> None:
        call = self.snapshot.call("detach")
        judge.succeeds(call, "nothing uses the snapshot")

    def back(self) -> None:
        if self._is_gone:
            self.judge_nothing_left(None, "the snapshot was removed")
            return
        self._detach()
        call = self.judge_removed(self.snapshot)
        self.judge_nothing_left(call, "the snapshot was removed")
