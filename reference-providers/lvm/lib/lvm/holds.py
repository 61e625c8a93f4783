"""Which node has which volume attached or open, and whether that node is still there.

Each node writes only its own block of the area (area.py), under the generation that sanlock gave
it when it joined the lockspace. So nobody has to tidy up after a node that died: a block counts as
long as sanlock says that this generation of that node may be alive, and not a moment longer.
"""

from __future__ import annotations

import os
import struct
import time
from binascii import crc32

from extstorage.provider import ProviderError
from extstorage.provider.locks import Lock
from extstorage.provider.state import state_directory
from lvm.area import BLOCK, Area

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lvm.sanlock import Lockspace, Sanlock

ATTACHED = 1
SHARED = 2
EXCLUSIVE = 3
_WORDS = {ATTACHED: "attached", SHARED: "open shared", EXCLUSIVE: "open exclusive"}

_HEADER = struct.Struct("<8s64sQI")  # magic, host name, generation, number of entries
_ENTRY = struct.Struct("<QB")  # fingerprint of the volume's name, what the node does with it
_SUM = struct.Struct("<I")
_MAGIC = b"EXTHOLD1"
ROOM = (BLOCK - _HEADER.size - _SUM.size) // _ENTRY.size
_FIRST_RENEWAL_S = 60.0  # three times what sanlock takes by default
_ATTEMPTS = 20  # at a block that its node is just writing


class Block:
    """What one node says of itself."""

    def __init__(self, name: str, generation: int, uses: dict[int, int]) -> None:
        self.name = name
        self.generation = generation
        self.uses = uses

    def packed(self) -> bytes:
        """Return it as it stands in the area."""
        header = _HEADER.pack(_MAGIC, self.name.encode()[:64], self.generation, len(self.uses))
        text = header + b"".join(_ENTRY.pack(*each) for each in sorted(self.uses.items()))
        return text + _SUM.pack(crc32(text))


def unpack(data: bytes, living: int) -> Block | None:
    """Return what the block says if it is of the generation ``living``; None if it is not whole."""
    magic, name, generation, count = _HEADER.unpack_from(data)
    if magic != _MAGIC or generation != living:
        return Block("", living, {})  # never written, or by a node that has crashed since
    end = _HEADER.size + min(count, ROOM) * _ENTRY.size
    if _SUM.unpack_from(data, end)[0] != crc32(data[:end]):
        return None
    uses = dict(_ENTRY.iter_unpack(data[_HEADER.size : end]))
    return Block(name.split(b"\0", 1)[0].decode("ascii", "replace"), generation, uses)


class Holds:
    """What the nodes do with the volumes of one group."""

    def __init__(self, group: str, sanlock: Sanlock, lockspace: Lockspace) -> None:
        self._area = Area(group)
        self._sanlock = sanlock
        self._lockspace = lockspace
        self._own = lockspace.host_id
        # Of the group, whatever the provider is called: the block is the node's.
        self._lock = f"{state_directory('.lvm')}/holds.{group}"

    def record(self, volume: str, use: int) -> int:
        """Note what this node does with the volume from now on; return what it did before.

        0 is nothing at all, for ``use`` too.
        """
        key = fingerprint(volume)
        descriptor = self._area.open()
        try:
            with Lock(self._lock, create=True):
                block = self._own_block(descriptor)
                before = block.uses.get(key, 0)
                if before != use:
                    self._change(block, key, use)
                    self._area.write(descriptor, self._own, block.packed())
                return before
        finally:
            os.close(descriptor)

    def use(self, volume: str) -> int:
        """Return what this node does with the volume; 0 is nothing."""
        descriptor = self._area.open()
        try:
            return self._own_block(descriptor).uses.get(fingerprint(volume), 0)
        finally:
            os.close(descriptor)

    def attach(self, volume: str) -> bool:
        """Note that this node has the volume attached; return whether it had not, nor open."""
        is_new = not self.use(volume)
        if is_new:
            self.record(volume, ATTACHED)
        return is_new

    def this_node(self) -> tuple[int, int]:
        """Return this node's number and generation."""
        return self._own, self._living_hosts()[self._own]

    def lives(self, node: str) -> bool:
        """Return whether the node, named ``NUMBER.GENERATION``, may be alive."""
        hosts = self._living_hosts()
        return node in {f"{number}.{generation}" for number, generation in hosts.items()}

    def user(self, volume: str, *, least: int = ATTACHED) -> str | None:
        """Return ``"node NAME has it HOW"`` for another living node that does ``least`` with it."""
        key = fingerprint(volume)
        hosts = self._living_hosts()
        descriptor = self._area.open()
        try:
            for node, generation in sorted(hosts.items()):
                if node == self._own:
                    continue
                block = self._block(descriptor, node, generation)
                use = block.uses.get(key, 0)
                if use >= least:
                    return f"node {block.name} has it {_WORDS.get(use, 'open')}"
        finally:
            os.close(descriptor)
        return None

    def conflict(self, volume: str, *, exclusive: bool) -> str | None:
        """Return ``"node NAME has it HOW"`` if that forbids opening here, else None."""
        return self.user(volume, least=SHARED if exclusive else EXCLUSIVE)

    def forget(self, node: int) -> None:
        """Declare void what the node ``node`` says of itself: the caller knows that it is dead."""
        descriptor = self._area.open()
        try:
            self._area.write(descriptor, node, bytes(_HEADER.size))
        finally:
            os.close(descriptor)

    def _living_hosts(self) -> dict[int, int]:
        """Return the generation of each node that may be alive, by its number.

        A node that has just joined has not looked at the others yet, and sanlock says nothing of
        them. It looks at all, itself too, when it first renews its own lease; that is waited for.
        """
        give_up = time.monotonic() + _FIRST_RENEWAL_S
        while True:
            hosts = self._sanlock.living_hosts(self._lockspace.name)
            if self._own in hosts:
                return hosts
            if time.monotonic() > give_up:
                raise ProviderError(f"sanlock does not know this node in {self._lockspace.name}")
            time.sleep(0.1)

    def _own_block(self, descriptor: int) -> Block:
        block = self._block(descriptor, *self.this_node())
        block.name = os.uname().nodename
        return block

    def _change(self, block: Block, key: int, use: int) -> None:
        if use:
            block.uses[key] = use
        else:
            block.uses.pop(key, None)
        if len(block.uses) > ROOM:
            raise ProviderError(f"this node has {ROOM} volumes of the group already: no more fit")

    def _block(self, descriptor: int, node: int, generation: int) -> Block:
        for _ in range(_ATTEMPTS):
            block = unpack(self._area.read(descriptor, node), generation)
            if block is not None:
                return block
        raise ProviderError(
            f"{self._area.path}: what node number {node} says of itself is damaged: restart that"
            f" node, or if it is dead: area forget GROUP {node}"
        )


def fingerprint(text: str) -> int:
    """Return a 64-bit number for ``text``, the same on every node (FNV-1a)."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
