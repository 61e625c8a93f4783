"""The area: one small volume of the group, through which the nodes know of each other.

    0           sanlock's lockspace: which nodes there are, and that they live
    ALIGN       the lease for changing the group's metadata
    2 x ALIGN   one block per node: which volumes it has attached or open (holds.py)

ALIGN is what sanlock wants: 1 MiB, or 8 MiB where sectors have 4096 bytes. In a group that lvmlockd
locks, only the last part is used; the lockspace is lvmlockd's.
"""

from __future__ import annotations

import mmap
import os

from extstorage.provider import ProviderError
from lvm import names
from lvm.group import MIB

BLOCK = 8192
NODES = 250
"""The highest number of a node; sanlock has room for as many with any sector size."""
SIZE = 4 * MIB
"""How large the area is where sectors have 512 bytes."""


class Area:
    """The area of one group, on this node."""

    def __init__(self, group: str) -> None:
        self.path = f"/dev/mapper/{names.mapping(group, names.AREA)}"

    def align(self) -> int:
        """Return the size of what sanlock keeps at each place, in bytes."""
        number = os.stat(self.path).st_rdev
        queue = f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/queue"
        with open(f"{queue}/logical_block_size", encoding="ascii") as file:
            return 8 * MIB if file.read().strip() == "4096" else MIB

    def size(self) -> int:
        """Return how large the area has to be, in bytes."""
        return 2 * self.align() + SIZE // 2

    def open(self) -> int:
        """Return an open descriptor, past the page cache: other hosts write here too."""
        try:
            return os.open(self.path, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        except OSError as error:
            raise ProviderError(
                f"{self.path}: {error.strerror}: run `area join` on this node first"
            ) from None

    def read(self, descriptor: int, node: int) -> bytes:
        """Return the block of the node with this number."""
        with mmap.mmap(-1, BLOCK) as buffer:
            length = os.preadv(descriptor, [buffer], self._place(node))
            return buffer[:length]

    def write(self, descriptor: int, node: int, block: bytes) -> None:
        """Write the block of the node with this number; it is on disk when this returns."""
        with mmap.mmap(-1, BLOCK) as buffer:
            buffer[: len(block)] = block
            os.pwritev(descriptor, [buffer], self._place(node))
        os.fdatasync(descriptor)

    def _place(self, node: int) -> int:
        if not 1 <= node <= NODES:
            raise ProviderError(f"this node's number is {node}: expected 1 to {NODES}")
        return 2 * self.align() + node * BLOCK
