"""``gnt-instance modify -t``: other disks for an instance, with the same data.

Source in Ganeti: _ConvertInstanceDisks in ``lib/cmdlib/instance_set_params.py``, ComputeDisksInfo
in ``lib/cmdlib/instance_storage.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.cluster import disks
from extstorage.cluster.errors import OpExecError, OpPrereqError, RpcError
from extstorage.cluster.model import EXT, FILE
from extstorage.cluster.units import format_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from extstorage.cluster.job import Job
    from extstorage.cluster.model import ClusterDisk, Instance


def convert(
    job: Job, name: str, template: str, parameters: Mapping[str, str], *, wait_for_sync: bool
) -> None:
    """Move an instance's data to disks of another template or provider.

    Args:
        job: The job.
        name: The instance's name; it must be down.
        template: ``ext`` or ``file``.
        parameters: The new disks' ext-params, ``provider`` among them; empty for ``file``.
        wait_for_sync: Whether to tell that the disks are in sync.

    Raises OpPrereqError, OpExecError. If a disk cannot be copied, the new ones are removed and the
    instance stays as it was.
    """
    instance = job.instance(name)
    if EXT in (template, instance.disk_template) and not job.at_least("2.13"):
        raise OpPrereqError(
            f"Ganeti {job.cluster.release} converts no disk to or from ext: 2.13 does"
        )
    job.check_online(instance.primary_node)
    if template == instance.disk_template == FILE:
        raise OpPrereqError(f"Instance already has disk template {template}")
    job.check_down(instance, "cannot change disk template")
    descriptions = [
        _description(disk, n, template, parameters) for n, disk in enumerate(instance.disks)
    ]
    if not disks.shutdown(job, instance):
        raise OpExecError(
            "Cannot shutdown instance disks, unable to proceed with disk template conversion"
        )
    _Conversion(job, instance, template, parameters).run(descriptions, wait_for_sync=wait_for_sync)


def _description(
    disk: ClusterDisk, index: int, template: str, parameters: Mapping[str, str]
) -> dict[str, str | int]:
    given: dict[str, str | int] = {"size": disk.size_mib, "mode": disk.mode, **parameters}
    if disk.name is not None:
        given["name"] = disk.name
    found = disks.checked_description(given, template)
    if disk.template == template == EXT and disk.driver == parameters["provider"]:
        raise OpPrereqError(
            f"Not converting, 'disk/{index}' of type ExtStorage already using provider"
            f" '{disk.driver}'"
        )
    return found


class _Conversion:
    """One conversion: new disks, their data, then the old ones."""

    def __init__(
        self, job: Job, instance: Instance, template: str, parameters: Mapping[str, str]
    ) -> None:
        self._job = job
        self._instance = instance
        self._template = template
        self._old_template = instance.disk_template
        provider = parameters.get("provider")
        self._name = f"{template}:{provider}" if template == EXT else template

    def run(self, descriptions: Sequence[Mapping[str, str | int]], *, wait_for_sync: bool) -> None:
        job, instance = self._job, self._instance
        job.feedback(f"Converting disk template from '{self._old_template}' to '{self._name}'")
        job.feedback(f"Generating new '{self._name}' disk template...")
        directory = disks.file_directory(job, instance.name)
        new = disks.generate(job, descriptions, self._template, directory=directory)
        self._make(new)
        old = instance.disks
        self._copy(old, new)
        job.feedback(
            f"Detaching old disks ({self._old_template}) from the instance and removing them from"
            " cluster config"
        )
        job.feedback(
            f"Adding new disks ({self._name}) to cluster config and attaching them to the instance"
        )
        instance.disks, instance.disk_template = new, self._template
        job.save(instance)
        disks.wait_for_sync(job, instance, once=not wait_for_sync)
        job.feedback(f"Removing old block devices of type '{self._old_template}'...")
        disks.remove(job, instance, [(None, disk) for disk in old])

    def _make(self, new: Sequence[ClusterDisk]) -> None:
        self._job.feedback(f"Creating new empty disks of type '{self._name}'...")
        try:
            disks.create(self._job, self._instance, list(enumerate(new)))
        except OpExecError:
            self._job.warning("Device creation failed")
            raise

    def _copy(self, old: Sequence[ClusterDisk], new: Sequence[ClusterDisk]) -> None:
        job = self._job
        job.feedback(f"Populating the new empty disks of type '{self._name}'...")
        for index, (source, target) in enumerate(zip(old, new, strict=True)):
            job.feedback(
                f" - copying data from disk {index} ({source.template}),"
                f" size {format_unit(target.size_mib)}"
            )
            try:
                job.primary(self._instance).blockdev_copy(source, target)
            except RpcError as error:
                self._give_up(source, target, new)
                text = f"Error while converting the instance's template: {error}"
                raise OpExecError(text) from error

    def _give_up(
        self, source: ClusterDisk, target: ClusterDisk, new: Sequence[ClusterDisk]
    ) -> None:
        job = self._job
        job.feedback(f" - ERROR: Could not copy disk '{source.location}' to '{target.location}'")
        job.info("Some disks failed to copy")
        job.info("The instance will not be affected, aborting operation")
        job.info(f"Removing newly created disks of type '{self._name}'...")
        disks.remove(job, self._instance, [(None, disk) for disk in new])
        job.info("Newly created disks removed successfully")
