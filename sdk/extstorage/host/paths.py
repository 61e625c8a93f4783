"""Paths, put together as Ganeti does. Source in Ganeti: ``lib/utils/io.py``."""

from __future__ import annotations

import posixpath


def join(root: str, name: str) -> str:
    """Return ``root/name``; raise ValueError, with Ganeti's text, where PathJoin would.

    That is for a root that is not absolute and normalised, and for a result that is not.
    """
    if not _is_normalised(root):
        raise ValueError(f"Invalid parameter to PathJoin: '{root}'")
    path = posixpath.join(root, name)
    if not _is_normalised(path):
        raise ValueError(f"Invalid parameters to PathJoin: '{(root, name)}'")
    if not path.startswith(root.rstrip("/") + "/"):
        raise ValueError(
            f"Error: path joining resulted in different prefix ({path} != {root})",
        )
    return path


def _is_normalised(path: str) -> bool:
    return posixpath.isabs(path) and posixpath.normpath(path) == path
