"""Where a cluster's state directory is, found like git's.

Imports next to nothing: what hands a command over (``cli/handover.py``) looks here too.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "EXTSTORAGE_CLUSTER"
DIRECTORY = ".extstorage-cluster"
CLUSTER = "cluster.json"
RESIDENT = "resident"
"""The socket, in the state directory, of the process that takes commands."""


def named(given: str | None, environment: Mapping[str, str]) -> str | None:
    """Return the directory that the option or the variable names, or None."""
    return given or environment.get(VARIABLE) or None


def nearest(start: str) -> str | None:
    """Return the nearest state directory in ``start`` or above it, or None."""
    while True:
        directory = f"{start.rstrip('/')}/{DIRECTORY}"
        if is_cluster(directory):
            return directory
        if start == "/":
            return None
        start = start.rpartition("/")[0] or "/"


def is_cluster(directory: str) -> bool:
    """Return whether this is the state directory of a cluster."""
    return os.path.isfile(f"{directory}/{CLUSTER}")  # noqa: PTH113 - pathlib is slow to import
