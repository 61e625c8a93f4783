"""The first process of a guest: makes of the machine's files a root of its own, then answers.

The kernel starts it with the machine's root directory, read-only. An overlay puts the guest's
own disk on top of that, so everything can be written and nothing reaches the machine.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import tty
from pathlib import Path

from extstorage.nodes import guest_modules, kernel
from extstorage.nodes.agent import Agent
from extstorage.nodes.guest_line import Reader
from extstorage.nodes.guest_place import (
    NETMASK,
    SYSTEM_DISK,
    Place,
    address,
    disk_device,
)
from extstorage.nodes.supervision import exit_after, refuse

_LINE = "/dev/ttyS0"
_READ = "/dev/ttyS1"
_CARD = "vec0"
_OWN = {
    "srv": 0o755,
    "tmp": 0o1777,
    "var/lib": 0o755,
    "var/log": 0o755,
    "var/tmp": 0o1777,
}
_LOGS = "var/log/ganeti/extstorage"
_LVM = """\
# No udev runs in a guest: LVM makes its device nodes itself.
activation {
    udev_sync = 0
    udev_rules = 0
    verify_udev_operations = 1
    monitoring = 0
    # Nothing is swapped out here; what LVM would touch beforehand costs more than its work.
    reserved_memory = 256
}
devices {
    obtain_device_list_from_udev = 0
    types = [ "ubd", 16 ]
}
"""


def main() -> None:
    """Boot the guest that the file named by the argument describes; answer; switch off."""
    place = Place(*json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    line, read = map(_opened, (_LINE, _READ))
    try:
        _boot(place)
    except OSError as error:
        refuse(line, f"{error.filename}: {error.strerror}")
        signal.pause()  # until the power is cut
    agent = os.fork()
    if agent == 0:
        exit_after(_GuestAgent(line, read).serve)
    while os.wait()[0] != agent:
        pass
    kernel.power_off()


class _GuestAgent(Agent):
    """An agent whose requests come through a serial line."""

    def __init__(self, line: int, read: int) -> None:
        super().__init__(line, line)
        self._reader = Reader(line, read)

    def _read(self) -> bytes:
        return self._reader.read()


def _opened(device: str) -> int:
    """Return the descriptor of a serial line that passes all bytes on as they are."""
    line = os.open(device, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    return line


def _boot(place: Place) -> None:
    guest_modules.load(*guest_modules.FROM_THE_START)
    root = f"{place.state}/root"
    disk = f"{place.state}/disk"
    _mount_overlay(root, disk)
    _mount_own(root, disk)
    for directory in place.shown:
        _show(directory, root)
    _mount_kernel(root)
    _name(root, place)
    if place.shared_directory is not None:
        shared = f"{root}{place.shared_directory}"
        Path(shared).mkdir(parents=True, exist_ok=True)
        kernel.mount("hostfs", shared, place.shared_directory)
    os.chdir(root)
    kernel.move(root, "/")
    os.chroot(".")
    guest_modules.show()
    _name_disks(place)
    socket.sethostname(place.host_name)
    kernel.bring_up("lo")
    kernel.set_address(_CARD, address(place.number), NETMASK)
    kernel.bring_up(_CARD)


def _mount_overlay(root: str, disk: str) -> None:
    # This guest's own disk: nobody reads it while it is initialized, and it is sparse.
    kernel.mount("ext4", disk, "noinit_itable", source=SYSTEM_DISK)
    for name in ("upper", "work"):
        Path(disk, name).mkdir(exist_ok=True)
    kernel.mount("overlay", root, f"lowerdir=/,upperdir={disk}/upper,workdir={disk}/work")


def _mount_own(root: str, disk: str) -> None:
    for name, mode in _OWN.items():
        own = Path(disk, "own", name)
        if not own.is_dir():
            own.mkdir(parents=True)
            own.chmod(mode)
        Path(root, name).mkdir(parents=True, exist_ok=True)
        kernel.bind(str(own), f"{root}/{name}")
    Path(root, _LOGS).mkdir(parents=True, exist_ok=True)


def _show(directory: str, root: str) -> None:
    if any(Path(directory).is_relative_to(f"/{name}") for name in _OWN):
        Path(f"{root}{directory}").mkdir(parents=True, exist_ok=True)
        kernel.bind(directory, f"{root}{directory}")


def _mount_kernel(root: str) -> None:
    for kind, name, options in (
        ("proc", "proc", ""),
        ("sysfs", "sys", ""),
        ("configfs", "sys/kernel/config", ""),
        ("devtmpfs", "dev", "mode=755"),
        ("devpts", "dev/pts", "mode=620,ptmxmode=666"),
        ("tmpfs", "dev/shm", "mode=1777"),
        ("tmpfs", "run", "mode=755"),
    ):
        if kind != "configfs":
            Path(root, name).mkdir(exist_ok=True)
        kernel.mount(kind, f"{root}/{name}", options)
    Path(root, "run/lock").mkdir()
    Path(root, "run/lock").chmod(0o1777)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        Path(root, "dev", name).symlink_to(f"/proc/self/fd{target}")


def _name(root: str, place: Place) -> None:
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    for number, name in enumerate(place.names, 1):
        lines.append(f"{address(number)} {name} {name.partition('.')[0]}")
    hosts = "\n".join([*lines, ""])
    for name, text in (("hostname", f"{place.host_name}\n"), ("hosts", hosts)):
        Path(root, "etc", name).write_text(text, encoding="ascii")
    Path(root, "etc/lvm").mkdir(exist_ok=True)
    Path(root, "etc/lvm/lvmlocal.conf").write_text(_LVM, encoding="ascii")


def _name_disks(place: Place) -> None:
    directory = Path("/dev/disk/by-id")
    directory.mkdir(parents=True)
    for number in range(1, len(place.disks) + 1):
        name = Path(disk_device(number)).name
        (directory / f"extstorage-disk{number}").symlink_to(f"../../{name}")
