"""The report for people: one HTML file that needs nothing else, to keep or to send."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import extstorage
from extstorage_conformance.faults.boundary import ONLY_ASKS
from extstorage_conformance.outcome import Outcome
from extstorage_conformance.rules import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Iterator

_TITLES = {
    ("failed", "MUST"): "Broken",
    ("error", ""): "Faults of the suite itself",
    ("blocked", ""): "Blocked: a step before the rule's own failed",
    ("failed", ""): "Broken, and does not make the provider non-conforming",
    ("unexpected-pass", ""): "Waived, and holds: remove the waiver",
    ("waived", ""): "Waived",
    ("skipped", ""): "Skipped: this machine cannot exercise it",
    ("not-applicable", ""): "Not applicable",
    ("passed", ""): "Kept",
}
"""The sections in their order: outcome, level ("": any that no section before has), title."""
_VERDICTS = {
    "conforms": "conforms",
    "does-not-conform": "does not conform",
    "could-not-run": "could not be judged",
}


def text(report: dict[str, Any]) -> str:
    """Return a report document as a page."""
    environment = Environment(
        loader=PackageLoader("extstorage_conformance.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        report=report,
        verdict=_VERDICTS[report["verdict"]],
        sections=_sections(report["rules"]),
        levels=_levels(report["rules"]),
        known=REGISTRY,
        maps=list(_call_maps(report.get("faults", {}))),
        detail=_detail,
        version=extstorage.__version__,
        written=dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _sections(results: list[dict[str, Any]]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Return (title, outcome, results) of each section that has any."""
    left = list(results)
    sections = []
    for (outcome, level), title in _TITLES.items():
        mine = [one for one in left if one["outcome"] == outcome and level in ("", one["level"])]
        left = [one for one in left if one not in mine]
        if mine:
            sections.append((title, outcome, mine))
    return sections


def _call_maps(faults: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each method with its boundaries in their order, and how each of them was tried."""
    tried: dict[tuple[str, str], Counter[str]] = {}
    for trial in faults.get("trials", ()):
        if trial["fired"]:
            kinds = tried.setdefault((trial["method"], trial["boundary"]), Counter())
            kinds[trial["kind"]] += 1
    for method, boundaries in faults.get("methods", {}).items():
        yield (
            method,
            [
                {**each, "tried": tried.get((method, each["name"]), Counter())}
                for each in _without_repetition(boundaries)
            ],
        )


def _without_repetition(boundaries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the boundaries; of reads in a row that are alike the first, and how many they are."""

    def what(boundary: dict[str, Any]) -> str:
        name = str(boundary["name"])
        return name.rpartition("#")[0] if boundary["kind"] in ONLY_ASKS else name

    for _, same in groupby(boundaries, key=what):
        first, *others = same
        yield {**first, "times": 1 + len(others)}


def _detail(result: dict[str, Any]) -> str:
    """Return a result's message without its first line where that is the rule's sentence."""
    message = str(result["message"])
    first, _, rest = message.partition("\n")
    return rest if rest and first.startswith(f"{result['id']} (") else message


def _levels(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return how many rules of each level there are, how many were exercised, how many failed."""
    return [
        {
            "level": level,
            "total": len(mine),
            "exercised": sum(Outcome(one["outcome"]).exercised for one in mine),
            "failed": sum(one["outcome"] == "failed" for one in mine),
        }
        for level in ("MUST", "SHOULD", "MAY")
        if (mine := [one for one in results if one["level"] == level])
    ]
