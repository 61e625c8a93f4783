"""What a guest is on this machine, and what it is told when it boots."""

from __future__ import annotations

from typing import NamedTuple

NETMASK = "255.255.255.0"

SYSTEM_DISK = "/dev/ubda"
"""What a guest keeps its own files on."""


class Place(NamedTuple):
    """Where a guest is on this machine, and what it has.

    Attributes:
        state: The directory of its files.
        host_name: What it calls itself.
        shared_directory: What this machine and all guests of the run have at this path, or None.
        shown: Directories of this machine that it needs wherever they are.
        memory_mib: Its memory, in MiB.
        disks: The raw files of the disks that all guests of the run have.
        number: 1 for the first guest of the run, 2 for the second.
        names: The host names of all guests of the run, in their order.
        preload: The library that its kernel loads first, or an empty text.
    """

    state: str
    host_name: str
    shared_directory: str | None
    shown: list[str]
    memory_mib: int
    disks: list[str]
    number: int
    names: list[str]
    preload: str

    @property
    def system_disk(self) -> str:
        """The raw file of the guest's own disk."""
        return f"{self.state}/system.raw"

    @property
    def console(self) -> str:
        """The file that the kernel's messages go to."""
        return f"{self.state}/console"

    @property
    def description(self) -> str:
        """The file that tells the guest what it is: this, as a JSON list."""
        return f"{self.state}/place.json"

    @property
    def mac(self) -> str:
        """The address of its network card."""
        return f"52:54:00:00:02:{10 + self.number:02x}"

    @property
    def init(self) -> str:
        """The first program of the guest."""
        return f"{self.state}/init"


def address(number: int) -> str:
    """Return the address of guest 1, 2, ... in the network that they have to themselves."""
    return f"192.0.2.{10 + number}"


def disk_device(number: int) -> str:
    """Return the device that the shared disk 1, 2, ... is on every guest."""
    return f"/dev/ubd{chr(ord('a') + number)}"
