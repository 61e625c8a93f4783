"""Keeps the suite from writing to a device that is not the provider's to give.

A faulty attach can name any device: the node's own disk, or one that was freed
meanwhile and belongs to somebody else now.
"""

from __future__ import annotations

import errno

from extstorage_conformance.inventory import block


class DeviceGuard:
    """Knows the devices that were there before the run, and those that attach gave since."""

    def __init__(self) -> None:
        self._before = block.identities()
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
        if identity in self._before:
            raise PermissionError(
                errno.EPERM, "not written to: this device was there before the run", path
            )
        if path in self._given and self._given[path] != identity:
            raise PermissionError(
                errno.EPERM, "not written to: it is another device than attach gave", path
            )
