"""Block devices: waiting until one is there, or until nobody uses it."""

from __future__ import annotations

import os
import stat
import time

from extstorage.provider.errors import ProviderError

_PAUSE_S = 0.05


def wait_for_device(path: str, wait_s: float = 30.0) -> None:
    """Return as soon as ``path`` is a block device; raise ProviderError after ``wait_s``."""
    give_up = time.monotonic() + wait_s
    while not _is_device(path):
        if time.monotonic() > give_up:
            raise ProviderError(f"no device {path} after {wait_s:g} s")
        time.sleep(_PAUSE_S)


def wait_until_unused(path: str, wait_s: float = 3.0) -> None:
    """Return as soon as nobody uses the device; raise ProviderError that names the users.

    A kernel that is told to drop a device in use does so, or will do so later, and
    says that all is well: so ask first. Programs like udev have a device open for moments.
    """
    from extstorage.provider.users import find_users

    give_up = time.monotonic() + wait_s
    while users := find_users(path):
        if time.monotonic() > give_up:
            raise ProviderError(f"{path} is in use ({', '.join(users)}): stop that, and try again")
        time.sleep(_PAUSE_S)


def _is_device(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except OSError:
        return False
