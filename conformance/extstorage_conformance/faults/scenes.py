"""What each method needs before it, what it owes when it says that it is done, how it is undone.

A scene takes one volume (or two) through any number of trials; every trial begins where the
first one did. What is judged here is judged with ordinary calls, nothing of which is broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.life import ordinary, snapshot_of
from extstorage_conformance.violation import Blocked

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.inventory import Item
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_OFFSETS = 8
_BLOCK_KINDS = ("loop device", "dm table", "disk")
_SHOWN = 3


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

    def judge_mapped_once(self, call: Call) -> None:
        """Judge that there are no more mappings than an undisturbed attach makes."""
        found = self._mappings()
        if self._mapped is not None:
            expected = f"{self._mapped} mapping(s) of the volume, as after any attach"
            judge.holds(found <= self._mapped, expected, f"{found}", call)

    def note_mappings(self) -> None:
        """Note how many mappings an attach makes that nothing disturbs."""
        self._mapped = self._mappings()

    def _mappings(self) -> int:
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


class Create(Scene):
    """Nothing is there before."""

    method = "create"

    def prepare(self) -> None:
        self.volume = self.subject.volume()

    def ready(self) -> None:
        super().ready()
        self._is_written = False

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
        call = self.volume.call("remove")
        judge.succeeds(call, "whatever there is of the volume can go")

    def _judge_whole(self) -> None:
        call = self.judge_attached(self.volume)
        self.judge_size(self.volume, self.volume.size_mib, call)
        self.volume.make_ready()
        offsets = self.offsets(self.volume)
        if self.subject.configuration.capabilities["zeroed"] and not self._is_written:
            dirty = self.volume.devices.nonzero_blocks(self.volume.path, offsets)
            judge.holds(not dirty, "zeros", f"old data at byte {dirty[:1]}", call)
        self._is_written = True
        self.volume.judge_io(call, offsets=offsets)

    def back(self) -> None:
        call = self.volume.call("detach")
        judge.succeeds(call, "nothing uses the device")
        call = self.judge_removed(self.volume)
        self.judge_nothing_left(call, "the volume was removed")


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
        self.volume.judge_stamps(call, offsets=self.offsets(self.volume))
        self.volume.make_ready()
        self.judge_mapped_once(call)

    def judge_opposite(self) -> None:
        self.judge_detached(self.volume)
        self.judge_again()

    def back(self) -> None:
        self.judge_detached(self.volume)
        judge.holds(self._mappings() == 0, "no mapping after detach", "one is left")


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
        judge.holds(self._mappings() == 0, "no mapping after detach", "one is left", call)

    def judge_opposite(self) -> None:
        call = self.judge_attached(self.volume)
        self.volume.judge_stamps(call, offsets=self.offsets(self.volume))
        self.judge_again()

    def back(self) -> None:
        call = self.judge_attached(self.volume)
        self.volume.judge_stamps(call, offsets=self.offsets(self.volume))
        super().back()


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

    def judge_opposite(self) -> None:
        call = self.volume.call("create")
        if call.failed:
            exists = self.volume.call("attach").succeeded
            judge.holds(exists, "create to succeed, or the volume", "neither", call)
            self.judge_detached(self.volume)
        self.judge_again()


class Grow(Scene):
    """A volume with data, attached; each trial makes it larger than the one before."""

    method = "grow"

    def prepare(self) -> None:
        self.volume = self.subject.attached()
        self.note_mappings()
        self._offsets = self.offsets(self.volume)
        self.volume.stamp(offsets=self._offsets)
        self._size = self.volume.size_mib
        self._step = self.subject.configuration.sizes["granularity"]

    def ready(self) -> None:
        largest = self.subject.configuration.sizes["maximum"]
        if not self.is_dirty and largest and self._size + self._step > largest:
            self.volume.given("detach")
            self.volume.given("remove")
            self.is_dirty = True
        super().ready()
        self._found = self.volume.device_mib()

    def invocation(self) -> Invocation:
        grow = self.volume.prepare("grow", new_size_mib=self._size + self._step)
        return grow.with_variables(VOL_SIZE=str(self._size))

    def judge_done(self, call: Call) -> None:
        self.judge_attached(self.volume)
        self.judge_size(self.volume, self._size + self._step, call)
        self.volume.judge_stamps(call, offsets=self._offsets)

    def judge_sound(self, call: Call, *, killed: bool) -> None:
        self.judge_attached(self.volume)
        found = self.volume.device_mib()
        whole = found == self._found or found >= self._size + self._step
        expected = f"{self._found:g} or {self._size + self._step} MiB"
        if self.is_full:
            whole, expected = found == self._found, f"{self._found:g} MiB, as before"
        judge.holds(whole, expected, f"{found:g} MiB", call)
        self.volume.judge_stamps(call, offsets=self._offsets)

    def back(self) -> None:
        self._size += self._step


class SetInfo(Scene):
    """A volume with metadata, which every trial replaces."""

    method = "setinfo"

    def prepare(self) -> None:
        self.volume = self.subject.created()
        self._number = 0
        self.volume.given("setinfo", metadata=self._text(0))

    def _text(self, number: int) -> str:
        return f"originstname+instance{number}.example.com"

    def invocation(self) -> Invocation:
        return self.volume.prepare("setinfo", metadata=self._text(self._number + 1))

    def judge_done(self, call: Call) -> None:
        self._judge_stored(call, self._number + 1)

    def judge_sound(self, call: Call, *, killed: bool) -> None:
        self._judge_stored(call, self._number, self._number + 1)

    def _judge_stored(self, call: Call, *numbers: int) -> None:
        if not self.subject.configuration.capabilities["metadata"]:
            return
        stored = self.subject.suite.hook("metadata", {"VOL_NAME": self.volume.name})
        if stored is not None:
            expected = [self._text(number) for number in numbers]
            judge.holds(stored.strip() in expected, " or ".join(expected), repr(stored[:80]), call)

    def back(self) -> None:
        self._number += 1


class Snapshot(Scene):
    """A volume with data, attached, as in an export."""

    method = "snapshot"

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
        self._judge_origin(call)
        if killed:
            return
        if self.snapshot.call("attach").succeeded:
            self.judge_done(call)
            self._detach()
        else:
            self.judge_nothing_left(call, "snapshot failed and there is none to attach")

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
        call = self.snapshot.call("remove")
        judge.succeeds(call, "whatever there is of the snapshot can go")

    def _detach(self) -> None:
        call = self.snapshot.call("detach")
        judge.succeeds(call, "nothing uses the snapshot")

    def back(self) -> None:
        self._detach()
        call = self.judge_removed(self.snapshot)
        self.judge_nothing_left(call, "the snapshot was removed")


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

    def ready(self) -> None:
        super().ready()
        if self.subject.uses("open"):
            self.volume.given("open", exclusive=True)
        self.volume.stamp(offsets=self.offsets(self.volume))

    def invocation(self) -> Invocation:
        return self.volume.prepare("close")

    def judge_done(self, call: Call) -> None:
        self.judge_attached(self.volume)
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


SCENES: dict[str, type[Scene]] = {
    scene.method: scene
    for scene in (
        Create, Attach, Detach, Remove, Grow, SetInfo, Snapshot, Open, Close, Verify,
    )
}  # fmt: skip


def scene_of(subject: Subject, method: str) -> Scene:
    """Return a new scene of ``method``."""
    return SCENES[method](subject)


def methods_of(subject: Subject) -> list[str]:
    """Return the methods that have a scene and that Ganeti calls the provider's scripts for."""
    return [method for method in SCENES if subject.uses(method)]


def given(scene: Scene) -> Call:
    """Make the scene's call as a given step; raises Blocked."""
    call = scene.subject.run(scene.invocation())
    if call.failed:
        raise Blocked(f"{scene.method} failed ({call.fail_reason})", call)
    return call
