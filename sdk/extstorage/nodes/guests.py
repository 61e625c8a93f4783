"""Several hosts on this machine with kernels of their own: User-Mode Linux guests.

A guest is one group of processes of an ordinary user; it needs neither root nor KVM. Its root
directory is this machine's, read-only, below an overlay: Python, tools and checkout are there at
their own paths. What the guest writes goes to a disk of its own and outlives a power cut as far
as it was synced; /srv, /tmp, /var/lib, /var/log and /var/tmp are empty at first, /run and
/dev/shm whenever it boots.

All guests of a run share raw disks, as hosts share a SAN: /dev/ubdb, /dev/ubdc, ..., also found
in /dev/disk/by-id. They are sparse files of this machine, deleted with the guests. A network joins
the guests, and nobody else: each finds the others by name. One directory of this machine can be
theirs too, at the same path: for handing files over, not for volumes, since each kernel caches it
for itself and knows nothing of the others' locks.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from extstorage.nodes import guest_files, guest_registers, guest_supervisor
from extstorage.nodes.guest_place import Place, address, disk_device
from extstorage.nodes.machines import Line, MachineNode, SupervisorProcess, start_all
from extstorage.nodes.node import Command, NodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

MEMORY_MIB = 512
DOMAIN = "example.com"
SERVER = f"nas.{DOMAIN}"
"""The file server, if there is one."""
_SDK = Path(__file__).parents[2]
_MODULES = """
import sys
sys.path.insert(0, {sdk!r})
from extstorage.nodes import guest_modules
def load(*names):
    guest_modules.load(*names)
"""
_SYNC = Command(("/bin/sync",), {}, "/")


class SharedDisk(NamedTuple):
    """A disk that all guests of a run have.

    Attributes:
        device: Its path on every guest.
        file: The raw, sparse file on this machine; deleted with the guests.
        size_bytes: Its size.
    """

    device: str
    file: str
    size_bytes: int


class GuestNode(MachineNode):
    """A guest; see ``nodes.node.Machine``.

    Attributes:
        address: Its IPv4 address in the guests' network, which nobody else is in.
    """

    def __init__(self, place: Place, supervisor: SupervisorProcess) -> None:
        super().__init__(place, supervisor)
        self._console = Path(place.console)
        self._number = place.number
        self.address = address(place.number)
        self._mount_point: str | None = None
        self._server: GuestNode | None = None

    def keep_files_on(self, server: GuestNode, path: str) -> None:
        """Let the guest, whenever it is up, have at ``path`` the directory of a file server.

        The server itself is one that keeps files on itself.
        """
        self._server = server
        self._mount_point = path

    def copy_directory(self, source: str, target: str) -> None:
        """Copy a directory to the guest, where it outlives a power cut; see Node.copy_directory."""
        super().copy_directory(source, target)
        self.run(_SYNC)

    def begin_start(self) -> Line:
        """Begin to boot, with the network's cable plugged in; see MachineNode."""
        line = super().begin_start()
        self._connect(plugged=True)
        return line

    def greet(self, line: Line) -> None:
        """Wait until the guest is up, its files mounted; see MachineNode."""
        super().greet(line)
        if self._server is self:
            guest_files.serve(self)
        elif self._server is not None and self._mount_point is not None:
            guest_files.mount(self, self._server, self._mount_point)

    def kill(self) -> None:
        """Cut the power; a file server forgets the guest, and its locks; see Machine.kill."""
        super().kill()
        if self._server is not None and self._server is not self:
            guest_files.fence(self, self._server)

    def cut_off(self) -> None:
        """Cut the network, that of the guests too; see Machine.cut_off."""
        super().cut_off()
        self._connect(plugged=False)

    def reconnect(self) -> None:
        """Undo ``cut_off``."""
        self._connect(plugged=True)
        super().reconnect()

    def _connect(self, *, plugged: bool) -> None:
        trouble = self._supervisor.connect(self._place, self._number, plugged)
        if trouble:
            raise NodeError(f"{self.name}: {trouble}")

    def load_modules(self, *names: str) -> None:
        """Load kernel modules, as ``modprobe`` would: this machine may not have that.

        Raises PythonFailed for one that the package has not.
        """
        self.run_python(_MODULES.format(sdk=str(_SDK)), "load", *names)

    def console(self) -> list[str]:
        """Return what the kernel has said since it booted, by lines."""
        return self._console.read_text(encoding="utf-8", errors="replace").splitlines()

    def _why_not_up(self, reason: str) -> str:
        try:
            said = [line for line in self.console() if line.strip()]
        except OSError:
            said = []
        last = f"; its kernel's last words: {said[-1]}" if said else ""
        return f"did not boot: {reason}{last}"


class GuestNodes:
    """Guests node1.example.com and so on, up inside a ``with`` block, which gives their sequence.

    All that they are is gone after the block, and also when this process ends in any other way,
    being killed included: processes and files, the shared disks among them. What they did in the
    shared directory stays.

    Args:
        count: How many.
        shared_directory: What all of them and this machine have at this path, to hand files over;
            it has to exist. None for nothing.
        file_server: Whether what they have there is a directory of a file server of theirs instead,
            whose locks and data hold between them; this machine does not see it.
        disk_bytes: The sizes of the disks that they share.
        memory_mib: What each has, in MiB; pages that it never touched cost nothing.

    Attributes:
        nodes: The guests, while they are up.
        disks: The disks that they share.

    Raises NodeError if they cannot be started.
    """

    def __init__(
        self,
        count: int,
        shared_directory: str | None = None,
        disk_bytes: Sequence[int] = (),
        *,
        memory_mib: int = MEMORY_MIB,
        file_server: bool = False,
    ) -> None:
        self._names = [f"node{number}.{DOMAIN}" for number in range(1, count + 1)]
        self._file_server = file_server
        self._shared_directory = shared_directory and os.path.realpath(shared_directory)
        self._disk_bytes = tuple(disk_bytes)
        self._memory_mib = memory_mib
        self._supervisor: SupervisorProcess | None = None
        self.nodes: tuple[GuestNode, ...] = ()
        self._servers: tuple[GuestNode, ...] = ()
        self.disks: tuple[SharedDisk, ...] = ()

    def __enter__(self) -> Sequence[GuestNode]:
        self._expect_possible()
        self._supervisor = SupervisorProcess(
            guest_supervisor.__name__, "guests", str(len(self._names) + self._file_server)
        )
        try:
            return self._started(self._supervisor)
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End all guests, and what they were."""
        if self._supervisor is not None:
            self._supervisor.close()
        for node in (*self.nodes, *self._servers):
            node.hang_up()
        self.nodes = self._servers = ()

    def _started(self, supervisor: SupervisorProcess) -> Sequence[GuestNode]:
        state = supervisor.directory
        self.disks = tuple(
            _made_disk(Path(state, f"disk{number}.raw"), number, size)
            for number, size in enumerate(self._disk_bytes, 1)
        )
        names = self._names + [SERVER] * self._file_server
        preload = guest_registers.library(state, guest_supervisor.TOOLS)
        guests = tuple(
            GuestNode(self._place(state, number, names, preload), supervisor)
            for number in range(1, len(names) + 1)
        )
        self.nodes, self._servers = guests[: len(self._names)], guests[len(self._names) :]
        for server in self._servers:
            for guest in guests:
                guest.keep_files_on(server, str(self._shared_directory))
        start_all([*self._servers, *self.nodes])
        return self.nodes

    def _place(self, state: str, number: int, names: list[str], preload: str) -> Place:
        return Place(
            f"{state}/guest{number}",
            names[number - 1],
            None if self._file_server else self._shared_directory,
            [str(_SDK), sys.base_prefix],
            self._memory_mib,
            [disk.file for disk in self.disks],
            number,
            names,
            preload,
        )

    def _expect_possible(self) -> None:
        lacking = missing()
        if lacking is None and self._file_server:
            lacking = guest_files.lacking(guest_supervisor.TOOLS)
        if lacking:
            raise NodeError(lacking)
        shared = self._shared_directory
        if shared is None and self._file_server:
            raise NodeError("a file server needs a directory that guests have its files in")
        if shared is not None and not self._file_server and not Path(shared).is_dir():
            raise NodeError(f"{shared}: expected a directory for guests to share")


def _made_disk(file: Path, number: int, size_bytes: int) -> SharedDisk:
    with file.open("xb") as disk:
        disk.truncate(size_bytes)
    return SharedDisk(disk_device(number), str(file), size_bytes)


def missing() -> str | None:
    """Return in one line why this machine can have no guests and what to do, or None."""
    if platform.machine() != "x86_64":
        return (
            f"guests need an x86-64 machine, this one is {platform.machine()}:"
            " use nodes namespaces:N or ssh:HOST"
        )
    if not shutil.which("linux.uml", path=guest_supervisor.TOOLS):
        return "guests need User-Mode Linux: apt-get install user-mode-linux"
    if not shutil.which("mkfs.ext4", path=guest_supervisor.TOOLS):
        return "guests need mkfs.ext4: apt-get install e2fsprogs"
    return guest_registers.missing(guest_supervisor.TOOLS)
