"""``gnt-instance rename`` and ``reinstall``.

Source in Ganeti: LUInstanceRename, LUInstanceReinstall.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from extstorage.cluster import disks, names
from extstorage.cluster.errors import OpPrereqError, RpcError, raising
from extstorage.cluster.model import FILE

if TYPE_CHECKING:
    from extstorage.cluster.job import Job
    from extstorage.cluster.model import Instance


def rename(job: Job, name: str, new_name: str) -> str:
    """Rename a stopped instance; return its new name. Raises OpPrereqError, OpExecError.

    The volumes keep their names; their metadata changes. File disks move to another directory.
    """
    instance = job.instance(name)
    new_name = names.normalized(new_name)
    job.check_online(instance.primary_node)
    job.check_down(instance, "cannot rename")
    if new_name != instance.name:
        job.check_new_name(new_name)
        _rename(job, instance, new_name)
    disks.start(job, instance)
    _describe(job, instance)
    try:
        job.primary(instance).open_for_os(instance.disks)
    except RpcError as error:
        job.warning(
            f"Could not run OS rename script for instance {instance.name} on node"
            f" {instance.primary_node} (but the instance has been renamed in Ganeti): {error}"
        )
    finally:
        disks.shutdown(job, instance)
    return instance.name


def _rename(job: Job, instance: Instance, new_name: str) -> None:
    """Give an instance its new name, and its file disks a directory of that name."""
    files = [disk for disk in instance.disks if disk.template == FILE]
    new = disks.file_directory(job, new_name)
    old = posixpath.dirname(files[0].location) if files else new
    for disk in files:
        disk.location = f"{new}/{posixpath.basename(disk.location)}"
    job.state.rename_instance(instance, new_name)
    if files:
        with raising(
            f"Could not rename on node {instance.primary_node} directory '{old}' to '{new}' (but"
            " the instance has been renamed in Ganeti)"
        ):
            job.primary(instance).file_directory_rename(old, new)


def _describe(job: Job, instance: Instance) -> None:
    for index, disk in enumerate(instance.disks):
        try:
            job.primary(instance).blockdev_setinfo(disk, instance.metadata)
        except RpcError as error:
            job.warning(
                f"Error setting info on node {instance.primary_node} for disk {index}: {error}"
            )


def reinstall(job: Job, name: str, os: str | None = None) -> None:
    """Make a stopped instance's disks ready for the OS scripts. Raises OpPrereqError, OpExecError.

    The scripts themselves have no place here: what they would write is the guest's.
    """
    instance = job.instance(name)
    job.check_online(instance.primary_node, "Instance primary node offline, cannot reinstall")
    if not instance.disks:
        raise OpPrereqError(f"Instance '{name}' has no disks")
    job.check_down(instance, "cannot reinstall")
    if os is not None:
        job.feedback(f"Changing OS scripts to '{os}'...")
        instance.os = os
    if not instance.os:
        job.info(
            "No OS scripts or OS image specified or found in the instance's configuration,"
            " nothing to install"
        )
        return
    job.save(instance)
    disks.start(job, instance)
    try:
        job.info("Running instance OS create scripts...")
        with raising(
            f"Could not install OS for instance '{instance.name}' on node '{instance.primary_node}'"
        ):
            job.primary(instance).open_for_os(instance.disks)
    finally:
        disks.shutdown(job, instance)
