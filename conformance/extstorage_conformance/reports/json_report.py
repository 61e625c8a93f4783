"""The report for programs; its schema is report.schema.json beside this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from extstorage_conformance import timings

if TYPE_CHECKING:
    from extstorage_conformance.reports.verdict import Verdict

SCHEMA = "ganeti-extstorage-conformance/1"


def document(
    verdict: Verdict,
    *,
    seconds: dict[str, float],
    times: dict[str, list[float]],
    figures: dict[str, float],
    provider: str,
    release: str,
    profile: str,
    seed: int,
) -> dict[str, Any]:
    """Return the report as a JSON object.

    ``seconds`` says where the run's time went, ``times`` how long the calls of each method took,
    ``figures`` what rules have measured in ms.
    """
    return {
        "schema": SCHEMA,
        "provider": provider,
        "releases": [release],
        "profile": profile,
        "seed": seed,
        "verdict": verdict.word,
        "counts": verdict.counts(),
        "seconds": {kind: round(spent, 3) for kind, spent in seconds.items()},
        "timings": timings.summary(times),
        "figures": {name: round(figure, 1) for name, figure in sorted(figures.items())},
        "rules": [result.to_json() for result in verdict.results],
    }
