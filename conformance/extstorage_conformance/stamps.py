"""Data that tells where it belongs: each block carries its volume's name, its offset, a generation.

So a block of another volume, of another place or of an earlier time is recognised. How blocks get
to a device and back is in ``node_side/devices.py``; this is used on every node, as that is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

BLOCK_BYTES = 4096
MIB = 1024 * 1024
_HEADER = struct.Struct("<8s64sQQ")
_MAGIC = b"ESSTAMP1"


@dataclass(frozen=True)
class Stamp:
    """What a block says of itself; ``offset`` in bytes."""

    volume: str
    offset: int
    generation: int

    def to_block(self) -> bytes:
        """Return the block: the header, repeated to the block's end."""
        header = _HEADER.pack(_MAGIC, self.volume.encode(), self.offset, self.generation)
        repeated = header * (BLOCK_BYTES // len(header) + 1)
        return repeated[:BLOCK_BYTES]

    @classmethod
    def from_block(cls, block: bytes) -> Stamp | None:
        """Return the stamp of ``block``; None when it is no intact stamped block."""
        magic, volume, offset, generation = _HEADER.unpack_from(block)
        if magic != _MAGIC:
            return None
        stamp = cls(volume.rstrip(b"\0").decode(errors="replace"), offset, generation)
        return stamp if stamp.to_block() == block else None


def spread(device_bytes: int, count: int = 16) -> list[int]:
    """Return ``count`` block offsets over a device, its first and last block among them."""
    last = device_bytes // BLOCK_BYTES - 1
    return sorted({last * index // (count - 1) * BLOCK_BYTES for index in range(count)})


def describe(block: bytes) -> str:
    """Return in words what a block holds."""
    if not any(block):
        return "zeros"
    stamp = Stamp.from_block(block)
    if stamp is None:
        return "data that no test wrote, or a torn block"
    return f"volume {stamp.volume}, byte {stamp.offset}, generation {stamp.generation}"
