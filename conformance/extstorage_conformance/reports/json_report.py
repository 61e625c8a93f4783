"""The report for programs; its schema is report.schema.json beside this file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from extstorage_conformance.reports.verdict import Verdict

SCHEMA = "ganeti-extstorage-conformance/1"


def document(
    verdict: Verdict, *, seconds: dict[str, float], provider: str, release: str, profile: str
) -> dict[str, Any]:
    """Return the report as a JSON object; ``seconds`` says where the run's time went."""
    return {
        "schema": SCHEMA,
        "provider": provider,
        "releases": [release],
        "profile": profile,
        "verdict": verdict.word,
        "counts": verdict.counts(),
        "seconds": {kind: round(spent, 3) for kind, spent in seconds.items()},
        "rules": [result.to_json() for result in verdict.results],
    }


def write(path: Path, report: dict[str, Any]) -> None:
    """Write ``report`` to the file ``path``; raises OSError."""
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
