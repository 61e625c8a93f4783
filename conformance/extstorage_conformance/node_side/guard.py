"""Keeps the suite from writing to a device that is not the provider's to give.

A faulty attach can name any device: the node's own disk, or one that was freed
meanwhile and belongs to somebody else now.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from extstorage_conformance.node_side import block

if TYPE_CHECKING:
    from collections.abc import Iterable


class DeviceGuard:
    """Knows the devices that were there before the run, and those that attach gave since.

    ``before`` are the identities of the former; without them, those that are there now.
    """

    def __init__(self, before: Iterable[str] | None = None) -> None:
        self.before = block.identities() if before is None else frozenset(before)
        self._given: dict[str, str] = {}

    def learn(self, path: str) -> None:
        """Note that attach has given the device ``path``, as it is now."""
        try:
            self._given[path] = block.identity(path)
        except (OSError, ValueError):  # what attach printed is no path
            self._given.pop(path, None)

    def check(self, path: str) -> None:
        """Raise PermissionError unless attach gave ``path``, and it still is what it was then."""
        identity = block.identity(path)
        if identity in self.before:
            raise PermissionError(
                errno.EPERM, "not written to: this device was there before the run", path
            )
        if path in self._given and self._given[path] != identity:
            raise PermissionError(
                errno.EPERM, "not written to: it is another device than attach gave", path
            )
