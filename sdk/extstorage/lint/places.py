"""A rule about where a provider is: its scripts do not know that by heart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from extstorage.lint import reading
from extstorage.lint.finding import Lint, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.lint.source import ProviderSource

# ES_SEARCH_PATH of Ganeti's packages. What only begins like it is another directory's name.
_INSTALLED = r"/(?:srv|usr/local/lib|usr/lib|usr/share)/ganeti/extstorage(?:/[\w-]+)?"


def _own_place(source: ProviderSource) -> Iterator[Place]:
    here = {re.escape(str(path)) for path in (source.directory, source.directory.resolve())}
    own = re.compile(f"(?:{'|'.join([*sorted(here), _INSTALLED])})(?![\\w-])")
    for file in source.code:
        if not (file.language or file in source.scripts):
            continue  # notes and makefiles may say where a provider goes
        tree = reading.tree(file)
        for line, text in reading.lines(file) if tree is None else reading.strings(tree):
            found = own.search(text)
            if found is not None:
                yield file.name, line, _built_in(found[0])


def _built_in(path: str) -> str:
    return f"{path} is built in: only there, and under that name, the provider finds its own files"


LINTS = (Lint("ES-LINT-07", "SHOULD", _own_place),)
