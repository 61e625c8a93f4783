"""Starting, stopping and rebooting (``lib/cmdlib/instance_operation.py``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.cluster import disks
from extstorage.cluster.errors import OpExecError, RpcError, raising
from extstorage.cluster.model import DOWN, UP

if TYPE_CHECKING:
    from extstorage.cluster.job import Job

REBOOT_TYPES = ("soft", "hard", "full")


def startup(job: Job, name: str, *, force: bool = False) -> None:
    """Start an instance (LUInstanceStartup). Raises OpPrereqError, OpExecError."""
    instance = job.instance(name)
    job.check_online(instance.primary_node)
    instance.admin_state = UP
    instance.disks_active = True
    job.save(instance)
    disks.start(job, instance, force=force)
    try:
        job.primary(instance).instance_start(instance)
    except RpcError as error:
        disks.shutdown(job, instance)
        raise OpExecError(f"Could not start instance '{instance.name}': {error}") from error


def shutdown(job: Job, name: str, *, force: bool = False) -> None:
    """Stop an instance (LUInstanceShutdown). Raises OpPrereqError, OpExecError."""
    instance = job.instance(name)
    if force:
        job.warning("Ignoring offline instance check")
    job.check_online(instance.primary_node)
    instance.admin_state = DOWN
    instance.disks_active = False
    job.save(instance)
    with raising("Could not shutdown instance"):
        job.primary(instance).instance_shutdown(instance.name)
    disks.shutdown(job, instance)


def reboot(job: Job, name: str, kind: str) -> None:
    """Reboot an instance: soft, hard or full (LUInstanceReboot).

    Raises OpPrereqError, OpExecError.
    """
    instance = job.instance(name)
    job.check_online(instance.primary_node)
    daemon = job.primary(instance)
    running = job.runs(instance)
    if running and kind != "full":
        with raising("Could not reboot instance"):
            daemon.instance_reboot(instance, kind)
    else:
        _restart(job, name, running=running)
        instance = job.instance(name)
    instance.admin_state = UP
    instance.disks_active = True
    job.save(instance)


def _restart(job: Job, name: str, *, running: bool) -> None:
    instance = job.instance(name)
    daemon = job.primary(instance)
    if running:
        with raising("Could not shutdown instance for full reboot"):
            daemon.instance_shutdown(instance.name)
        disks.shutdown(job, instance)
    else:
        job.info(f"Instance {instance.name} was already stopped, starting now")
    disks.start(job, instance, force=False)
    try:
        daemon.instance_start(instance)
    except RpcError as error:
        disks.shutdown(job, instance)
        raise OpExecError(f"Could not start instance for full reboot: {error}") from error
