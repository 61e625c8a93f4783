"""One volume of a test: steps that are given, and calls that are under test."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from extstorage_conformance import judge, stamps
from extstorage_conformance.violation import Blocked

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.host.disk import Disk
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.subject import Subject


class Volume:
    """A volume that the provider may or may not have made yet.

    ``path`` is the block device of the last given attach. A *given* step
    prepares what a rule stands on: when it fails the rule is blocked. A *call*
    is under test: the check judges what comes of it.
    """

    def __init__(self, subject: Subject, disk: Disk) -> None:
        self.subject = subject
        self.disk = disk
        self.path = ""

    @property
    def name(self) -> str:
        """VOL_NAME."""
        return self.disk.name

    @property
    def size_mib(self) -> int:
        """The size that Ganeti has on record, in MiB."""
        return self.disk.size_mib

    def prepare(self, method: str, **values: Any) -> Invocation:
        """Return the invocation of ``method``'s script, for a check to change."""
        return self.subject.prepare(method, self.disk, **values)

    def call(self, method: str, **values: Any) -> Call:
        """Run ``method``'s script; nothing is judged."""
        return self.subject.run(self.prepare(method, **values))

    def given(self, method: str, **values: Any) -> Call:
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
            is_block_device = stat.S_ISBLK(os.stat(path).st_mode)
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

    def offsets(self, count: int = 16) -> list[int]:
        """Return ``count`` block offsets over the recorded size, in bytes, first and last included."""
        return stamps.spread(self.size_mib * stamps.MIB, count)

    def stamp(self, generation: int = 1, offsets: Iterable[int] | None = None) -> None:
        """Write stamps to the attached device as a given step; raises Blocked."""
        try:
            stamps.write(self.path, self.name, self._chosen(offsets), generation)
        except OSError as error:
            raise Blocked(f"writing to {self.path} failed: {error}") from None

    def judge_stamps(
        self, call: Call | None, generation: int = 1, offsets: Iterable[int] | None = None
    ) -> None:
        """Judge that the attached device still holds what ``stamp`` wrote; raises Violation."""
        try:
            found = stamps.mismatches(self.path, self.name, self._chosen(offsets), generation)
        except OSError as error:
            found = [f"reading {self.path} failed: {error}"]
        judge.holds(not found, "the data written before, unchanged", "; ".join(found[:3]), call)

    def device_mib(self) -> float:
        """Return the size of the attached device in MiB; raises Blocked."""
        try:
            return stamps.size_bytes(self.path) / stamps.MIB
        except OSError as error:
            raise Blocked(f"the device {self.path} cannot be opened: {error}") from None

    def _chosen(self, offsets: Iterable[int] | None) -> list[int]:
        return self.offsets() if offsets is None else list(offsets)
