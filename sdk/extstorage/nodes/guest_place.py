"""What a guest is on this machine, and what it is told when it boots."""

from __future__ import annotations

from typing import NamedTuple

SYSTEM_DISK = "/dev/ubda"
"""What a guest keeps its own files on."""


class Place(NamedTuple):
    """Where a guest is on this machine, and what it has.

    Attributes:
        state: The directory of its files.
        host_name: What it calls itself.
        shared_directory: What all guests of the run, and this machine, have at this path.
        shown: Directories of this machine that it needs wherever they are.
        memory_mib: Its memory, in MiB.
        disks: The raw files of the disks that all guests of the run have.
        number: 1 for the first guest of the run, 2 for the second.
        guests: How many the run has.
    """

    state: str
    host_name: str
    shared_directory: str
    shown: list[str]
    memory_mib: int
    disks: list[str]
    number: int
    guests: int

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
    def init(self) -> str:
        """The first program of the guest."""
        return f"{self.state}/init"


def disk_device(number: int) -> str:
    """Return the device that the shared disk 1, 2, ... is on every guest."""
    return f"/dev/ubd{chr(ord('a') + number)}"
