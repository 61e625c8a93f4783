"""The site builds without a warning, and its links lead somewhere."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import DOCS, blocks, pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = {"sh", "output", "console", "text", "toml", "yaml", "json", "", "toctree"}
GENERATED = {"reference/command-line.html", "reference/report.html", "reference/rules.html"}


class Page(HTMLParser):
    """The links and anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.images: list[tuple[str, str]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.anchors |= {attributes.get("id", ""), attributes.get("name", "")}
        self.links |= {attributes[name] for name in ("href", "src") if name in attributes}
        if tag == "img":
            self.images.append((attributes.get("src", ""), attributes.get("alt", "")))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    command = ["-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html"]
    completed = subprocess.run(
        [sys.executable, *command, "-d", directory / "doctrees", DOCS, directory / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    assert not completed.stderr
    return directory / "html"


@pytest.fixture(scope="module")
def read(site: Path) -> dict[Path, Page]:
    return {path.resolve(): Page(path) for path in site.rglob("*.html")}


def broken(read: dict[Path, Page]) -> Iterator[str]:
    for path, page in read.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue  # the world outside cannot be asked
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists() or not _has_anchor(read.get(target), unquote(parts.fragment)):
                yield f"{path.name}: {link}"


def _has_anchor(page: Page | None, anchor: str) -> bool:
    """Return whether a link can lead there; what is no page has no anchors to ask for."""
    return not anchor or page is None or anchor in page.anchors


def test_links_lead_somewhere(read: dict[Path, Page]) -> None:
    assert len(read) > 15
    assert not sorted(set(broken(read)))


def test_generated_pages_are_part_of_it(site: Path) -> None:
    assert all((site / name).exists() for name in GENERATED)
    command_line = (site / "reference/command-line.html").read_text(encoding="utf-8")
    assert "extstorage conform" in command_line
    assert "gnt-instance migrate" in command_line


def test_rules_that_pages_speak_of_are_links(site: Path) -> None:
    text = (site / "explanation/rules.html").read_text(encoding="utf-8")

    assert 'href="../reference/rules.html#es-create-04-must"' in text


def test_pictures_are_there_and_described(read: dict[Path, Page], site: Path) -> None:
    page = read[(site / "explanation/calls.html").resolve()]

    assert len(page.images) >= 8
    assert all(alt for _source, alt in page.images)


def test_names_in_angle_brackets_are_shown(site: Path) -> None:
    text = (site / "reference/contract.html").read_text(encoding="utf-8")

    assert "&lt;uuid&gt;.ext.disk" in text


def test_blocks_are_of_known_kinds() -> None:
    unknown = {
        f"{page.relative_to(DOCS)}: {kind}"
        for page in pages()
        for kind, _text in blocks(page)
        if kind not in KINDS
    }

    assert not unknown
