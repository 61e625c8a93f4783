"""Moving an instance to another node: Ganeti's order of RPCs, step by step.

Source in Ganeti: lib/cmdlib/instance_migration.py TLMigrateInstance (_ExecMigration,
_RevertDiskStatus, _ExecCleanup, _ExecFailover). Compared with recordings of Ganeti 3.0.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage_conformance.instance import Instance
    from extstorage_conformance.suite_node import SuiteNode

Step = tuple[str, Callable[[], None]]
"""What Ganeti does, and what does it to the disks."""


@dataclass(frozen=True)
class Migration:
    """One migration of ``instance`` from the node ``source`` to the node ``target``."""

    instance: Instance
    source: SuiteNode
    target: SuiteNode

    def steps_before(self) -> list[Step]:
        """Return the steps before the instance's memory is copied."""
        instance = self.instance
        if not instance.subject.host.release.at_least("2.14"):
            return [("find the disks on the target", lambda: instance.find(self.target))]
        return [
            ("close on the target", lambda: instance.close(self.target)),
            ("open shared on the source", lambda: instance.open(self.source, exclusive=False)),
            ("open shared on the target", lambda: instance.open(self.target, exclusive=False)),
        ]

    def steps_after(self) -> list[Step]:
        """Return the steps after that, when the instance runs on the target."""
        instance = self.instance
        last: Step = ("detach on the source", lambda: instance.shutdown(self.source))
        if not instance.subject.host.release.at_least("2.14"):
            return [last]
        return [
            ("close on the source", lambda: instance.close(self.source)),
            ("open exclusively on the target", lambda: instance.open(self.target, exclusive=True)),
            last,
        ]

    def do(self, steps: list[Step]) -> None:
        """Do steps, and let messages say where in the migration they are; raises Violation."""
        for what, step in steps:
            self.instance.operation = f"gnt-instance migrate: {what}"
            step()

    def whole(self) -> None:
        """Do all of it, without I/O."""
        self.do([*self.steps_before(), *self.steps_after()])

    def revert(self) -> None:
        """Go back as when the target's hypervisor refuses: the instance stays on the source."""
        instance = self.instance
        instance.operation = "gnt-instance migrate: the target's hypervisor refuses"
        instance.close(self.target)
        instance.shutdown(self.target)
        instance.open(self.source, exclusive=True)

    def clean_up(self) -> None:
        """Do what migrate --cleanup does of an instance that runs on the source."""
        instance = self.instance
        instance.operation = "gnt-instance migrate --cleanup, the instance is on the source"
        instance.close(self.target)
        instance.open(self.source, exclusive=True)

    def clean_up_on_the_wrong_node(self) -> list[Call]:
        """Do what migrate --cleanup does, by mistake, of an instance that runs on the target.

        Returns the calls of open on the source: they may fail, so they are not judged.
        """
        instance = self.instance
        instance.operation = "gnt-instance migrate --cleanup, the instance is on the target"
        instance.close(self.source)
        instance.find(self.source)
        return [disk.call("open", exclusive=True) for disk in instance.on(self.source)]

    def failover(self) -> None:
        """Fail over a running instance: its disks are closed, detached, and used elsewhere."""
        instance = self.instance
        instance.operation = "gnt-instance failover"
        instance.close(self.source)
        instance.shutdown(self.source)
        self.activate_on_target()

    def activate_on_target(self) -> None:
        """Start the instance on the target, whatever has become of the source."""
        self.instance.operation = "gnt-instance failover: start on the target"
        self.instance.assemble(self.target)
        self.instance.assemble(self.target)
