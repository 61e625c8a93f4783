"""Rules about ``parameters.list``. Source in Ganeti: see contract/parameters.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.contract.methods import PARAMETERS_FILE
from extstorage.contract.parameters import defects
from extstorage.lint.finding import Lint, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.lint.source import ProviderSource


def _lint(rule: str, level: str, *kinds: str) -> Lint:
    def places(source: ProviderSource) -> Iterator[Place]:
        for line, kind, sentence in defects(source.parameters or ""):
            if kind in kinds:
                yield PARAMETERS_FILE, line or None, sentence

    return Lint(rule, level, places)


LINTS = (
    _lint("ES-PARAM-01", "MUST", "description"),
    _lint("ES-PARAM-02", "MUST", "blank", "comment", "ascii"),
    _lint("ES-PARAM-03", "MUST", "reserved"),
    _lint("ES-PARAM-04", "MUST", "duplicate"),
    _lint("ES-PARAM-05", "SHOULD", "name"),
)
