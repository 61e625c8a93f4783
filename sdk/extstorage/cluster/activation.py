"""``activate-disks``, ``deactivate-disks``, ``grow-disk``, ``recreate-disks``.

Source in Ganeti: ``lib/cmdlib/instance_storage.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.cluster import disks, wiping
from extstorage.cluster.errors import WRONG_STATE, OpExecError, OpPrereqError, raising
from extstorage.cluster.units import format_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from extstorage.cluster.job import Job
    from extstorage.cluster.model import ClusterDisk, Instance


_MIB = 1 << 20


def activate(
    job: Job, name: str, *, wait_for_sync: bool = False
) -> list[tuple[str, str, str | None]]:
    """Attach and open all disks; return node, Ganeti's name and device path of each.

    Raises OpPrereqError, OpExecError.
    """
    instance = job.instance(name)
    job.check_online(instance.primary_node)
    well, found = disks.assemble(job, instance)
    if not well:
        raise OpExecError("Cannot activate block devices")
    if wait_for_sync:
        disks.wait_for_sync(job, instance)
    return found


def deactivate(job: Job, name: str, *, force: bool = False) -> None:
    """Detach all disks. Raises OpPrereqError for an instance that is up."""
    instance = job.instance(name)
    if not force:
        job.check_down(instance, "cannot shutdown disks")
    disks.shutdown(job, instance)


def check_growth(
    instance: Instance, index: int, amount_mib: int, *, absolute: bool
) -> tuple[ClusterDisk, int]:
    """Return the disk and by how many MiB it grows, or raise OpPrereqError."""
    _index, disk = disks.find(instance, str(index))
    delta = amount_mib - disk.size_mib if absolute else amount_mib
    if delta < 0 and absolute:
        raise OpPrereqError(
            f"Requested size ({format_unit(amount_mib)}) is smaller than current disk size"
            f" ({format_unit(disk.size_mib)})",
            WRONG_STATE,
        )
    if delta < 0:
        raise OpPrereqError(f"Requested increment ({format_unit(delta)}) is negative")
    return disk, delta


def grow(
    job: Job,
    name: str,
    index: int,
    amount_mib: int,
    *,
    absolute: bool = False,
    wait_for_sync: bool = True,
) -> None:
    """Grow a disk (LUInstanceGrowDisk). Raises OpPrereqError, OpExecError."""
    instance = job.instance(name)
    job.check_online(instance.primary_node)
    disk, delta = check_growth(instance, index, amount_mib, absolute=absolute)
    well, _found = disks.assemble(job, instance, [disk])
    if not well:
        raise OpExecError("Cannot activate block device to grow")
    job.feedback(
        f"Growing disk {index} of instance '{instance.name}' by {format_unit(delta)}"
        f" to {format_unit(disk.size_mib + delta)}"
    )
    old_size = _grow(job, instance, disk, delta)
    disk.size_mib += delta
    job.save(instance)
    if old_size is not None:
        wiping.wipe(job, instance, [(index, disk)], old_size)
    _settle(job, instance, disk, wait_for_sync=wait_for_sync)


def _grow(job: Job, instance: Instance, disk: ClusterDisk, delta: int) -> int | None:
    """Grow a disk; return its real size in MiB before, if what is new has to be wiped."""
    old_size = None
    daemon = job.primary(instance)
    with raising(f"Dry-run grow request failed to node {daemon.name}"):
        daemon.blockdev_grow(disk, delta, dryrun=True, backingstore=True)
    if job.cluster.prealloc_wipe_disks:
        with raising(f"Failed to retrieve disk size from node '{daemon.name}'"):
            size = daemon.blockdev_size(disk)
        if size is None:
            raise OpExecError(
                f"Failed to retrieve disk size from primary node '{instance.primary_node}'"
            )
        old_size = -(-size // _MIB)
    with raising(f"Grow request failed to node {daemon.name}"):
        daemon.blockdev_grow(disk, delta, dryrun=False, backingstore=True)
        # Once more for the logical storage: there is none, but the device is looked for.
        daemon.blockdev_grow(disk, delta, dryrun=False, backingstore=False)
    return old_size


def _settle(job: Job, instance: Instance, disk: ClusterDisk, *, wait_for_sync: bool) -> None:
    if wait_for_sync:
        disks.wait_for_sync(job, instance)
        if not instance.disks_active:
            job.check_down(instance, "cannot shutdown disks")
            disks.shutdown(job, instance, [disk])
    elif not instance.disks_active:
        job.warning(
            "Not shutting down the disk even if the instance is not supposed to be running"
            " because no wait for sync mode was requested"
        )


def recreate(
    job: Job,
    name: str,
    changes: Mapping[int, Mapping[str, str | int]] | None = None,
    nodes: Sequence[str] = (),
) -> None:
    """Make an instance's disks again, under their old names (LUInstanceRecreateDisks).

    Args:
        job: The job.
        name: The instance's name.
        changes: The disks by their indices, with a new ``size`` (MiB) or ``mode``; None for all.
        nodes: Where to make them; the instance moves there. Only one node can be meant.

    Raises OpPrereqError, OpExecError.
    """
    instance = job.instance(name)
    targets = [job.node(node) for node in nodes] or [instance.primary_node]
    if len(targets) > 1:
        raise OpPrereqError(
            f"Instance {instance.name} currently has 1 nodes, but {len(targets)} replacement nodes"
            " were specified"
        )
    (target,) = targets
    job.check_online(target)
    if not instance.disks:
        raise OpPrereqError(f"Instance '{name}' has no disks")
    job.check_down(instance, "cannot recreate disks")
    wanted = changes or {index: {} for index in range(len(instance.disks))}
    _check_recreation(instance, wanted, moves=bool(nodes))
    for index, change in wanted.items():
        _change(instance.disks[index], change)
    if nodes:
        job.warning(
            "Changing the instance's nodes, you will have to remove any disks left on the older"
            " nodes manually"
        )
        instance.primary_node = target
    job.save(instance)
    chosen = [(index, disk) for index, disk in enumerate(instance.disks) if index in wanted]
    disks.create(job, instance, chosen, stored=True)


def _check_recreation(
    instance: Instance, wanted: Mapping[int, Mapping[str, str | int]], *, moves: bool
) -> None:
    for index, change in wanted.items():
        unknown = sorted(set(change) - {"size", "mode", "spindles"})
        if unknown:
            raise OpPrereqError(
                f"Parameters for disk {index} try to change unmodifyable parameter(s):"
                f" {', '.join(unknown)}"
            )
    if max(wanted) >= len(instance.disks):
        raise OpPrereqError(f"Invalid disk index '{max(wanted)}'")
    if moves and sorted(wanted) != list(range(len(instance.disks))):
        raise OpPrereqError("Can't recreate disks partially and change the nodes at the same time")


def _change(disk: ClusterDisk, change: Mapping[str, str | int]) -> None:
    disk.size_mib = int(change.get("size", disk.size_mib))
    disk.mode = str(change.get("mode", disk.mode))
