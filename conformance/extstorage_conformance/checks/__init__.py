"""The rules and their checks, one module a group, in the order in which they run."""

from __future__ import annotations

import importlib
from pathlib import Path

GROUPS = (
    "disc", "lint", "param", "env", "verify", "create", "attach", "detach", "remove", "grow",
    "setinfo", "snap", "open", "data", "idem", "leak",
)  # fmt: skip


def files() -> list[Path]:
    """Return the modules' files, in order, for pytest to collect."""
    return [Path(__file__).with_name(f"test_{group}.py") for group in GROUPS]


def register_all() -> None:
    """Import every module, so that the registry knows every rule."""
    for group in GROUPS:
        importlib.import_module(f"{__name__}.test_{group}")
