"""What several operations do to an instance's disks.

Source in Ganeti: ``lib/cmdlib/instance_storage.py``, ``lib/cmdlib/instance_utils.py``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from extstorage.cluster.errors import WRONG_STATE, OpExecError, OpPrereqError, RpcError
from extstorage.cluster.model import EXT, FILE, READ_WRITE, ClusterDisk, new_uuid
from extstorage.cluster.units import format_unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from extstorage.cluster.job import Job
    from extstorage.cluster.model import Instance
    from extstorage.cluster.rpc import NodeDaemon

_logger = logging.getLogger(__name__)

# constants.IDISK_PARAMS: these are Ganeti's own, everything else is an ext-param.
OWN_PARAMETERS = frozenset({
    "access", "adopt", "dev_type", "metavg", "mode", "name", "provider", "size", "spindles", "vg",
})  # fmt: skip
MODES = ("ro", "rw")


def checked_description(given: Mapping[str, str | int], template: str) -> dict[str, str | int]:
    """Return a new disk's description in order, or raise OpPrereqError (ComputeDisks)."""
    mode = given.get("mode", READ_WRITE)
    if mode not in MODES:
        raise OpPrereqError(f"Invalid disk access mode '{mode}'")
    check_provider(given, template)
    name = given.get("name")
    if name is not None and str(name).lower() == "none":
        name = None
    kept = {key: value for key, value in given.items() if key not in OWN_PARAMETERS}
    own = {key: given[key] for key in ("provider", "access") if key in given}
    named = {} if name is None else {"name": name}
    return {"size": given["size"], "mode": mode, **named, **own, **kept}


def check_provider(given: Mapping[str, object], template: str) -> None:
    """Refuse a missing or needless provider (CheckDiskExtProvider)."""
    if given.get("provider") and template != EXT:
        raise OpPrereqError(
            "The 'provider' option is only valid for the ext disk template, not " + template
        )
    if given.get("provider") is None and template == EXT:
        raise OpPrereqError("Missing provider for template 'ext'")


def check_access(description: Mapping[str, object]) -> None:
    """Refuse a way of access that the guest cannot use. Raises OpPrereqError."""
    access = description.get("access", "kernelspace")
    if access != "kernelspace":
        raise OpPrereqError(
            f"Selected hypervisor (fake) cannot be used with {access} disk access param",
            WRONG_STATE,
        )


def file_directory(job: Job, instance: str) -> str:
    """Return where an instance's file disks are: below the directory that all nodes share."""
    return f"{job.state.directory}/shared/.file-storage/{instance}"


def generate(
    job: Job,
    descriptions: Sequence[Mapping[str, str | int]],
    template: str,
    first_index: int = 0,
    *,
    directory: str = "",
) -> list[ClusterDisk]:
    """Return new disks, not made yet (GenerateDiskTemplate)."""
    disks = []
    for index, description in enumerate(descriptions, first_index):
        size = int(description["size"])
        job.feedback(f"* disk {index}, size {format_unit(size)}")
        volume = f"{new_uuid()}.{template}.disk{index}"
        own = ("size", "mode", "name")
        name = description.get("name")
        disks.append(
            ClusterDisk(
                uuid=new_uuid(),
                location=f"{directory}/{volume}" if template == FILE else volume,
                size_mib=size,
                parameters={k: str(v) for k, v in description.items() if k not in own},
                name=None if name is None else str(name),
                mode=str(description["mode"]),
                template=template,
            )
        )
    return disks


def create(
    job: Job,
    instance: Instance,
    disks: Sequence[tuple[int, ClusterDisk]],
    *,
    stored: bool = False,
) -> None:
    """Make disks, given with their indices; undo all if one fails (CreateDisks).

    A disk that was made but could not be attached, opened or described is left behind, as Ganeti
    leaves it. Raises OpExecError.
    """
    daemon = job.primary(instance)
    made: list[ClusterDisk] = []
    for index, disk in disks:
        try:
            _create_one(daemon, disk, instance.metadata)
        except RpcError as error:
            _undo(job, instance, made)
            raise OpExecError(
                f"Can't create block device {disk.describe(index, stored=stored)} on node"
                f" {daemon.name} for instance {instance.name}: {error}"
            ) from error
        made.append(disk)


def _create_one(daemon: NodeDaemon, disk: ClusterDisk, metadata: str) -> None:
    if disk.template == FILE:
        daemon.file_create(disk.location, disk.size_mib)
    else:
        daemon.blockdev_create(disk, metadata)


def _undo(job: Job, instance: Instance, made: Iterable[ClusterDisk]) -> None:
    for disk in made:
        try:
            _remove_one(job, instance, disk)
        except RpcError as error:
            # Ganeti tells only its own log.
            _logger.warning("Failed to remove newly-created disk %s: %s", disk.location, error)


def assemble(
    job: Job, instance: Instance, only: Sequence[ClusterDisk] | None = None
) -> tuple[bool, list[tuple[str, str, str | None]]]:
    """Attach and open disks on the primary node (AssembleInstanceDisks).

    Returns whether all is well, and for each disk the node, Ganeti's name and the device's path.
    """
    if only is None:
        instance.disks_active = True
        job.save(instance)
    chosen = _chosen(instance, only)
    # Two loops, because Ganeti goes through all disks twice.
    well = not [index for index, _disk in chosen if not _first_pass(job, instance, index)]
    found = []
    for index, disk in chosen:
        path, done = _second_pass(job, instance, index, disk)
        well = well and done
        found.append((instance.primary_node, f"disk/{index}", path))
    if not well:
        instance.disks_active = False
        job.save(instance)
    return well, found


def _chosen(
    instance: Instance, only: Sequence[ClusterDisk] | None
) -> list[tuple[int, ClusterDisk]]:
    chosen = [disk.uuid for disk in (instance.disks if only is None else only)]
    return [(index, disk) for index, disk in enumerate(instance.disks) if disk.uuid in chosen]


def _first_pass(job: Job, instance: Instance, index: int) -> bool:
    # Nothing is attached outside the primary node in this pass, but the node is asked.
    try:
        job.primary(instance).ping()
    except RpcError as error:
        _not_prepared(job, instance, index, "is_primary=False, pass=1", error)
        return False
    return True


def _second_pass(
    job: Job, instance: Instance, index: int, disk: ClusterDisk
) -> tuple[str | None, bool]:
    try:
        return job.primary(instance).blockdev_assemble(disk), True
    except RpcError as error:
        _not_prepared(job, instance, index, "is_primary=True, pass=2", error)
        return None, False


def _not_prepared(job: Job, instance: Instance, index: int, where: str, error: RpcError) -> None:
    job.warning(
        f"Could not prepare block device disk/{index} on node {instance.primary_node}"
        f" ({where}): {error}"
    )


def start(job: Job, instance: Instance, *, force: bool | None = None) -> None:
    """Attach and open all disks, or detach them again and raise OpExecError."""
    well, _found = assemble(job, instance)
    if well:
        return
    shutdown(job, instance)
    if force is False:
        job.warning(
            "",
            hint="If the message above refers to a secondary node,"
            " you can retry the operation using '--force'",
        )
    raise OpExecError("Disk consistency error")


def shutdown(
    job: Job,
    instance: Instance,
    only: Sequence[ClusterDisk] | None = None,
    *,
    ignore_primary: bool = False,
) -> bool:
    """Detach disks on the primary node; return whether that went well."""
    if only is None:
        instance.disks_active = False
        job.save(instance)
    well = True
    for index, disk in _chosen(instance, only):
        try:
            job.primary(instance).blockdev_shutdown(disk)
        except RpcError as error:
            job.warning(
                f"Could not shutdown block device disk/{index}"
                f" on node {instance.primary_node}: {error}"
            )
            well = ignore_primary and well
    return well


def wait_for_sync(job: Job, instance: Instance, *, once: bool = False) -> None:
    """Tell that the disks are in sync; there is nothing to wait for (WaitForSync)."""
    if not instance.disks:
        return
    if not once:
        job.info(f"Waiting for instance {instance.name} to sync disks")
    job.info(f"Instance {instance.name}'s disks are in sync")


def remove(job: Job, instance: Instance, chosen: Sequence[tuple[int | None, ClusterDisk]]) -> bool:
    """Delete disks, given with their indices; return whether all are gone (RemoveDisks)."""
    well = True
    for index, disk in chosen:
        try:
            _remove_one(job, instance, disk)
        except RpcError as error:
            job.warning(
                f"Could not remove disk {index} on node {instance.primary_node},"
                f" continuing anyway: {error}"
            )
            well = False
    return well


def _remove_one(job: Job, instance: Instance, disk: ClusterDisk) -> None:
    daemon = job.primary(instance)
    if disk.template == FILE:
        daemon.file_remove(disk.location)
    else:
        daemon.blockdev_remove(disk)


def find(instance: Instance, index: str) -> tuple[int, ClusterDisk]:
    """Return a disk by its index (Instance.FindDisk). Raises OpPrereqError."""
    try:
        number = int(index)
        return number % len(instance.disks), instance.disks[number]
    except ValueError as error:
        raise OpPrereqError(f"Invalid disk index: '{error}'") from None
    except (IndexError, ZeroDivisionError):
        raise OpPrereqError(
            f"Invalid disk index: {number} (instace has disks 0 to {len(instance.disks) - 1}"
        ) from None
