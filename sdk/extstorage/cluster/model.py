"""What a cluster's configuration holds (``lib/objects.py``)."""

from __future__ import annotations

import time
import uuid as uuids
from dataclasses import dataclass, field

from extstorage.host.disk import Disk

EXT = "ext"
FILE = "file"
UP = "up"
DOWN = "down"
READ_WRITE = "rw"


def new_uuid() -> str:
    """Return a UUID for an object of the configuration."""
    return str(uuids.uuid4())


@dataclass
class ClusterDisk:
    """A disk on record.

    Attributes:
        uuid: The disk object's UUID: VOL_UUID.
        location: The second part of Ganeti's ``logical_id``: the volume's name (VOL_NAME), which
            stays when the disk's index changes; for a file disk, the file's path.
        size_mib: The recorded size.
        parameters: The ext-params, ``provider`` among them.
        name: The name that the user gave it (VOL_CNAME), or None.
        mode: ``rw`` or ``ro``.
        template: ``ext`` or ``file``.
    """

    uuid: str
    location: str
    size_mib: int
    parameters: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    mode: str = READ_WRITE
    template: str = EXT

    @property
    def driver(self) -> str:
        """The first part of ``logical_id``: the provider; for a file disk, the file driver."""
        return self.parameters["provider"] if self.template == EXT else "loop"

    @property
    def supports_snapshots(self) -> bool:
        """Whether Ganeti takes snapshots of such disks at all (DTS_SNAPSHOT_CAPABLE)."""
        return self.template == EXT

    def on_host(self) -> Disk:
        """Return the disk as the node daemon gets it."""
        return Disk(self.location, self.uuid, self.name, self.size_mib, dict(self.parameters))

    def describe(self, index: int, *, stored: bool = True) -> str:
        """Return Ganeti's text for the disk (Disk.__str__); one not stored yet has no children."""
        return (
            f"<Disk(type={self.template}, logical_id={(self.driver, self.location)},"
            f" children={[] if stored else None}, visible as /dev/disk/{index},"
            f" size={self.size_mib}m)>"
        )


@dataclass
class Instance:
    """An instance on record.

    Attributes:
        name: Its full name.
        uuid: Its UUID.
        primary_node: The primary node's name.
        disk_template: ``ext`` or ``file``.
        admin_state: ``up`` or ``down``: what the administrator wants.
        disks_active: Whether its disks are meant to be attached.
        os: The name of its OS definition; empty for none. Nothing runs it here.
        backend: The back-end parameters that were given.
        disks: Its disks, in order.
        created: When it was added, in seconds since 1970.
        changed: When its record was last written.
        serial: How often its record was written.
    """

    name: str
    uuid: str
    primary_node: str
    disk_template: str = EXT
    admin_state: str = DOWN
    disks_active: bool = False
    os: str = ""
    backend: dict[str, str] = field(default_factory=dict)
    disks: list[ClusterDisk] = field(default_factory=list)
    created: float = field(default_factory=time.time)
    changed: float = field(default_factory=time.time)
    serial: int = 0

    @property
    def metadata(self) -> str:
        """The text that setinfo gets (GetInstanceInfoText)."""
        return f"originstname+{self.name}"


@dataclass
class NodeEntry:
    """A node on record; a node that is offline is not spoken to."""

    name: str
    uuid: str
    group: str = "default"
    offline: bool = False


@dataclass
class Cluster:
    """What belongs to the cluster as a whole.

    Attributes:
        name: The cluster's name.
        nodes_spec: What the nodes are: ``namespaces:3``.
        nodes: The nodes, the master first.
        groups: The node groups' UUIDs by name.
        release: The Ganeti release to act as.
        search_path: Where a node has its providers; ``{node}`` stands for the node's name.
        log_directory: Where a node has its log files; likewise.
        timeout_s: Seconds until a script is killed, or None. Ganeti's own RPC gives up after 900.
        remove_retry_s: Seconds between two tries of a removal that failed.
        prealloc_wipe_disks: Whether new disks are filled with zeroes first.
    """

    name: str
    nodes_spec: str
    nodes: list[NodeEntry]
    groups: dict[str, str]
    release: str
    search_path: list[str]
    log_directory: str
    timeout_s: float | None = 900.0
    remove_retry_s: float = 3.0
    prealloc_wipe_disks: bool = False

    def node(self, name: str) -> NodeEntry:
        """Return a node by its name. Raises KeyError."""
        for entry in self.nodes:
            if entry.name == name:
                return entry
        raise KeyError(name)
