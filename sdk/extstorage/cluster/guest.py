"""The place of a hypervisor: what runs where, and nothing more.

A runtime for tests has no virtual machines. ``RecordedGuests`` behaves as Ganeti's hypervisor
``fake`` does (``lib/hypervisor/hv_fake.py``): a running guest is a file.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Protocol

from extstorage.cluster.errors import HypervisorError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Guests(Protocol):
    """All guests of a cluster. Nodes and instances are given by their names.

    Every method that changes something raises HypervisorError with a reason.
    """

    def running(self, node: str) -> Sequence[str]:
        """Return the names of the instances that run on a node."""
        ...

    def start(self, node: str, instance: str, devices: Sequence[str | None]) -> None:
        """Start an instance on its disks' device paths (None: a disk without device)."""
        ...

    def stop(self, node: str, instance: str) -> None:
        """Stop an instance; one that does not run is left alone."""
        ...

    def reboot(self, node: str, instance: str) -> None:
        """Reboot an instance from within (``--type=soft``)."""
        ...

    def accept(self, node: str, instance: str) -> None:
        """Prepare a node for an instance that is about to come."""
        ...

    def migrate(self, source: str, target: str, instance: str) -> None:
        """Move a running instance."""
        ...

    def finish(self, source: str, target: str, instance: str, *, success: bool) -> None:
        """End a migration on both nodes."""
        ...

    def rename(self, node: str, old: str, new: str) -> None:
        """Take note of an instance's new name; it does not run."""
        ...


class RecordedGuests:
    """Guests that are records only: one file for each that runs, and a log of what happened.

    Args:
        directory: Where the records are; made when it is needed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def running(self, node: str) -> Sequence[str]:
        """Return the names of the instances that run on a node."""
        return sorted(path.name for path in (self._directory / node).glob("[!.]*"))

    def start(self, node: str, instance: str, devices: Sequence[str | None]) -> None:
        """Record that an instance runs."""
        if instance in self.running(node):
            raise HypervisorError(f"Failed to start instance {instance}: already running")
        self._file(node, instance).parent.mkdir(parents=True, exist_ok=True)
        self._file(node, instance).write_text(json.dumps({"devices": devices}))
        self._log("start", node, instance)

    def stop(self, node: str, instance: str) -> None:
        """Record that an instance has stopped."""
        if instance in self.running(node):
            self._file(node, instance).unlink(missing_ok=True)
            self._log("stop", node, instance)

    def reboot(self, node: str, instance: str) -> None:
        """Record a reboot."""
        self._log("reboot", node, instance)

    def accept(self, node: str, instance: str) -> None:
        """Refuse an instance that runs on the node already."""
        if instance in self.running(node):
            raise HypervisorError("Can't accept instance, already running")

    def migrate(self, source: str, target: str, instance: str) -> None:
        """Record that an instance has moved."""
        self._file(target, instance).parent.mkdir(parents=True, exist_ok=True)
        self._file(source, instance).rename(self._file(target, instance))
        self._log("migrate", f"{source} {target}", instance)

    def finish(self, source: str, target: str, instance: str, *, success: bool) -> None:
        """Record how a migration ended."""
        self._log(f"finish success={success}", f"{source} {target}", instance)

    def rename(self, node: str, old: str, new: str) -> None:
        """Record an instance's new name."""
        self._log(f"rename {old}", node, new)

    def _file(self, node: str, instance: str) -> Path:
        return self._directory / node / instance

    def _log(self, event: str, node: str, instance: str) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        with (self._directory / ".log").open("a", encoding="utf-8") as file:
            file.write(f"{time.time():.3f} {event} {node} {instance}\n")
