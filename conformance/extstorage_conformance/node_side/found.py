"""One thing that exists on a node."""

from __future__ import annotations

from typing import NamedTuple

HOOK_PROCESS = "process of a hook"
"""The kind of what a hook has started, and what that has started."""


class Found(NamedTuple):
    """One thing: its kind (``loop device``), its name, and what tells whose it is."""

    kind: str
    name: str
    detail: str = ""
