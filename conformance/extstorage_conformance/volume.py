"""One volume of a test: steps that are given, and calls that are under test."""

from __future__ import annotations

import stat
import time
from typing import TYPE_CHECKING, TypeVar, Unpack

from extstorage_conformance import judge, stamps
from extstorage_conformance.inventory.survey import PATIENCE_S
from extstorage_conformance.violation import Blocked, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from extstorage.host.call import Call
    from extstorage.host.daemon import CallValues
    from extstorage.host.disk import Disk
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.devices import Devices, Stream
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.suite_node import SuiteNode

Result = TypeVar("Result")


class Volume:
    """A volume that the provider may or may not have made yet.

    It is seen from one node, ``node``: all calls and all I/O are made there. ``path`` is the
    block device of the last given attach there. A *given* step prepares what a rule stands on:
    when it fails the rule is blocked. A *call* is under test: the check judges what comes of it.
    """

    def __init__(self, subject: Subject, disk: Disk, node: SuiteNode | None = None) -> None:
        self.subject = subject
        self.disk = disk
        self.node = node or subject.node
        self.path = ""
        self._has_been_open = False

    def on(self, node: SuiteNode) -> Volume:
        """Return this volume as it is seen from another node; its path there is not known yet."""
        return Volume(self.subject, self.disk, node)

    @property
    def devices(self) -> Devices:
        """The block devices of the volume's node."""
        return self.node.devices

    @property
    def name(self) -> str:
        """VOL_NAME."""
        return self.disk.name

    @property
    def size_mib(self) -> int:
        """The size that Ganeti has on record, in MiB."""
        return self.disk.size_mib

    def prepare(self, method: str, **values: Unpack[CallValues]) -> Invocation:
        """Return the invocation of ``method``'s script, for a check to change."""
        return self.subject.prepare(method, self.disk, self.node, **values)

    def run(self, invocation: Invocation) -> Call:
        """Run an invocation on the volume's node; nothing is judged."""
        if invocation.method in ("detach", "close"):
            self._has_been_open = False
        call = self.subject.run(invocation, self.node)
        if call.succeeded and invocation.method in ("open", "remove"):
            self._has_been_open = invocation.method == "open"
        return call

    def call(self, method: str, **values: Unpack[CallValues]) -> Call:
        """Run ``method``'s script; nothing is judged."""
        return self.run(self.prepare(method, **values))

    def given(self, method: str, **values: Unpack[CallValues]) -> Call:
        """Run ``method``'s script as a step that the rule stands on; raises Blocked."""
        call = self.call(method, **values)
        if call.failed:
            raise Blocked(f"{method} failed ({call.fail_reason})", call)
        return call

    def attach(self) -> str:
        """Attach as a given step and return the device's path; raises Blocked, NotApplicable."""
        self.subject.require("device")
        call = self.given("attach")
        path = call.stdout.split("\n")[0]
        try:
            is_block_device = stat.S_ISBLK(self.node.node.stat(path).st_mode)
        except (OSError, ValueError):
            is_block_device = False
        if not is_block_device:
            raise Blocked(f"attach named no block device: {path[:80]!r}", call)
        self.path = path
        return path

    def create_attached(self) -> str:
        """Create and attach as given steps and return the device's path; raises Blocked."""
        self.given("create")
        return self.attach()

    def judge_attach(self) -> Call:
        """Attach, judge that it gives a block device, and keep its path; raises Violation."""
        call = self.call("attach")
        self.path = judge.block_device(call)
        return call

    def detach(self) -> None:
        """Detach as a given step; raises Blocked, too when the device still shows the volume."""
        call = self.given("detach")
        if not self.is_gone():
            raise Blocked("detach exited 0, and attach's path still shows the volume", call)

    def is_gone(self) -> bool:
        """Return whether the last attach's path no longer leads to the volume, after a moment.

        Only a volume whose first block is stamped can be recognised. With the
        capability ``visible_after_detach`` there is nothing to see: always true.
        """
        if self.subject.configuration.capabilities["visible_after_detach"]:
            return True
        deadline = time.monotonic() + PATIENCE_S
        while (shown := self._is_shown()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return not shown

    def _is_shown(self) -> bool:
        try:
            (stamp,) = self.devices.stamps(self.path, [0])
        except OSError:
            return False
        return stamp is not None and stamp.volume == self.name

    def device_number(self) -> int:
        """Return the number of the attached device (st_rdev)."""
        return self.node.node.stat(self.path).st_rdev

    def make_ready(self) -> None:
        """Open the attached volume, as a given step, if its device refuses I/O before that.

        Ganeti opens a volume before any I/O, and a provider with open may insist on it.
        """
        error = self._refusal()
        if error is not None and self.subject.opens():
            self.given("open", exclusive=True)
            error = self._refusal()
        if error is not None:
            raise Blocked(f"the device {self.path} takes no I/O: {error}")

    def _refusal(self) -> OSError | None:
        try:
            self.devices.probe(self.path)
        except OSError as error:
            return error
        return None

    def attach_again(self) -> None:
        """Attach the attached volume as a given step; raises Blocked when its path changes."""
        before = self.path
        self.attach()
        if self.path != before:
            raise Blocked(f"attach gave {before}, then {self.path}, which ES-ATTACH-04 judges")

    def offsets(self, count: int = 16) -> list[int]:
        """Return ``count`` block offsets over the recorded size, in bytes, with first and last."""
        return stamps.spread(self.size_mib * stamps.MIB, count)

    def stamp(self, generation: int = 1, offsets: Iterable[int] | None = None) -> None:
        """Write stamps to the attached device as a given step; raises Blocked."""
        self.make_ready()
        try:
            self.devices.write(self.path, self.name, self._chosen(offsets), generation)
        except OSError as error:
            raise Blocked(f"writing to {self.path} failed: {error}") from None

    def stamp_through_cache(
        self, generation: int = 1, offsets: Iterable[int] | None = None
    ) -> None:
        """Write stamps as ``stamp`` does, but through the page cache and synced; raises Blocked."""
        self.make_ready()
        try:
            self.devices.write_through_cache(
                self.path, self.name, self._chosen(offsets), generation
            )
        except OSError as error:
            raise Blocked(f"writing to {self.path} failed: {error}") from None

    def stamp_for_good(self) -> None:
        """Stamp, detach, attach and read as given steps; raises Blocked when that loses data."""
        self.stamp()
        self.detach()
        self.attach()
        self.given_stamps()

    def given_stamps(self, generation: int = 1, offsets: Iterable[int] | None = None) -> None:
        """Read what ``stamp`` wrote as a given step; raises Blocked when it is not there."""
        found = self._mismatches(generation, offsets)
        if found:
            raise Blocked(f"{self.name} does not hold what was written to it: {found[0]}")

    def judge_stamps(
        self, call: Call | None, generation: int = 1, offsets: Iterable[int] | None = None
    ) -> None:
        """Judge that the attached device still holds what ``stamp`` wrote; raises Violation."""
        found = self._mismatches(generation, offsets)
        judge.holds(not found, "the data written before, unchanged", "; ".join(found[:3]), call)

    def _mismatches(self, generation: int, offsets: Iterable[int] | None) -> list[str]:
        chosen = self._chosen(offsets)
        try:
            return self._read(
                lambda: self.devices.mismatches(self.path, self.name, chosen, generation)
            )
        except OSError as error:
            return [f"reading {self.path} failed: {error}"]

    def _read(self, read: Callable[[], Result]) -> Result:
        """Read; a device that refuses before its volume was open is opened, as Ganeti does."""
        try:
            return read()
        except OSError:
            if self._has_been_open or not self.subject.opens():
                raise
        self.given("open", exclusive=True)
        return read()

    def judge_read(self, call: Call | None, read: Callable[[Devices, str], Result]) -> Result:
        """Judge that the attached device, given by its path, can be read; raises Violation."""
        try:
            return self._read(lambda: read(self.devices, self.path))
        except OSError as error:
            raise Violation("a device that can be read", f"{self.path}: {error}", call) from None

    def judge_io(
        self, call: Call | None, generation: int = 1, offsets: Iterable[int] | None = None
    ) -> None:
        """Judge that the attached device takes stamps and gives them back; raises Violation."""
        chosen = self._chosen(offsets)
        try:
            self.devices.write(self.path, self.name, chosen, generation)
        except OSError as error:
            raise Violation("the device to take a write", f"{self.path}: {error}", call) from None
        self.judge_stamps(call, generation, chosen)

    def stream(
        self, offsets: Iterable[int] | None = None, *, idles: bool = False
    ) -> AbstractContextManager[Stream]:
        """Return what writes to the attached device, on its node, for the length of a block."""
        return self.devices.stream(self.path, self.name, self._chosen(offsets), idles=idles)

    def held(self) -> AbstractContextManager[None]:
        """Return what keeps the attached device open for writing; raises Blocked."""
        return self.devices.held(self.path)

    def device_mib(self) -> float:
        """Return the size of the attached device in MiB; raises Blocked."""
        try:
            return self._read(lambda: self.devices.size_bytes(self.path)) / stamps.MIB
        except OSError as error:
            raise Blocked(f"the device {self.path} cannot be opened: {error}") from None

    def _chosen(self, offsets: Iterable[int] | None) -> list[int]:
        return self.offsets() if offsets is None else list(offsets)
