"""``gnt-backup export`` and ``import``.

Source in Ganeti: ``lib/cmdlib/backup.py``, ExportInstanceHelper and TransferInstanceData in
``lib/masterd/instance.py``, LUInstanceCreate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from extstorage.cluster import adding, disks, removal
from extstorage.cluster.errors import OpExecError, OpPrereqError, RpcError, raising
from extstorage.cluster.exports import Export, Exports
from extstorage.cluster.model import UP, ClusterDisk, new_uuid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from extstorage.cluster.adding import NewInstance
    from extstorage.cluster.job import Job
    from extstorage.cluster.model import Instance


@dataclass(frozen=True)
class Options:
    """How to export.

    Attributes:
        node: Where the export is kept.
        shutdown: Whether the instance is stopped first.
        remove_instance: Whether it is removed afterwards.
        ignore_remove_failures: Whether it is forgotten even if a disk cannot be removed.
        long_sleep: Whether it may be down until all data is copied.
    """

    node: str
    shutdown: bool = True
    remove_instance: bool = False
    ignore_remove_failures: bool = False
    long_sleep: bool = False


def export(job: Job, name: str, options: Options) -> None:
    """Export an instance. Raises OpPrereqError, OpExecError."""
    instance = job.instance(name)
    job.check_online(instance.primary_node)
    node = job.node(options.node)
    job.check_online(node)
    if options.remove_instance and not options.shutdown and instance.admin_state == UP:
        raise OpPrereqError("Can not remove instance without shutting it down before")
    if options.long_sleep and not options.shutdown:
        raise OpPrereqError(
            "The long sleep option only makes sense when the instance can be shut down."
        )
    _Export(job, instance, node, options).run()


class _Export:
    """LUBackupExport."""

    def __init__(self, job: Job, instance: Instance, node: str, options: Options) -> None:
        self._job = job
        self._instance = instance
        self._node = node
        self._options = options
        self._exports = Exports(job)
        self._snapshots: dict[int, ClusterDisk] = {}

    def run(self) -> None:
        job, instance, options = self._job, self._instance, self._options
        # Before anything is stopped: a node that is not there is no reason to.
        with raising(f"Could not make a directory for the export on node {self._node}"):
            directory = self._exports.new(self._node, instance.name)
        if options.shutdown:
            job.feedback(f"Shutting down instance {instance.name}")
            with raising(
                f"Could not shutdown instance {instance.name} on node {instance.primary_node}"
            ):
                job.primary(instance).instance_shutdown(instance.name)
        activated = not instance.disks_active
        if activated:
            job.feedback(f"Activating disks for {instance.name}")
            disks.start(job, instance)
        try:
            failed = self._copy(directory)
        finally:
            if activated:
                job.feedback(f"Deactivating disks for {instance.name}")
                disks.shutdown(job, instance)
        if failed:
            raise OpExecError(f"Export failed, errors in {', '.join(failed)}")
        self._finish()

    def _copy(self, directory: str) -> list[str]:
        """Copy all disks; return what failed."""
        instance, options = self._instance, self._options
        up = instance.admin_state == UP and not options.remove_instance
        restart = options.shutdown and up
        try:
            snapshots = up and self._take_snapshots()
            if up and not snapshots:
                self._check_without_snapshots()
            if restart and snapshots:
                self._start()
            failed = self._transferred(directory)
            if restart and not snapshots:
                self._start()
        finally:
            self._remove_snapshots()
        return failed

    def _transferred(self, directory: str) -> list[str]:
        """Copy all disks and give the export its name; return what failed."""
        indices = self._transfer(directory)
        if indices:
            return ["export finalization", f"disk export: disk(s) {', '.join(map(str, indices))}"]
        self._job.feedback(f"Finalizing export on {self._node}")
        try:
            self._exports.finish(self._node, self._record())
        except RpcError as error:
            self._job.warning(
                f"Could not finalize export for instance {self._instance.name}"
                f" on node {self._node}: {error}"
            )
            return ["export finalization"]
        return []

    def _record(self) -> Export:
        found = self._instance.disks
        return Export(
            self._instance.name,
            self._instance.os,
            [disk.size_mib for disk in found],
            [disk.name for disk in found],
        )

    def _take_snapshots(self) -> bool:
        if not all(disk.supports_snapshots for disk in self._instance.disks):
            return False
        node = self._instance.primary_node
        for index, disk in enumerate(self._instance.disks):
            self._job.feedback(f"Creating a snapshot of disk/{index} on node {node}")
            try:
                _provider, name = self._job.primary(self._instance).blockdev_snapshot(disk)
            except RpcError as error:
                self._job.warning(f"Could not snapshot disk/{index} on node {node}: {error}")
            else:
                self._snapshots[index] = ClusterDisk(
                    new_uuid(), name, disk.size_mib, dict(disk.parameters)
                )
        if len(self._snapshots) == len(self._instance.disks):
            return True
        self._remove_snapshots()
        self._snapshots.clear()
        return False

    def _check_without_snapshots(self) -> None:
        if not self._options.shutdown:
            raise OpExecError(
                "Not all disks could be snapshotted, and you requested a live export; aborting"
            )
        if not self._options.long_sleep:
            raise OpExecError(
                "Not all disks could be snapshotted, and you did not allow the instance to remain"
                " offline for a longer time through the --long-sleep option; aborting"
            )

    def _start(self) -> None:
        job, instance = self._job, self._instance
        job.feedback(f"Starting instance {instance.name}")
        try:
            job.primary(instance).instance_start(instance)
        except RpcError as error:
            job.feedback(f"Failed to start instance: {error}")
            disks.shutdown(job, instance)
            raise OpExecError(f"Could not start instance: {error}") from error

    def _transfer(self, directory: str) -> list[int]:
        failed = []
        for index, disk in enumerate(self._instance.disks):
            label = f"snapshot/{index}" if self._snapshots else f"disk/{index}"
            source = self._snapshots.get(index, disk)
            if not self._transfer_one(index, label, source, f"{directory}/disk{index}"):
                failed.append(index)
            if index in self._snapshots:
                self._remove_snapshot(index)
        return failed

    def _transfer_one(self, index: int, label: str, disk: ClusterDisk, path: str) -> bool:
        job, instance = self._job, self._instance
        daemon = job.primary(instance)
        job.feedback(f"Exporting {label} from {daemon.name} to {self._node}")
        job.feedback(f"{label} is now listening, starting export")
        try:
            if instance.os:
                # The OS script's environment names all disks of the instance.
                daemon.open_for_os(instance.disks)
            daemon.export_disk(disk, index, path)
        except RpcError as error:
            job.warning(f"export on {daemon.name} failed: {error}")
            job.feedback(f"{label} failed to send data: {error}")
            return False
        job.feedback(f"{label} finished receiving data")
        job.feedback(f"{label} finished sending data")
        return True

    def _remove_snapshots(self) -> None:
        for index in list(self._snapshots):
            self._remove_snapshot(index)

    def _remove_snapshot(self, index: int) -> None:
        node = self._instance.primary_node
        self._job.feedback(f"Removing snapshot of disk/{index} on node {node}")
        try:
            self._job.primary(self._instance).blockdev_remove(self._snapshots[index])
        except RpcError as error:
            self._job.warning(
                f"Could not remove snapshot for disk/{index} from node {node}: {error}"
            )
        else:
            del self._snapshots[index]

    def _finish(self) -> None:
        job, instance, options = self._job, self._instance, self._options
        if options.remove_instance:
            job.feedback(f"Removing instance {instance.name}")
            removal.forget(job, instance, ignore_failures=options.ignore_remove_failures)
        if len(job.cluster.nodes) > 1:
            job.feedback(f"Removing old exports for instance {instance.name}")
        for other in self._exports.sources(instance.name):
            if other != self._node:
                self._remove_old(other)

    def _remove_old(self, node: str) -> None:
        try:
            self._exports.remove(node, self._instance.name)
        except RpcError as error:
            self._job.warning(
                f"Could not remove older export for instance {self._instance.name}"
                f" on node {node}: {error}"
            )


def import_(job: Job, wanted: NewInstance, source: str | None) -> None:
    """Add an instance from an export of that name; it stays down.

    Disks that are not described are as large as they were. Raises OpPrereqError, OpExecError.
    """
    wanted = adding.arguments(job, wanted)
    exports = Exports(job)
    node = _source(job, exports, wanted.name, source)
    with raising(f"No export or invalid export found in dir {wanted.name}"):
        found = exports.read(node, wanted.name)
    if found is None:
        raise OpPrereqError(f"No export found for relative path {wanted.name}")
    given: Sequence[dict[str, str | int]] = [dict(disk) for disk in wanted.disks] or [
        {"size": size, **({} if name is None else {"name": name})}
        for size, name in zip(found.sizes_mib, found.names, strict=True)
    ]
    if len(given) < len(found.sizes_mib):
        raise OpPrereqError(
            f"Instance creation with {len(given)} disks, but the export has {len(found.sizes_mib)}"
        )
    complete = adding.replaced(wanted, disks=given, os=found.os or None)
    target, descriptions = adding.check(job, complete)
    instance = adding.create(job, complete, target, descriptions)
    _fill(job, instance, node, exports.path(node, wanted.name), len(found.sizes_mib))


def _source(job: Job, exports: Exports, name: str, source: str | None) -> str:
    if source is not None:
        return job.node(source)
    for node in exports.sources(name):
        return node
    raise OpPrereqError(f"No export found for relative path {name}")


def _fill(job: Job, instance: Instance, node: str, directory: str, count: int) -> None:
    job.feedback("* running the instance OS import scripts...")
    daemon = job.primary(instance)
    for index in range(count):
        label = f"disk/{index}"
        job.feedback(f"Exporting {label} from {node} to {daemon.name}")
        job.feedback(f"{label} is now listening, starting export")
        try:
            paths = daemon.open_for_os(instance.disks)
            daemon.import_disk(f"{directory}/disk{index}", paths[index] or "/dev/null")
        except RpcError as error:
            job.warning(
                f"Some disks for instance {instance.name} on node {daemon.name} were not imported"
                f" successfully: {error}"
            )
            continue
        job.feedback(f"{label} finished receiving data")
        job.feedback(f"{label} finished sending data")
    if not instance.os:
        return
    job.feedback(f"Running rename script for {instance.name}")
    try:
        daemon.open_for_os(instance.disks)
    except RpcError as error:
        job.warning(
            f"Failed to run rename script for {instance.name} on node {daemon.name}: {error}"
        )
