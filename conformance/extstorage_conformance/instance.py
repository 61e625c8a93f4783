"""An instance whose disks are volumes: the calls that each of Ganeti's RPCs makes of their scripts.

Source in Ganeti: lib/backend.py (BlockdevFind, BlockdevAssemble, BlockdevOpen, BlockdevClose,
BlockdevShutdown), lib/cmdlib/instance_migration.py. An RPC takes all disks: it attaches each
first, since that is what finding a disk is, and then does to each what it is for.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.life import ordinary
from extstorage_conformance.violation import Blocked, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from extstorage.host.call import Call
    from extstorage_conformance.devices import Stream
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.suite_node import SuiteNode
    from extstorage_conformance.volume import Volume


@contextmanager
def as_given() -> Iterator[None]:
    """Let what is judged in a with block be given: it blocks the rule instead of breaking it."""
    try:
        yield
    except Violation as found:
        raise Blocked(str(found), found.call) from None


class Instance:
    """An instance with these disks; every method is judged and raises Violation.

    ``operation`` says in messages what Ganeti is doing.
    """

    def __init__(self, disks: Sequence[Volume]) -> None:
        self.subject: Subject = disks[0].subject
        self.operation = ""
        self._disks = {disks[0].node: list(disks)}

    @classmethod
    def started(cls, subject: Subject, node: SuiteNode, disks: int = 1) -> Instance:
        """Return a new instance that runs on ``node``, as given steps; raises Blocked."""
        instance = cls([subject.volume(index=index, node=node) for index in range(disks)])
        instance.operation = "gnt-instance add"
        with as_given():
            for disk in instance.on(node):
                judge.succeeds(disk.call("create"))
                instance._attach(disk)
                instance._call(disk, "open")
                instance._call(disk, "setinfo")
            instance.assemble(node)
            instance.assemble(node)
        instance.operation = ""
        return instance

    def on(self, node: SuiteNode) -> list[Volume]:
        """Return the disks as they are seen from ``node``."""
        if node not in self._disks:
            first = next(iter(self._disks.values()))
            self._disks[node] = [disk.on(node) for disk in first]
        return self._disks[node]

    def find(self, node: SuiteNode) -> None:
        """Look whether the disks are there (blockdev_find): attach."""
        for disk in self.on(node):
            self._attach(disk)

    def assemble(self, node: SuiteNode) -> None:
        """Make the disks ready (blockdev_assemble): attach and open each, exclusively."""
        for disk in self.on(node):
            self._attach(disk)
            self._call(disk, "open")

    def open(self, node: SuiteNode, *, exclusive: bool) -> None:
        """Open the disks (blockdev_open): attach all, open all."""
        self.find(node)
        for disk in self.on(node):
            self._call(disk, "open", exclusive=exclusive)

    def close(self, node: SuiteNode) -> None:
        """Close the disks (blockdev_close): attach all, close all."""
        self.find(node)
        for disk in self.on(node):
            self._call(disk, "close")

    def shutdown(self, node: SuiteNode) -> None:
        """Deactivate the disks (blockdev_shutdown): attach and detach each."""
        for disk in self.on(node):
            self._attach(disk)
            self._call(disk, "detach")
            if not disk.is_gone():
                call = self.subject.calls[-1]
                raise Violation(self._told("no mapping"), f"{disk.path} still shows it", call)

    def remove(self, node: SuiteNode) -> None:
        """Remove the disks (blockdev_remove): attach, detach and remove each."""
        for disk in self.on(node):
            for method in ("attach", "detach", "remove"):
                self._call(disk, method)

    @contextmanager
    def busy(self, node: SuiteNode) -> Iterator[list[Stream]]:
        """Let the instance write to all its disks on ``node`` until the with block ends.

        Judges at the end that no write failed or waited long, and that all was read as written.
        """
        with ExitStack() as stack:
            streams = [stack.enter_context(disk.stream()) for disk in self.on(node)]
            yield streams
        for stream in streams:
            try:
                judge.undisturbed(stream, self.subject.calls[-1])
            except Violation as found:
                where = f"on {node.name.partition('.')[0]}"
                raise Violation(
                    self._told(f"{found.expected} {where}"), found.got, found.call
                ) from None

    def judge_written(self, node: SuiteNode, streams: Sequence[Stream]) -> None:
        """Judge that ``node`` sees what streams, that have ended, wrote on another node."""
        for disk, stream in zip(self.on(node), streams, strict=True):
            try:
                found = disk.devices.stale(disk.path, disk.name, stream.written)
            except OSError as error:
                found = [f"reading {disk.path} failed: {error}"]
            expected = self._told(f"what was written before, on {node.name.partition('.')[0]}")
            judge.holds(not found, expected, "; ".join(found[:3]), self.subject.calls[-1])

    def _attach(self, disk: Volume) -> None:
        with self._telling():
            disk.judge_attach()

    def _call(self, disk: Volume, method: str, *, exclusive: bool = True) -> Call | None:
        """Call ``method``, if Ganeti calls it of this provider, and judge that it succeeds."""
        if not self.subject.uses(method):
            return None
        invocation = ordinary(disk, method)
        if method == "open":
            invocation = invocation.with_variables(VOL_OPEN_EXCLUSIVE=str(exclusive))
        call = disk.run(invocation)
        with self._telling():
            return judge.succeeds(call)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except Violation as found:
            raise Violation(self._told(found.expected), found.got, found.call) from None

    def _told(self, expected: str) -> str:
        return f"{expected} ({self.operation})" if self.operation else expected
