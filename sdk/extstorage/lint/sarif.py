"""Findings in the format of code scanners: SARIF 2.1.0 (an OASIS standard)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import extstorage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from extstorage.lint.finding import Finding

LEVELS = {"MUST": "error", "SHOULD": "warning", "MAY": "note"}
"""SARIF's word for each of ours."""
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_BASE = "PROVIDER"


def document(
    directory: Path, rules: Iterable[dict[str, Any]], results: Iterable[dict[str, Any]]
) -> dict[str, Any]:
    """Return the SARIF document of one run on the provider in ``directory``.

    ``rules`` are reportingDescriptors, ``results`` what ``of_finding`` returns.
    """
    rules = list(rules)
    position = {rule["id"]: number for number, rule in enumerate(rules)}
    driver = {"name": "extstorage", "version": extstorage.__version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "originalUriBaseIds": {_BASE: {"uri": f"{Path(os.path.abspath(directory)).as_uri()}/"}},  # noqa: PTH100 - links kept
        "columnKind": "unicodeCodePoints",
        "results": [{**one, "ruleIndex": position[one["ruleId"]]} for one in results],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def of_findings(directory: Path, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the document of lint's findings."""
    levels = {finding.rule: finding.level for finding in findings}
    rules = [
        {"id": rule_id, "defaultConfiguration": {"level": LEVELS[level]}}
        for rule_id, level in sorted(levels.items())
    ]
    return document(directory, rules, [of_finding(directory, one) for one in findings])


def of_finding(directory: Path, finding: Finding) -> dict[str, Any]:
    """Return one result: a finding in the provider in ``directory``."""
    place: dict[str, Any] = {"artifactLocation": _location(directory, finding.file)}
    if finding.line is not None:
        place["region"] = {"startLine": finding.line}
    return {
        "ruleId": finding.rule,
        "level": LEVELS[finding.level],
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": place}],
    }


def _location(directory: Path, file: str) -> dict[str, str]:
    """Return where a file is: below the current directory if it is, as code scanners want it."""
    path = Path(os.path.abspath(directory / file))  # noqa: PTH100 - links kept
    if path.is_relative_to(Path.cwd()):
        return {"uri": _uri(path.relative_to(Path.cwd()))}
    return {"uri": _uri(path.relative_to(os.path.abspath(directory))), "uriBaseId": _BASE}  # noqa: PTH100 - as above


def _uri(relative: Path) -> str:
    """Return a relative path as a URI reference, percent-encoded."""
    root = Path("/")
    return (root / relative).as_uri().removeprefix(root.as_uri()) or "."
