"""The calls that Ganeti makes of one disk, operation by operation, on the node of its instance.

Recorded from Ganeti 3.0.2. A step is a method; ``snapshot.`` before it means
that it is called for the volume VOL_NAME.snap. Every open is exclusive: shared
access takes two nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

SNAPSHOT = "snapshot."


@dataclass(frozen=True)
class Pattern:
    """One operation: the command that makes it, and its steps in order."""

    operation: str
    text: str

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps in order: ``attach``, ``snapshot.attach``."""
        return tuple(self.text.split())

    def uses(self, method: str) -> bool:
        """Return whether ``method`` is among the steps."""
        return method in self.steps


# The life of an instance: each operation finds the disk as the one before it left it.
LIFE = (
    Pattern(
        "gnt-instance add, with installation and start",
        "create attach open setinfo attach open attach open",
    ),
    Pattern("gnt-instance info, gnt-cluster verify", "attach"),
    Pattern("gnt-instance reboot, hard", "attach open"),
    Pattern("gnt-instance reboot, full", "attach detach attach open attach open"),
    Pattern(
        "gnt-instance grow-disk, running",
        "attach open attach attach attach attach grow attach",
    ),
    Pattern(
        "gnt-backup export --noshutdown",
        "attach snapshot attach open snapshot.attach snapshot.open "
        "snapshot.attach snapshot.detach snapshot.remove",
    ),
    Pattern("gnt-instance startup after the instance crashed", "attach open attach open"),
    Pattern("gnt-instance shutdown", "attach detach"),
    Pattern("gnt-instance info, stopped (leaves the disk attached)", "attach"),
    Pattern("gnt-instance deactivate-disks", "attach detach"),
    Pattern("gnt-instance deactivate-disks, inactive", "attach detach"),
    Pattern("gnt-instance activate-disks", "attach open"),
    Pattern("gnt-instance deactivate-disks", "attach detach"),
    Pattern(
        "gnt-instance grow-disk, stopped",
        "attach open attach attach attach attach grow attach attach detach",
    ),
    Pattern("gnt-instance rename", "attach open attach setinfo attach open attach detach"),
    Pattern("gnt-instance reinstall", "attach open attach open attach detach"),
    Pattern("gnt-instance startup where the device has minor 0", "attach attach open attach open"),
    Pattern("gnt-instance failover, the node that is left", "attach close attach detach"),
    Pattern("gnt-instance failover, back to this node", "attach open attach open"),
    Pattern("gnt-instance shutdown where the device has minor 0", "attach attach detach"),
    Pattern("gnt-instance remove", "attach detach remove"),
)

# Other ways in and out; each begins without a volume and ends without one.
WHOLE = (
    Pattern(
        "gnt-instance modify --disk add, stopped; remove --disk",
        "create attach open setinfo attach detach attach detach remove",
    ),
    Pattern(
        "gnt-instance add with wiped disks; remove while running",
        "create attach open setinfo attach attach attach attach attach attach attach attach "
        "attach attach attach attach attach attach open attach open attach detach remove",
    ),
    Pattern(
        "gnt-instance add whose second disk fails: the first one is taken back",
        "create attach open setinfo attach detach remove",
    ),
    Pattern(
        "export --remove-instance; remove with minor 0",
        "create attach open setinfo attach open attach open attach attach attach detach remove",
    ),
)
