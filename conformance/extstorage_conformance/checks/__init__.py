"""The rules and their checks, one module a group, in the order in which they run."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extstorage_conformance.rules import Rule

GROUPS = (
    "disc", "lint", "param", "env", "env_failures", "verify", "create", "attach", "attach_uri",
    "detach", "remove", "grow", "grow_others", "setinfo", "snap", "open", "data", "idem",
    "idem_model", "leak", "multi", "mig", "compat", "conc", "conc_slow", "conc_mixed", "crash",
    "sec", "sec_seen", "perf",
)  # fmt: skip


DIRECTORY = Path(__file__).parent


def register_all() -> None:
    """Import every module, so that the registry knows every rule."""
    for group in GROUPS:
        importlib.import_module(f"{__name__}.test_{group}")


def order(rule: Rule | None) -> tuple[int, str]:
    """Return the place of ``rule`` in a run; the user's own tests (None) come first."""
    if rule is None:
        return (-1, "")
    group = rule.group.lower()
    return (GROUPS.index(group) if group in GROUPS else len(GROUPS), rule.id)
