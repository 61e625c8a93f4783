"""Who is making a volume that takes more than one step, and whether he still is.

Such a volume carries its maker in a tag from its first moment on: the number and generation of the
node, as sanlock has them. While he works, the maker holds a lock on a file of his node. So whoever
finds an unfinished volume can tell work from what a crash has left.
"""

from __future__ import annotations

import os

from extstorage.provider import ProviderError
from extstorage.provider.locks import Lock
from extstorage.provider.state import state_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lvm.protection import Protection


class Maker:
    """This call, making the logical volumes ``volumes`` of ``group``; for a ``with`` block."""

    def __init__(self, group: str, volumes: tuple[str, ...], protection: Protection) -> None:
        self._paths = [_lock_path(group, name) for name in volumes]
        self._locks: dict[str, Lock] = {}
        self.name = this_node(protection)
        """What the tag says."""

    def __enter__(self) -> Maker:  # noqa: PYI034 - typing.Self is younger than 3.9
        try:
            for path in self._paths:
                self._locks[path] = Lock(path, create=True, wait_s=0)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for path, lock in self._locks.items():
            os.unlink(path)
            lock.release()


def this_node(protection: Protection) -> str:
    """Return ``NUMBER.GENERATION`` of this node; ``0.0`` if there are no others."""
    if protection.holds is None:
        return "0.0"
    return "{}.{}".format(*protection.holds.this_node())


def is_at_work(maker: str, group: str, name: str, protection: Protection) -> bool:
    """Return whether ``maker`` may still be making the logical volume ``name`` of ``group``."""
    if maker != this_node(protection):
        return protection.holds is not None and protection.holds.lives(maker)
    try:
        with Lock(_lock_path(group, name), wait_s=0):
            return False  # he was killed: the file stays, and says nothing
    except FileNotFoundError:
        return False
    except ProviderError:
        return True


def _lock_path(group: str, name: str) -> str:
    return f"{state_directory('.lvm')}/making.{group}.{name}"
