"""``gnt-instance add`` (LUInstanceCreate in ``lib/cmdlib/instance_create.py``)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from extstorage.cluster import disks, names, placement, wiping
from extstorage.cluster.errors import OpExecError, OpPrereqError, ProtocolError, raising
from extstorage.cluster.model import EXT, FILE, UP, Instance, new_uuid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from extstorage.cluster.job import Job
    from extstorage.cluster.model import ClusterDisk

TEMPLATES = (EXT, FILE)


@dataclass(frozen=True)
class NewInstance:
    """What ``gnt-instance add`` was told.

    Attributes:
        name: The instance's name.
        template: ``ext`` or ``file``.
        disks: Each disk's description; sizes in MiB under ``size``.
        node: The primary node, or None to have one chosen.
        secondary: The secondary node, of which nothing is made here, or None.
        os: The OS definition's name, or None.
        install: Whether the OS is installed.
        start: Whether the instance is started.
        wait_for_sync: Whether to wait for the disks.
        backend: Back-end parameters, kept and shown.
    """

    name: str
    template: str
    disks: Sequence[Mapping[str, str | int]]
    node: str | None = None
    secondary: str | None = None
    os: str | None = None
    install: bool = True
    start: bool = True
    wait_for_sync: bool = True
    backend: Mapping[str, str] = field(default_factory=dict)


def replaced(
    wanted: NewInstance, *, disks: Sequence[Mapping[str, str | int]], os: str | None
) -> NewInstance:
    """Return the same wish with other disks and another OS."""
    return dataclasses.replace(wanted, disks=disks, os=os)


def arguments(job: Job, wanted: NewInstance) -> NewInstance:
    """Return the same wish as it is understood (CheckArguments). Raises OpPrereqError."""
    for given in wanted.disks:
        _check_types(given)
    start = wanted.start
    if start and not wanted.install:
        job.info("No-installation mode selected, disabling startup")
        start = False
    name = names.normalized(wanted.name)
    names.check_disk_names((None, _name(given)) for given in wanted.disks)
    for given in wanted.disks:
        if "adopt" in given:
            raise OpPrereqError(
                f"Disk adoption is not supported for the '{wanted.template}' disk template"
            )
    if wanted.secondary:
        job.warning("Secondary node will be ignored on non-mirrored disk template")
    return dataclasses.replace(wanted, name=name, start=start, secondary=None)


def check(job: Job, wanted: NewInstance) -> tuple[str, list[dict[str, str | int]]]:
    """Return the primary node and the disks' descriptions, or raise OpPrereqError."""
    job.check_new_name(wanted.name)
    descriptions = [disks.checked_description(given, wanted.template) for given in wanted.disks]
    node = _chosen(job, wanted) if wanted.node is None else job.node(wanted.node)
    job.check_online(node)
    for description in descriptions:
        disks.check_access(description)
    return node, descriptions


def _chosen(job: Job, wanted: NewInstance) -> str:
    node = placement.choose(job, set())
    job.info(
        f"Selected nodes for instance {wanted.name} via iallocator {placement.ALLOCATOR}: {node}"
    )
    return node


def _name(given: Mapping[str, str | int]) -> str | None:
    return str(given["name"]) if "name" in given else None


def _check_types(given: Mapping[str, str | int]) -> None:
    if given.get("provider") == "":
        raise ProtocolError(
            "Failed to parse request: SubmitJob: Can't parse value for 'disks': Can't parse value"
            " for 'provider': Received empty value for non-empty list"
        )
    if "" in given.values():
        raise OpPrereqError("Parameter 'OP_INSTANCE_CREATE.disks' fails validation")


def add(job: Job, wanted: NewInstance) -> Instance:
    """Add an instance. Raises OpPrereqError, OpExecError."""
    wanted = arguments(job, wanted)
    node, descriptions = check(job, wanted)
    instance = create(job, wanted, node, descriptions)
    if wanted.os and wanted.install and instance.disks:
        job.feedback("* running the instance OS create scripts...")
        with raising(f"Could not add os for instance {instance.name} on node {node}"):
            job.primary(instance).open_for_os(instance.disks)
    if wanted.start:
        instance.admin_state = UP
        # LUInstanceCreate writes the record with what it knows: the disks are active.
        instance.disks_active = True
        job.save(instance)
        job.feedback("* starting instance...")
        with raising("Could not start instance"):
            job.primary(instance).instance_start(instance)
    return instance


def create(
    job: Job, wanted: NewInstance, node: str, descriptions: Sequence[Mapping[str, str | int]]
) -> Instance:
    """Make an instance's disks and put it on record; nothing is on record if a disk fails."""
    directory = disks.file_directory(job, wanted.name)
    made = disks.generate(job, descriptions, wanted.template, directory=directory)
    instance = Instance(
        name=wanted.name,
        uuid=new_uuid(),
        primary_node=node,
        disk_template=wanted.template,
        os=wanted.os or "",
        backend=dict(wanted.backend),
    )
    job.feedback("* creating instance disks...")
    _make(job, instance, made)
    job.feedback(f"adding instance {instance.name} to cluster config")
    instance.disks = made
    job.feedback("adding disks to cluster config")
    job.save(instance)
    if job.cluster.prealloc_wipe_disks:
        job.feedback("* wiping instance disks...")
        wiping.wipe(job, instance, list(enumerate(made)))
    if wanted.wait_for_sync:
        # Twice, as LUInstanceCreate: after wiping the disks and after writing an image on them.
        disks.wait_for_sync(job, instance)
        disks.wait_for_sync(job, instance)
    return instance


def _make(job: Job, instance: Instance, made: Sequence[ClusterDisk]) -> None:
    try:
        disks.create(job, instance, list(enumerate(made)))
    except OpExecError:
        job.warning("Device creation failed")
        raise
