"""``gnt-instance info`` and ``list`` (``lib/cmdlib/instance_query.py``, ``gnt_instance.py``)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from extstorage.cluster.errors import UNKNOWN, OpPrereqError, RpcError, raising
from extstorage.cluster.model import UP
from extstorage.cluster.units import format_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from extstorage.cluster.job import Job
    from extstorage.cluster.model import ClusterDisk, Instance
    from extstorage.cluster.rpc import DeviceStatus

HYPERVISOR = "fake"
_MEMORY_MIB = 128
_BACKEND = {
    "always_failover": "False",
    "auto_balance": "True",
    "maxmem": str(_MEMORY_MIB),
    "memory": "",
    "minmem": str(_MEMORY_MIB),
    "spindle_use": "1",
    "vcpus": "1",
}


def info(job: Job, name: str, *, static: bool) -> Iterator[str]:
    """Yield the lines of ``gnt-instance info``; without ``static``, each disk is attached.

    Raises OpPrereqError, OpExecError.
    """
    instance = job.instance(name)
    running = None
    # Everything is asked before anything is shown.
    found = [None if static else _device(job, instance, disk) for disk in instance.disks]
    if not static and not job.cluster.node(instance.primary_node).offline:
        running = job.runs(instance)
    yield f"- Instance name: {instance.name}"
    yield f"  UUID: {instance.uuid}"
    yield f"  Serial number: {instance.serial}"
    yield f"  Creation time: {_time(instance.created)}"
    yield f"  Modification time: {_time(instance.changed)}"
    actual = "" if running is None else f", actual state is {'up' if running else 'down'}"
    yield f"  State: configured to be {instance.admin_state}{actual}"
    yield from _placed(job, instance)
    yield from _parameters(instance)
    yield f"  Disk template: {instance.disk_template}"
    yield "  Disks: "
    for index, disk in enumerate(instance.disks):
        yield from _disk(index, disk, found[index])


def _time(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def _placed(job: Job, instance: Instance) -> Iterator[str]:
    group = job.cluster.node(instance.primary_node).group
    yield "  Nodes: "
    yield f"    - primary: {instance.primary_node}"
    yield f"      group: {group} (UUID {job.cluster.groups[group]})"
    yield "    - secondaries: "


def _parameters(instance: Instance) -> Iterator[str]:
    yield f"  Operating system: {instance.os or 'None'}"
    yield "  Operating system parameters: "
    yield "  Allocated network port: None"
    yield f"  Hypervisor: {HYPERVISOR}"
    yield "  Hypervisor parameters: "
    yield "  Back-end parameters: "
    memory = instance.backend.get("memory")
    given = dict(instance.backend)
    if memory is not None:
        given |= {"maxmem": memory, "minmem": memory}
        del given["memory"]
    for name, default in _BACKEND.items():
        value = given.get(name)
        filled = given.get("maxmem", default) if name == "memory" else default
        yield f"    {name}: {value or f'default ({filled or _MEMORY_MIB})'}"
    yield "  NICs: "


def _device(job: Job, instance: Instance, disk: ClusterDisk) -> DeviceStatus | None:
    if job.cluster.node(instance.primary_node).offline:
        return None
    daemon = job.primary(instance)
    with raising(f"Can't compute disk status for {instance.name}"):
        return daemon.blockdev_find(disk)


def _disk(index: int, disk: ClusterDisk, found: DeviceStatus | None) -> Iterator[str]:
    yield f"    - disk/{index}: {disk.template}, size {format_unit(disk.size_mib)}"
    yield f"      access mode: {disk.mode}"
    yield f"      logical_id: {[disk.driver, disk.location]}"
    if found:
        numbers = "N/A" if found.major is None else f"{found.major}:{found.minor}"
        yield f"      on primary: {found.dev_path} ({numbers})"
    yield f"      name: {disk.name}"
    yield f"      UUID: {disk.uuid}"


DEFAULT_FIELDS = ("name", "hypervisor", "os", "pnode", "status", "oper_ram")
_TITLES = {
    "name": "Instance",
    "hypervisor": "Hypervisor",
    "os": "OS",
    "pnode": "Primary_node",
    "status": "Status",
    "oper_ram": "Memory",
    "disk_usage": "DiskUsage",
    "disk.sizes": "Disk_sizes",
    "disk_template": "Disk_template",
    "disk.count": "Disks",
    "disk.names": "Disk_names",
    "disk.uuids": "Disk_UUIDs",
    "admin_state": "InstanceState",
    "uuid": "UUID",
}
_UNKNOWN = "??"
_RIGHT = {"oper_ram", "disk_usage", "disk.count"}


def _status(job: Job, instance: Instance, where: Mapping[str, Sequence[str] | None]) -> str:
    if job.cluster.node(instance.primary_node).offline:
        return "ERROR_nodeoffline"
    here = where[instance.primary_node]
    if here is None:
        return "ERROR_nodedown"
    if instance.name in here:
        return "running" if instance.admin_state == UP else "ERROR_up"
    if any(names and instance.name in names for names in where.values()):
        return "ERROR_wrongnode"
    return "ERROR_down" if instance.admin_state == UP else "ADMIN_down"


def _running(job: Job, node: str) -> Sequence[str] | None:
    try:
        return job.daemon(node).instance_list()
    except RpcError:
        return None


def _fields(instance: Instance, status: str) -> dict[str, Callable[[], str]]:
    disks = instance.disks
    memory = int(instance.backend.get("memory", _MEMORY_MIB))
    return {
        "name": lambda: instance.name,
        "hypervisor": lambda: HYPERVISOR,
        "os": lambda: instance.os,
        "pnode": lambda: instance.primary_node,
        "status": lambda: status,
        "oper_ram": lambda: format_unit(memory) if status in ("running", "ERROR_up") else "-",
        "disk_usage": lambda: format_unit(sum(disk.size_mib for disk in disks)),
        "disk.sizes": lambda: ",".join(str(disk.size_mib) for disk in disks),
        "disk_template": lambda: instance.disk_template,
        "disk.count": lambda: str(len(disks)),
        "disk.names": lambda: ",".join(str(disk.name or "-") for disk in disks),
        "disk.uuids": lambda: ",".join(disk.uuid for disk in disks),
        "admin_state": lambda: instance.admin_state,
        "uuid": lambda: instance.uuid,
    }


def table(job: Job, names: Sequence[str], fields: Sequence[str]) -> list[list[str]]:
    """Return the rows of ``gnt-instance list``, the titles first. Raises OpPrereqError.

    A field that is unknown has its name for a title, and no values.
    """
    chosen = [_named(job, name) for name in names] or job.state.instance_names()
    instances = [job.instance(name) for name in chosen]
    # Other nodes are not asked: what runs where no instance has its primary node runs unseen.
    primaries = {instance.primary_node for instance in instances}
    where = {node: _running(job, node) for node in primaries}
    rows = [[_TITLES.get(field, field) for field in fields]]
    for instance in instances:
        values = _fields(instance, _status(job, instance, where))
        rows.append([values[field]() if field in values else _UNKNOWN for field in fields])
    return rows


def unknown(fields: Sequence[str]) -> list[str]:
    """Return which of these are no fields of ``gnt-instance list``."""
    return [field for field in fields if field not in _TITLES]


def _named(job: Job, name: str) -> str:
    try:
        return job.instance_name(name)
    except OpPrereqError:
        raise OpPrereqError(f"Instance name {name} not found", UNKNOWN) from None


def aligned(rows: Sequence[Sequence[str]], fields: Sequence[str]) -> Iterator[str]:
    """Yield a table's lines, in columns as Ganeti's."""
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(len(fields))]
    for row in rows:
        cells: list[Any] = []
        for column, cell in enumerate(row):
            if fields[column] in _RIGHT:
                cells.append(cell.rjust(widths[column]))
            elif column == len(row) - 1:
                cells.append(cell)
            else:
                cells.append(cell.ljust(widths[column]))
        yield " ".join(cells)
