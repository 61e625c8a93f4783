"""What a page links to is there for whoever reads it in a checkout, where no site was built."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import DOCS, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = DOCS.parent
# No pictures: what is on them stands beside them for those who do not see them.
_LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")


def ignored() -> tuple[Path, ...]:
    """Return what a build of the site makes, which is in no checkout."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    return tuple(ROOT / line.strip("/") for line in lines if line.startswith("/docs/"))


def lost(page: Path, text: str) -> Iterator[str]:
    """Yield each link of a page's text that leads to nothing that is in a checkout."""
    for link in _LINK.findall(text):
        parts = urlsplit(link)
        if parts.scheme or not parts.path:
            continue
        target = Path(os.path.normpath(page.parent / unquote(parts.path)))
        if not target.exists() or any(target.is_relative_to(each) for each in ignored()):
            yield f"{page.relative_to(ROOT)}: {link}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_to_what_is_in_a_checkout(page: Path) -> None:
    if page not in ignored():
        assert not list(lost(page, page.read_text(encoding="utf-8")))


def test_link_to_what_is_generated_is_found() -> None:
    page = DOCS / "how-to/ci.md"
    text = (
        "[a](waive.md#x) [b](https://x) [c](#d) ![e](no.svg) [f](../reference/report.md) [g](no.md)"
    )

    assert list(lost(page, text)) == [
        "docs/how-to/ci.md: ../reference/report.md",
        "docs/how-to/ci.md: no.md",
    ]
