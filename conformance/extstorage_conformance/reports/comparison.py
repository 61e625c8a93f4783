"""What a run's times were in the run before: the report of that one, and the differences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage_conformance.reports.json_report import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_UNITS = ("median_ms", "p95_ms")


class ComparisonError(Exception):
    """A file is no report of an earlier run: why not."""


def load(path: str) -> dict[str, Any]:
    """Return the report in the file ``path``; raises ComparisonError."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ComparisonError(f"expected the JSON report of an earlier run: {error}") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise ComparisonError(f"expected a report with the schema {SCHEMA}")
    return found


def compare(now: Mapping[str, Any], before: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the times of both reports, and how many times as long each one takes now."""
    return {
        "with": path,
        "provider": before["provider"],
        "profile": before["profile"],
        "timings": {
            method: {unit: _pair(timed[unit], was[unit]) for unit in _UNITS}
            for method, timed in now["timings"].items()
            if (was := before.get("timings", {}).get(method))
        },
        "figures": {
            name: _pair(figure, was)
            for name, figure in now["figures"].items()
            if (was := before.get("figures", {}).get(name)) is not None
        },
    }


def _pair(now: float, before: float) -> dict[str, float | None]:
    return {"now": now, "before": before, "times": round(now / before, 2) if before else None}


def lines(found: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is told on the terminal: each method's times now and before."""
    yield f"times in ms, and in the run of {found['with']}:{_warning(found, now)}"
    for method, timed in found["timings"].items():
        median, p95 = (timed[unit] for unit in _UNITS)
        yield f"  {method:8} median {_change(median)}, 95th percentile {_change(p95)}"
    for name, pair in found["figures"].items():
        yield f"  {name.removesuffix('_ms').replace('_', ' ')}: {_change(pair)}"
    if not (found["timings"] or found["figures"]):
        yield "  no method was called in both"


def _warning(found: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return what makes the runs hard to compare."""
    differs = [
        f"{what} {found[what]}" for what in ("provider", "profile") if found[what] != now[what]
    ]
    return f" ({', '.join(differs)})" if differs else ""


def _change(pair: Mapping[str, float | None]) -> str:
    now, before, times = pair["now"], pair["before"], pair["times"]
    percent = f", {100 * (times - 1):+.0f} %" if times is not None else ""
    return f"{now:.1f} (was {before:.1f}{percent})"
