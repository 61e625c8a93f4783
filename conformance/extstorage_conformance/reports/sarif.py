"""The report for code scanners: SARIF 2.1.0, each broken rule at the script that broke it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from extstorage.contract.methods import METHOD_NAMES
from extstorage.lint import LINTS, CannotLint, Finding, ProviderSource, sarif
from extstorage_conformance.rules import REGISTRY, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SHOWN = ("failed", "waived", "blocked")


def text(report: dict[str, Any], directory: Path) -> str:
    """Return a report document as SARIF; ``directory`` is the provider's.

    What is waived is there, as suppressed. So is what is blocked: nobody knows whether it holds.
    """
    shown = [result for result in report["rules"] if result["outcome"] in _SHOWN]
    rules = [_descriptor(REGISTRY[result["id"]]) for result in shown if result["id"] in REGISTRY]
    results = [one for result in shown for one in _results(result, directory)]
    return json.dumps(sarif.document(directory, rules, results), indent=1) + "\n"


def _descriptor(rule: Rule) -> dict[str, Any]:
    explanation = f"{rule.explanation}\n\n" if rule.explanation else ""
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.sentence},
        "fullDescription": {"text": f"{explanation}Source: {rule.source}"},
        "defaultConfiguration": {"level": sarif.LEVELS[rule.level]},
        "properties": {"level": rule.level.value, "since": rule.since, "profile": rule.profile},
    }


def _results(result: dict[str, Any], directory: Path) -> Iterator[dict[str, Any]]:
    if result["id"] not in REGISTRY:
        return
    whole = Finding(result["id"], result["level"], _script(result), None, result["message"])
    for finding in _findings(result["id"], directory) or [whole]:
        one = sarif.of_finding(directory, finding)
        waived = {"kind": "external", "justification": result["message"]}
        yield {**one, "suppressions": [waived]} if result["outcome"] == "waived" else one


def _findings(rule_id: str, directory: Path) -> list[Finding]:
    """Return the places where a rule that needs no execution is broken: file and line."""
    if rule_id not in LINTS:
        return []
    try:
        return LINTS[rule_id].check(ProviderSource.read(directory))
    except CannotLint:
        return []


def _script(result: dict[str, Any]) -> str:
    """Return the script of the call that decided: the replay's last program; else the directory."""
    named = [word.rpartition("/")[2].strip("'\"") for word in result["replay"].split()]
    return next((word for word in reversed(named) if word in METHOD_NAMES), ".")
