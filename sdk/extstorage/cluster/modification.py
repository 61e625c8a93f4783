"""``gnt-instance modify --disk`` (LUInstanceSetParams in ``lib/cmdlib/instance_set_params.py``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extstorage.cluster import containers, disks, wiping
from extstorage.cluster.containers import ADD, ATTACH, DETACH, MODIFY, REMOVE
from extstorage.cluster.errors import WRONG_STATE, OpExecError, OpPrereqError
from extstorage.cluster.model import EXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from extstorage.cluster.job import Job
    from extstorage.cluster.model import ClusterDisk, Instance

_Parameters = Mapping[str, str | int]
_CHANGEABLE = ("mode", "name")
_NO_HOTPLUG = "Hotplug is not supported: Hotplug is not supported by this hypervisor"


@dataclass(frozen=True)
class Modification:
    """One ``--disk`` option: what to do, to which disk (index, name or UUID), with what."""

    action: str
    disk: str
    parameters: dict[str, str | int]


@dataclass(frozen=True)
class Options:
    """How to go about it; hot-plugging is beyond the hypervisor here."""

    wait_for_sync: bool = True
    hotplug: bool = False
    hotplug_if_possible: bool = False


def modify(
    job: Job, name: str, modifications: Sequence[Modification], options: Options
) -> list[tuple[str, str]]:
    """Change an instance's disks; return the changes as Ganeti lists them.

    Everything is checked before anything is done. Raises OpPrereqError, OpExecError.
    """
    instance = job.instance(name)
    job.check_online(instance.primary_node)
    if options.hotplug and not job.at_least("3.1"):
        raise OpPrereqError(f"Hotplug is not possible: {_NO_HOTPLUG}: {_NO_HOTPLUG}", WRONG_STATE)
    if options.hotplug or options.hotplug_if_possible:
        job.warning(_NO_HOTPLUG)
        job.info("Modification will take place without hotplugging.")
    for modification in modifications:
        _check(job, instance, modification, options)
    indices = [containers.lookup(instance.disks, wanted.disk) for wanted in modifications]
    containers.rehearse(
        instance.disks,
        [(m.action, index, m.parameters) for m, index in zip(modifications, indices, strict=True)],
    )
    changes = []
    for wanted, index in zip(modifications, indices, strict=True):
        changes += _ACTS[wanted.action](job, instance, index, wanted.parameters, options)
    return changes


def _check(job: Job, instance: Instance, wanted: Modification, options: Options) -> None:
    given = wanted.parameters
    _check_release(job, instance, wanted)
    if wanted.action == ADD:
        mode = given.get("mode", "rw")
        if mode not in disks.MODES:
            raise OpPrereqError(f"Invalid disk access mode '{mode}'")
    if wanted.action in (ADD, ATTACH):
        _check_new(job, instance, wanted, options)
    if wanted.action == MODIFY:
        _check_changes(instance, given)
    if wanted.action == REMOVE:
        text = "can't remove volume from a running instance without using hotplug"
        job.check_down(instance, text)


def _check_release(job: Job, instance: Instance, wanted: Modification) -> None:
    """Refuse what the release that is acted as did not know yet."""
    if wanted.action in (ATTACH, DETACH) and not job.at_least("2.16"):
        raise OpPrereqError(
            f"Ganeti {job.cluster.release} has no --disk N:{wanted.action}: 2.16 has"
        )
    own = {"size", "mode", "name"}
    if instance.disk_template == EXT and not job.at_least("2.10") and set(wanted.parameters) - own:
        raise OpPrereqError(
            f"Ganeti {job.cluster.release} takes no ext-params with modify --disk: 2.10 does"
        )


def _check_new(job: Job, instance: Instance, wanted: Modification, options: Options) -> None:
    # Up to 3.0 this comes first for a disk to be attached too, so that no ext disk can be.
    if wanted.action == ADD or not job.at_least("3.1"):
        disks.check_provider(wanted.parameters, instance.disk_template)
    if not (options.wait_for_sync or instance.disks_active):
        raise OpPrereqError(
            f"Can't {wanted.action} a disk to an instance with deactivated disks and"
            " --no-wait-for-sync given"
        )
    disks.check_access(wanted.parameters)
    if wanted.action == ATTACH and (
        len(wanted.parameters) != 1 or not {"uuid", "name"} & set(wanted.parameters)
    ):
        raise OpPrereqError("Only one argument is permitted in attach op, either name or uuid")
    if wanted.action == ATTACH and not _wished(
        [*job.state.detached_disks(), *instance.disks], wanted.parameters
    ):
        ((kind, wished),) = wanted.parameters.items()
        kind = "UUID" if kind == "uuid" else kind
        raise OpPrereqError(f"No disk was found with this {kind}: {wished}")


def _wished(found: Iterable[ClusterDisk], given: _Parameters) -> list[ClusterDisk]:
    # GenericGetDiskInfo
    ((kind, wished),) = given.items()
    return [disk for disk in found if wished == (disk.uuid if kind == "uuid" else disk.name)]


def _check_changes(instance: Instance, given: dict[str, str | int]) -> None:
    if "size" in given:
        raise OpPrereqError("Disk size change not possible, use grow-disk")
    if instance.disk_template != EXT:
        for name in given:
            if name not in _CHANGEABLE:
                raise OpPrereqError(f"Unknown parameter '{name}'")
    for name in ("access", "provider"):
        if name in given:
            raise OpPrereqError(f"Disk '{name}' parameter change is not possible")


def _add(
    job: Job, instance: Instance, where: int, given: _Parameters, options: Options
) -> list[tuple[str, str]]:
    index = containers.slot(len(instance.disks), where)
    description = disks.checked_description(given, instance.disk_template)
    directory = disks.file_directory(job, instance.name)
    (disk,) = disks.generate(job, [description], instance.disk_template, index, directory=directory)
    disks.create(job, instance, [(index, disk)])
    instance.disks.insert(index, disk)
    job.save(instance)
    if job.cluster.prealloc_wipe_disks:
        wiping.wipe(job, instance, [(index, disk)])
    disks.wait_for_sync(job, instance, once=not options.wait_for_sync)
    if not instance.disks_active:
        disks.shutdown(job, instance, [disk])
    return [(f"disk/{index}", f"add:size={disk.size_mib},mode={disk.mode}")]


def _attach(
    job: Job, instance: Instance, where: int, given: _Parameters, options: Options
) -> list[tuple[str, str]]:
    index = containers.slot(len(instance.disks), where)
    found = _wished(job.state.detached_disks(), given)
    if len(found) != 1:
        # Passed the check because an instance has it, and no change before has detached it.
        raise OpExecError(f"Disk {next(iter(given.values()))} is not detached")
    (disk,) = found
    instance.disks.insert(index, disk)
    job.save(instance)
    job.state.remove_detached(disk)
    changes = [(f"disk/{index}", f"attach:size={disk.size_mib},mode={disk.mode}")]
    well, _devices = disks.assemble(job, instance, [disk])
    if not well:
        return [*changes, (f"disk/{index}", "assemble:failed")]
    disks.wait_for_sync(job, instance, once=not options.wait_for_sync)
    if not instance.disks_active:
        disks.shutdown(job, instance, [disk])
    return changes


def _modify(
    job: Job, instance: Instance, where: int, given: _Parameters, _options: Options
) -> list[tuple[str, str]]:
    index = containers.place(len(instance.disks), where)
    disk = instance.disks[index]
    texts = {name: str(value) for name, value in given.items()}
    changes = []
    if "mode" in texts:
        disk.mode = texts["mode"]
        changes.append((f"disk.mode/{index}", disk.mode))
    if "name" in texts:
        disk.name = None if texts["name"].lower() == "none" else texts["name"]
        changes.append((f"disk.name/{index}", str(disk.name)))
    for name, value in texts.items():
        if name in _CHANGEABLE:
            continue
        if value.lower() == "default":
            disk.parameters.pop(name, None)
        else:
            disk.parameters[name] = value
        changes.append((f"disk.params:{name}/{index}", value))
    job.save(instance)
    return changes


def _remove(
    job: Job, instance: Instance, where: int, _given: _Parameters, _options: Options
) -> list[tuple[str, str]]:
    index = containers.place(len(instance.disks), where)
    disk = instance.disks[index]
    disks.remove(job, instance, [(index, disk)])
    instance.disks.remove(disk)
    job.save(instance)
    return [(f"disk/{index}", "remove")]


def _detach(
    job: Job, instance: Instance, where: int, _given: _Parameters, _options: Options
) -> list[tuple[str, str]]:
    index = containers.place(len(instance.disks), where)
    disk = instance.disks[index]
    disks.shutdown(job, instance, [disk])
    # On record as detached first: a disk that is on record twice can be found, one that is
    # nowhere cannot.
    job.state.save_detached(disk)
    instance.disks.remove(disk)
    job.save(instance)
    return [(f"disk/{index}", "detach")]


_ACTS = {ADD: _add, ATTACH: _attach, MODIFY: _modify, REMOVE: _remove, DETACH: _detach}


def new_primary(job: Job, name: str, node: str) -> None:
    """Change only the record of where an instance is; it must not run. Raises OpPrereqError."""
    instance = job.instance(name)
    target = job.node(node)
    if job.runs(instance):
        raise OpPrereqError(f"Instance is still running on {instance.primary_node}", WRONG_STATE)
    instance.primary_node = target
    job.save(instance)
