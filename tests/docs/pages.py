"""The pages of the site as the tests read them: fenced blocks, and what is to be run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"
_FENCE = re.compile(r"^```(?P<kind>[\w-]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Step:
    """A block of commands, ``sh``, and what has to appear when it runs, ``output``.

    In the output ``...`` stands for anything. Blocks of other kinds, ``console`` above all, are
    shown only.
    """

    commands: str
    output: str = ""

    def missing_in(self, text: str) -> str:
        """Return the first piece of the output that is not in ``text``, in order."""
        position = 0
        for piece in re.split(r"\n|\.\.\.", self.output):
            found = text.find(piece.strip(), position)
            if found < 0:
                return piece
            position = found + len(piece.strip())
        return ""


def pages() -> list[Path]:
    """Return every page that was written by hand or generated, but what a build has left."""
    return sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield kind and text of each fenced block of a page."""
    for match in _FENCE.finditer(page.read_text(encoding="utf-8")):
        yield match["kind"], match["text"]


def steps(page: Path) -> list[Step]:
    """Return what a page tells its reader to run."""
    found: list[Step] = []
    for kind, text in blocks(page):
        if kind == "sh":
            found.append(Step(text))
        elif kind == "output":
            assert found, f"{page}: output without commands"
            found[-1].output = text
    return found


def pages_to_run() -> list[Path]:
    """Return the pages with commands to run."""
    return [page for page in pages() if steps(page)]
