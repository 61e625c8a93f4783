"""Loop devices of this machine, whichever node made them."""

from __future__ import annotations

import os
from pathlib import Path


def loops(word: str) -> dict[str, str]:
    """Return the loop devices of this machine whose file's path has ``word``, and the paths."""
    found = {}
    for entry in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            path = os.fsdecode(entry.read_bytes()).strip()
        except OSError:
            continue
        if word in path:
            found[f"/dev/{entry.parts[3]}"] = path
    return found
