"""How long the scripts of a run took, by method."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from extstorage.host.call import Call

OVERLAPPING_GROUP = "CONC"
"""Its calls are held in midair, or share the processors: their times are not the scripts' own."""
_MS = 1000


def by_method(calls: Iterable[Call]) -> dict[str, list[float]]:
    """Return the seconds of each call that succeeded and was the script, in no wrapper."""
    taken: dict[str, list[float]] = {}
    for call in calls:
        invocation = call.invocation
        script = invocation.provider.scripts.get(invocation.method)
        if call.succeeded and invocation.argv == (script,):
            taken.setdefault(invocation.method, []).append(round(call.seconds, 4))
    return taken


def summary(taken: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Return for each method the number of calls, their median and 95th percentile in ms."""
    return {
        method: {
            "calls": len(seconds),
            "median_ms": round(_MS * statistics.median(seconds), 1),
            "p95_ms": round(_MS * _percentile_95(seconds), 1),
        }
        for method, seconds in sorted(taken.items())
    }


def _percentile_95(seconds: Sequence[float]) -> float:
    """Return the smallest value that at least 95 of 100 do not exceed."""
    return sorted(seconds)[-(-95 * len(seconds) // 100) - 1]
