"""Changing what is in a thin pool, which two nodes that have it active destroy."""

from __future__ import annotations

from extstorage.provider import ProviderError
from extstorage.provider.tools import ToolError
from lvm.attaching import EXCLUSIVE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lvm.protection import Protection
    from lvm.provider import Lvm


class PoolHere:
    """The thin pool ``pool`` (``""``: none), active on this node alone; for a ``with`` block.

    LVM's commands cannot be left to see to that. An ``lvcreate`` that lvmlockd refuses, because
    another node has the pool active, leaves the pool active here all the same: the other node's
    volumes are lost then. One that succeeds keeps lvmlockd's lock, and no other node can attach. So
    the pool is activated first, by the one command that is refused without a trace, and deactivated
    at the end, which gives the lock back unless a volume of the pool is attached here.

    Where lvmlockd does not lock the group there is no other node, and nothing is done.
    """

    def __init__(self, provider: Lvm, protection: Protection, pool: str) -> None:
        self._volumes = provider.volumes()
        self._pool = pool
        self._is_shared = protection.is_lvmlockd and pool != ""

    def __enter__(self) -> None:
        if not self._is_shared:
            return
        try:
            self._volumes.activate(self._pool, EXCLUSIVE)
        except ToolError as error:
            raise ProviderError(
                f"thin pool {self._volumes.path(self._pool)} cannot be active here: its volumes are"
                f" made, changed and attached on one node at a time ({error})"
            ) from None

    def __exit__(self, *_: object) -> None:
        if self._is_shared:
            self._volumes.deactivate(self._pool)
