"""Findings about a provider that need no execution of its scripts.

``lint(directory)`` applies every rule; ``LINTS[rule_id].check(source)`` applies one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.lint import layout, parameters, places, scripts, variables
from extstorage.lint.finding import CannotLint, Finding, Lint
from extstorage.lint.source import ProviderSource

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LINTS", "CannotLint", "Finding", "Lint", "ProviderSource", "lint"]

LINTS: dict[str, Lint] = {
    one.rule: one
    for module in (layout, scripts, variables, places, parameters)
    for one in module.LINTS
}
"""Every rule that needs no execution, by its id."""


def lint(provider_directory: Path) -> list[Finding]:
    """Return everything that is wrong with a provider's files, in the order of the rules.

    Raises NotADirectoryError, and CannotLint if a tool that a rule needs is missing.
    """
    source = ProviderSource.read(provider_directory)
    return [finding for one in LINTS.values() for finding in one.check(source)]
