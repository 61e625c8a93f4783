"""Rules about ``parameters.list``. Source in Ganeti: see contract/parameters.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.contract.methods import PARAMETERS_FILE
from extstorage.contract.parameters import defects
from extstorage.lint.finding import Lint, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.lint.source import ProviderSource

_REPLACED = "\ufffd"  # what bytes that are no UTF-8 became


def _lint(rule: str, level: str, *kinds: str) -> Lint:
    def places(source: ProviderSource) -> Iterator[Place]:
        text = source.parameters or ""
        for line, kind, sentence in defects(text):
            no_utf8 = kind == "ascii" and _REPLACED in text  # ES-DISC-05 says it
            if kind in kinds and not no_utf8:
                yield PARAMETERS_FILE, line or None, sentence

    return Lint(rule, level, places)


LINTS = (
    _lint("ES-PARAM-01", "MUST", "description"),
    _lint("ES-PARAM-02", "MUST", "blank", "comment", "ascii"),
    _lint("ES-PARAM-03", "MUST", "reserved"),
    _lint("ES-PARAM-04", "MUST", "duplicate"),
    _lint("ES-PARAM-05", "SHOULD", "name"),
)
