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
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from extstorage.nodes import guest_supervisor
from extstorage.nodes.guest_place import Place, address, disk_device, host_name
from extstorage.nodes.machines import (
    BASE_DIRECTORY,
    Line,
    MachineNode,
    SupervisorProcess,
    start_all,
)
from extstorage.nodes.node import Command, NodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

MEMORY_MIB = 256
_SDK = Path(__file__).parents[2]
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

    def copy_directory(self, source: str, target: str) -> None:
        """Copy a directory to the guest, where it outlives a power cut; see Node.copy_directory."""
        super().copy_directory(source, target)
        self.run(_SYNC)

    def begin_start(self) -> Line:
        """Begin to boot, with the network's cable plugged in; see MachineNode."""
        line = super().begin_start()
        self._connect(plugged=True)
        return line

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
    ) -> None:
        self._count = count
        self._shared_directory = shared_directory and os.path.realpath(shared_directory)
        self._disk_bytes = tuple(disk_bytes)
        self._memory_mib = memory_mib
        self._supervisor: SupervisorProcess | None = None
        self.nodes: tuple[GuestNode, ...] = ()
        self.disks: tuple[SharedDisk, ...] = ()

    def __enter__(self) -> Sequence[GuestNode]:
        lacking = missing()
        if lacking:
            raise NodeError(lacking)
        shared = self._shared_directory
        if shared is not None and not Path(shared).is_dir():
            raise NodeError(f"{shared}: expected a directory for guests to share")
        state = tempfile.mkdtemp(prefix="extstorage-guests-", dir=BASE_DIRECTORY)
        self._supervisor = SupervisorProcess(guest_supervisor.__name__, state, str(self._count))
        try:
            return self._started(state)
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End all guests, and what they were."""
        if self._supervisor is not None:
            self._supervisor.close()
        for node in self.nodes:
            node.hang_up()
        self.nodes = ()

    def _started(self, state: str) -> Sequence[GuestNode]:
        assert self._supervisor is not None  # noqa: S101 - just made
        self.disks = tuple(
            _made_disk(Path(state, f"disk{number}.raw"), number, size)
            for number, size in enumerate(self._disk_bytes, 1)
        )
        self.nodes = tuple(
            GuestNode(self._place(state, number), self._supervisor)
            for number in range(1, self._count + 1)
        )
        start_all(self.nodes)
        return self.nodes

    def _place(self, state: str, number: int) -> Place:
        return Place(
            f"{state}/node{number}",
            host_name(number),
            self._shared_directory,
            [str(_SDK), sys.base_prefix],
            self._memory_mib,
            [disk.file for disk in self.disks],
            number,
            self._count,
        )


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
    return None
