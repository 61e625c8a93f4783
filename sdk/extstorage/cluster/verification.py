"""What ``gnt-cluster`` does with disks: verify, verify-disks, repair-disk-sizes.

Source in Ganeti: ``lib/cmdlib/cluster/verify.py``, LUClusterRepairDiskSizes in
``lib/cmdlib/cluster/__init__.py``, LUGroupVerifyDisks in ``lib/cmdlib/group.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.cluster import disks
from extstorage.cluster.errors import OpExecError, OpPrereqError, RpcError
from extstorage.cluster.model import EXT, UP
from extstorage.contract.releases import release

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from extstorage.cluster.job import Job
    from extstorage.cluster.model import ClusterDisk, Instance

_MIB = 1 << 20


class Verifier:
    """One verification of all groups: every disk is attached, on its primary node, and left so.

    Of what Ganeti verifies it does what has to do with instances and their disks; nodes'
    certificates, memory and hooks are not there to be looked at.

    Attributes:
        failed: Whether an error was told.
    """

    def __init__(self, job: Job, *, error_codes: bool = False) -> None:
        self.failed = False
        self._job = job
        self._error_codes = error_codes

    def verify_configuration(self) -> None:
        """Tell what the first of Ganeti's two jobs tells."""
        for what in (
            "cluster config", "cluster certificate files", "hypervisor parameters",
            "all nodes belong to an existing group",
        ):  # fmt: skip
            self._job.feedback(f"* Verifying {what}")

    def verify_group(self) -> None:
        """Attach all disks and compare where instances run with where they should."""
        job = self._job
        job.feedback("* Verifying group 'default'")
        count = f"({len(job.cluster.nodes)} nodes)"
        job.feedback(f"* Gathering data {count}")
        job.feedback(f"* Gathering information about nodes {count}")
        running = {entry.name: self._running(entry.name) for entry in job.cluster.nodes}
        job.feedback(f"* Gathering disk information {count}")
        instances = [job.instance(name) for name in job.state.instance_names()]
        status = {instance.name: self._disks(instance) for instance in instances}
        job.feedback("* Verifying configuration file consistency")
        job.feedback("* Verifying node status")
        for node, names in running.items():
            self._verify_node(node, names, instances)
        job.feedback("* Verifying instance status")
        for instance in instances:
            self._verify_instance(instance, running, status[instance.name])
        for what in ("Verifying orphan volumes", "Verifying N+1 Memory redundancy", "Other Notes",
                     "Hooks Results"):  # fmt: skip
            job.feedback(f"* {what}")

    def _running(self, node: str) -> Sequence[str] | None:
        if self._job.daemon(node).offline:
            return None
        try:
            return self._job.daemon(node).instance_list()
        except RpcError:
            return None

    def _disks(self, instance: Instance) -> list[str | None]:
        """Return for each disk why it has no device, or None."""
        daemon = self._job.primary(instance)
        found: list[str | None] = []
        for disk in instance.disks:
            if disk.template != EXT:
                found.append(None)
                continue
            try:
                found.append(None if daemon.blockdev_find(disk) else "can't find device")
            except RpcError as error:
                found.append(str(error).removeprefix("Failed to find device: "))
        return found

    def _verify_node(
        self, node: str, running: Sequence[str] | None, instances: Sequence[Instance]
    ) -> None:
        if running is None:
            if not self._job.daemon(node).offline:
                self._error("ENODERPC", "node", node, "while contacting node: no answer")
            return
        places = {instance.name: instance.primary_node for instance in instances}
        for name in running:
            if places.get(name, node) != node:
                text = f"instance should not run on node {node}"
                self._error("EINSTANCEWRONGNODE", "instance", name, text)
            elif name not in places:
                text = f"instance {name} is running but unknown"
                self._error("ENODEORPHANINSTANCE", "node", node, text)

    def _verify_instance(
        self,
        instance: Instance,
        running: dict[str, Sequence[str] | None],
        status: Sequence[str | None],
    ) -> None:
        node = instance.primary_node
        here = running[node]
        if instance.admin_state == UP and here is not None and instance.name not in here:
            text = f"instance not running on its primary node {node}"
            self._error("EINSTANCEDOWN", "instance", instance.name, text)
        for index, trouble in enumerate(status):
            if instance.disks_active and trouble is not None:
                text = f"couldn't retrieve status for disk/{index} on {node}: {trouble}"
                self._error("EINSTANCEFAULTYDISK", "instance", instance.name, text)

    def _error(self, code: str, kind: str, name: str, text: str) -> None:
        self.failed = True
        where = f"{code}:{kind}:{name}:" if self._error_codes else f" {kind} {name}: "
        encoded = text.replace("\n", r"\n")
        self._job.feedback(f"  - ERROR:{where}{encoded}")


def repair_disk_sizes(job: Job, names: Sequence[str]) -> None:
    """Put each disk's real size on record; the disks stay attached. Raises OpExecError."""
    if names:
        for name in names:
            job.instance(name)
        raise OpExecError(
            "Ganeti ends here with an internal assertion: name no instance, and all are looked at"
        )
    for name in job.state.instance_names():
        instance = job.instance(name)
        for index, size in enumerate(_sizes(job, instance)):
            disk = instance.disks[index]
            if size is None:
                job.warning(
                    f"Disk {index} of instance {name} did not return size information, ignoring"
                )
            elif size != disk.size_mib:
                job.info(
                    f"Disk {index} of instance {name} has mismatched size, correcting: recorded"
                    f" {disk.size_mib}, actual {size}"
                )
                disk.size_mib = size
                job.save(instance)


def _sizes(job: Job, instance: Instance) -> Iterator[int | None]:
    for disk in instance.disks:
        yield _size(job, instance, disk)


def _size(job: Job, instance: Instance, disk: ClusterDisk) -> int | None:
    try:
        size = job.primary(instance).blockdev_size(disk)
    except RpcError:
        return None
    return None if size is None else size // _MIB


def set_disk_parameters(job: Job, template: str, given: Mapping[str, str | bool | None]) -> None:
    """Take disk parameters of the whole cluster: ext has ``access`` alone. Raises OpPrereqError.

    There is one value that the guests here can be given, so there is nothing to keep.
    """
    known = {"access"} if release(job.cluster.release).at_least("2.13") else set()
    unknown = [name for name in given if template != EXT or name not in known]
    if unknown:
        keys = ", ".join(f"{template}/{name}" for name in unknown)
        raise OpPrereqError(
            "While verify diskparams options:"
            f" ('Provided option keys not supported: {keys}', 'wrong_input')"
        )
    disks.check_access(given)
