"""What a namespace node sees as ``/``: the machine's directories, and some of its own.

    STATE/disk/     what outlives a reboot: DISK_DIRECTORIES
    STATE/root/     where the node's root is mounted, in the node's namespaces only

Nothing is ever mounted below ``disk``, so deleting it deletes the node's files and no others.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from extstorage.nodes import kernel

DISK_DIRECTORIES = {
    "srv": 0o755,
    "tmp": 0o1777,
    "var/lib": 0o755,
    "var/log": 0o755,
    "var/log/ganeti": 0o755,
    "var/log/ganeti/extstorage": 0o755,
    "var/tmp": 0o1777,
}
"""The directories that each node has on a disk of its own, and their modes."""

OWN = ("/run", "/srv", "/tmp", "/var/lib", "/var/log", "/var/tmp")  # noqa: S108 - of each node
"""The directories that each node has for itself."""

_SHARED_RUN = ("udev",)  # udev is one for the machine, as devices are
_HIDDEN = {"proc", "run", "srv", "tmp", "var", "lost+found"}


class Place(NamedTuple):
    """Where a node is on this machine: its state, its host name, the directory all nodes share."""

    state: str
    host_name: str
    shared_directory: str

    @property
    def root(self) -> str:
        """Where the node's root is mounted."""
        return f"{self.state}/root"

    @property
    def disk(self) -> str:
        """Where the node's own files are."""
        return f"{self.state}/disk"


def make_disk(place: Place) -> None:
    """Make what outlives a reboot. Raises OSError."""
    Path(place.root).mkdir(parents=True)
    for name, mode in DISK_DIRECTORIES.items():
        directory = Path(place.disk, name)
        directory.mkdir(parents=True)
        directory.chmod(mode)
    _write(f"{place.disk}/hostname", f"{place.host_name}\n")
    short = place.host_name.partition(".")[0]
    hosts = f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {place.host_name} {short}\n"
    _write(f"{place.disk}/hosts", hosts)


def mount_root(place: Place) -> None:
    """Mount all but /proc, in the mount namespace of the caller. Raises OSError."""
    root = place.root
    kernel.mount("tmpfs", root, "mode=755,size=16m")
    _show("/", root, _HIDDEN)
    _make(f"{root}/proc")
    _make(f"{root}/var")
    _show("/var", f"{root}/var", {"lib", "log", "tmp", "run", "lock"})
    Path(root, "var/run").symlink_to("/run")
    Path(root, "var/lock").symlink_to("/run/lock")
    _mount_run(root)
    for directory in OWN[1:]:
        _make(f"{root}{directory}")
        kernel.bind(f"{place.disk}{directory}", f"{root}{directory}")
    for name in ("hostname", "hosts"):
        if Path(root, "etc", name).is_file():
            kernel.bind(f"{place.disk}/{name}", f"{root}/etc/{name}")
    memory = Path(root, "dev", "shm")
    if memory.is_dir():
        kernel.mount("tmpfs", str(memory), "mode=1777")
    shared = Path(root + place.shared_directory)
    shared.mkdir(parents=True, exist_ok=True)
    kernel.bind(place.shared_directory, str(shared))


def _mount_run(root: str) -> None:
    _make(f"{root}/run")
    kernel.mount("tmpfs", f"{root}/run", "mode=755")
    _make(f"{root}/run/lock")
    Path(root, "run/lock").chmod(0o1777)
    for name in _SHARED_RUN:
        if Path("/run", name).is_dir():
            _make(f"{root}/run/{name}")
            kernel.bind(f"/run/{name}", f"{root}/run/{name}")


def _show(source: str, target: str, hidden: set[str]) -> None:
    """Let each directory and symbolic link in ``source`` be seen in ``target`` too."""
    for entry in os.scandir(source):
        shown = f"{target}/{entry.name}"
        if entry.name in hidden:
            continue
        if entry.is_symlink():
            Path(shown).symlink_to(Path(entry.path).readlink())
        elif entry.is_dir():
            _make(shown)
            kernel.bind(entry.path, shown)


def _make(directory: str) -> None:
    Path(directory).mkdir(0o755)


def _write(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="ascii")
