"""Scenes in which a volume with data becomes another one: grow, setinfo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.faults.scenes.scene import Scene

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation


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
        if not self.is_dirty and largest and self._size + 2 * self._step > largest:
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

    def judge_again(self) -> None:
        call = judge.ended(self.subject.run(self.invocation()))
        if call.failed:
            # To the size that there is it need not grow; further it has to.
            self.judge_done(call)
            self._size += self._step
            call = self.subject.run(self.invocation())
        judge.succeeds(call, "grow again, with nothing in its way")
        self.judge_done(call)

    def back(self) -> None:
        self._size += self._step


class SetInfo(Scene):
    """An attached volume with metadata, which every trial replaces."""

    method = "setinfo"

    def prepare(self) -> None:
        self.volume = self.subject.attached()
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
