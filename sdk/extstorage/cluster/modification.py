"""``gnt-instance modify --disk`` (LUInstanceSetParams in ``lib/cmdlib/instance_set_params.py``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from extstorage.cluster import disks, wiping
from extstorage.cluster.errors import UNKNOWN, WRONG_STATE, OpPrereqError
from extstorage.cluster.model import EXT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from extstorage.cluster.job import Job
    from extstorage.cluster.model import ClusterDisk, Instance

ADD = "add"
ATTACH = "attach"
REMOVE = "remove"
DETACH = "detach"
MODIFY = "modify"
ACTIONS = (ADD, ATTACH, REMOVE, DETACH, MODIFY)
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
    changes = []
    for modification in modifications:
        changes += _ACTS[modification.action](job, instance, modification, options)
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
        _slot(instance, wanted.disk)
        return
    if wanted.action == MODIFY:
        _check_changes(instance, given)
    if wanted.action == REMOVE:
        text = "can't remove volume from a running instance without using hotplug"
        job.check_down(instance, text)
    _found(instance, wanted.disk)


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


def _found(instance: Instance, identifier: str) -> tuple[int, ClusterDisk]:
    # GetItemFromContainer
    try:
        index = int(identifier)
    except ValueError:
        for number, disk in enumerate(instance.disks):
            if identifier in (disk.uuid, disk.name):
                return number, disk
        raise OpPrereqError(f"Cannot find disk with identifier {identifier}", UNKNOWN) from None
    if index == -1:
        index = len(instance.disks) - 1
    if not 0 <= index < len(instance.disks):
        raise OpPrereqError(
            f"Got disk index {identifier}, but there are only {len(instance.disks)}"
        )
    return index, instance.disks[index]


def _slot(instance: Instance, identifier: str) -> int:
    # GetIndexFromIdentifier
    try:
        index = int(identifier)
    except ValueError:
        raise OpPrereqError(
            "Only positive integer or -1 is accepted as identifier for add"
        ) from None
    if index == -1:
        return len(instance.disks)
    if not 0 <= index <= len(instance.disks):
        raise OpPrereqError(f"Got disk index {index}, but there are only {len(instance.disks)}")
    return index


def _add(
    job: Job, instance: Instance, wanted: Modification, options: Options
) -> list[tuple[str, str]]:
    index = _slot(instance, wanted.disk)
    description = disks.checked_description(wanted.parameters, instance.disk_template)
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
    job: Job, instance: Instance, wanted: Modification, options: Options
) -> list[tuple[str, str]]:
    index = _slot(instance, wanted.disk)
    wished = str(wanted.parameters.get("uuid", wanted.parameters.get("name")))
    found = [disk for disk in job.state.detached_disks() if wished in (disk.uuid, disk.name)]
    if len(found) != 1:
        raise OpPrereqError(f"No disk was found with this identifier: {wished}", UNKNOWN)
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
    job: Job, instance: Instance, wanted: Modification, _options: Options
) -> list[tuple[str, str]]:
    index, disk = _found(instance, wanted.disk)
    given = {name: str(value) for name, value in wanted.parameters.items()}
    changes = []
    if "mode" in given:
        disk.mode = given["mode"]
        changes.append((f"disk.mode/{index}", disk.mode))
    if "name" in given:
        disk.name = None if given["name"].lower() == "none" else given["name"]
        changes.append((f"disk.name/{index}", str(disk.name)))
    for name, value in given.items():
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
    job: Job, instance: Instance, wanted: Modification, _options: Options
) -> list[tuple[str, str]]:
    index, disk = _found(instance, wanted.disk)
    disks.remove(job, instance, [(index, disk)])
    instance.disks.remove(disk)
    job.save(instance)
    return [(f"disk/{index}", "remove")]


def _detach(
    job: Job, instance: Instance, wanted: Modification, _options: Options
) -> list[tuple[str, str]]:
    index, disk = _found(instance, wanted.disk)
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
