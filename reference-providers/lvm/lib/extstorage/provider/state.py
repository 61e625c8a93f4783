"""A node's own memory: a directory that only root can enter and that a reboot empties."""

from __future__ import annotations

import os

STATE_ROOT = "/run/ganeti-extstorage"
"""Holds one directory per provider's name; whatever is in it may be gone at the next call."""


def state_directory(provider_name: str) -> str:
    """Return the directory of the provider called ``provider_name``; make it if need be."""
    path = f"{STATE_ROOT}/{provider_name}"
    try:
        os.makedirs(path, mode=0o700)
    except FileExistsError:
        pass
    return path
