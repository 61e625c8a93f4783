"""The reports that go to files, each the same document for another reader.

JUnit's XML is pytest's own (``--junitxml``); what the suite knows of a test stands in its
properties.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage_conformance.reports import badge, html, sarif

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _json(report: dict[str, Any], _directory: Path) -> str:
    return json.dumps(report, indent=1) + "\n"


def _html(report: dict[str, Any], _directory: Path) -> str:
    return html.text(report)


def _badge(report: dict[str, Any], _directory: Path) -> str:
    return badge.text(report)


FORMATS: dict[str, Callable[[dict[str, Any], Path], str]] = {
    "json": _json,
    "html": _html,
    "sarif": sarif.text,
    "badge": _badge,
}
"""Each kind of report, by the name of its option; it takes the document and the provider's
directory."""


def write(report: dict[str, Any], directory: Path, wanted: Mapping[str, str]) -> None:
    """Write the report to the file that ``wanted`` names for each format; raises OSError."""
    for name, path in wanted.items():
        Path(path).write_text(FORMATS[name](report, directory), encoding="utf-8")
