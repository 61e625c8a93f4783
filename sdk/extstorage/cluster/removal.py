"""``gnt-instance remove`` (LUInstanceRemove, RemoveInstance)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.cluster import disks
from extstorage.cluster.errors import OpExecError, RpcError

if TYPE_CHECKING:
    from extstorage.cluster.job import Job
    from extstorage.cluster.model import Instance


def remove(job: Job, name: str, *, ignore_failures: bool = False) -> None:
    """Stop an instance and delete its disks. Raises OpPrereqError, OpExecError.

    A volume that cannot be attached counts as deleted, as in Ganeti: it stays behind.
    """
    instance = job.instance(name)
    node = instance.primary_node
    try:
        job.primary(instance).instance_shutdown(instance.name)
    except RpcError as error:
        if not ignore_failures:
            raise OpExecError(
                f"Could not shutdown instance {instance.name} on node {node}: {error}"
            ) from error
        job.feedback(f"Warning: can't shutdown instance: {error}")
    forget(job, instance, ignore_failures=ignore_failures)


def forget(job: Job, instance: Instance, *, ignore_failures: bool) -> None:
    """Delete a stopped instance's disks and its record."""
    if not disks.remove(job, instance, list(enumerate(instance.disks))):
        if not ignore_failures:
            raise OpExecError("Can't remove instance's disks")
        job.feedback("Warning: can't remove instance's disks")
    job.state.remove_instance(instance)
