"""Zeroes on new disks, for clusters with ``--prealloc-wipe-disks``.

Source in Ganeti: WipeDisks in ``lib/cmdlib/instance_storage.py``, BlockdevWipe in
``lib/backend.py``. Each chunk is a call of its own, so each attaches the volume once more.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from extstorage.cluster.errors import raising
from extstorage.cluster.units import format_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from extstorage.cluster.job import Job
    from extstorage.cluster.model import ClusterDisk, Instance

_LARGEST_CHUNK_MIB = 1024
_CHUNK_PERCENT = 10
_REPORT_S = 60.0


def wipe(
    job: Job, instance: Instance, chosen: Sequence[tuple[int, ClusterDisk]], offset_mib: int = 0
) -> None:
    """Write zeroes on disks, given with their indices, from an offset on. Raises OpExecError."""
    daemon = job.primary(instance)
    disks = [disk for _index, disk in chosen]
    with raising(f"Failed to pause disk synchronization on node '{daemon.name}'"):
        daemon.blockdev_pause_resume_sync(disks)
    try:
        for index, disk in chosen:
            _wipe_one(job, instance, index, disk, offset_mib)
    finally:
        with raising(f"Failed to resume disk synchronization on node '{daemon.name}'"):
            daemon.blockdev_pause_resume_sync(disks)


def _wipe_one(job: Job, instance: Instance, index: int, disk: ClusterDisk, offset: int) -> None:
    size = disk.size_mib
    chunk = int(min(_LARGEST_CHUNK_MIB, size / 100 * _CHUNK_PERCENT))
    # Ganeti does not come to an end with a disk of less than 10 MiB, whose chunks are empty.
    chunk = max(chunk, 1)
    part = f" (from {format_unit(offset)} to {format_unit(size)})" if offset else ""
    job.info(f"* Wiping disk {index}{part}")
    began, reported = time.monotonic(), float("-inf")
    while offset < size:
        amount = min(chunk, size - offset)
        with raising(f"Could not wipe disk {index} at offset {offset} for size {amount}"):
            job.primary(instance).blockdev_wipe(disk, offset, amount)
        offset += amount
        now = time.monotonic()
        if now - reported >= _REPORT_S:
            eta = (size - offset) * (now - began) / offset
            job.info(f" - done: {offset / size * 100:.1f}% ETA: {round(eta)}s")
            reported = now
