"""What the site takes from the code when it is built: nothing of this is written by hand."""

from __future__ import annotations

import json
import lzma
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util import logging

from extstorage.cli import markdown, trace
from extstorage.cli.manual import manual
from extstorage_conformance import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes

RULES_PAGE = "reference/rules"
_RULE = re.compile(r"^ES-[A-Z]+-\d{2}$")
_TRACES = Path(__file__).parents[1] / "tests/cluster/data/traces.jsonl.xz"
SEQUENCES = {
    "add": "instance-add (1 named disk, install+start)",
    "shutdown": "instance-shutdown",
    "startup": "startup",
    "grow": "grow-disk (running)",
    "migrate": "migrate (running, live, -n node3)",
    "migrate-two-disks": "gnt-node migrate",
    "failover": "failover (running)",
    "export": "backup export (running, --noshutdown)",
    "remove": "instance-remove (stopped, multi)",
    "info": "instance-info (stopped, detached)",
}
"""Pictures of recorded operations of a real cluster, by the name that the recording gave them."""


def write(docs: Path) -> None:
    """Write every page and picture below ``docs``; a file that would not change stays as it is."""
    _write(docs / "reference/command-line.md", markdown.page(manual()))
    _write(docs / "reference/report.md", report_page())
    records = _records()
    for name, operation in SEQUENCES.items():
        _write(docs / f"explanation/sequences/{name}.svg", trace.picture([records[operation]]))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _records() -> dict[str, dict[str, Any]]:
    """Return the first recording of each operation."""
    found: dict[str, dict[str, Any]] = {}
    with lzma.open(_TRACES, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            found.setdefault(record["operation"], record)
    return found


def looks_like_a_rule(text: str) -> bool:
    """Return whether ``text`` has the form of a rule's id."""
    return _RULE.match(text) is not None


def rule_anchor(rule_id: str) -> str | None:
    """Return the anchor of a rule on its page, None if there is no such rule."""
    known = {rule.id: rule for rule in catalogue.rules()}
    rule = known.get(rule_id)
    return f"{rule.id}-{rule.level}".lower() if rule else None


def warn(rule_id: str, place: nodes.Node) -> None:
    """Let the build tell that a page speaks of a rule that is not there."""
    logging.getLogger(__name__).warning("there is no rule %s", rule_id, location=place)


def report_page() -> str:
    """Return the page about the JSON report: its schema, as tables and as it is."""
    text = files("extstorage_conformance.reports").joinpath("report.schema.json").read_text("utf-8")
    schema = json.loads(text)
    lines = [
        "# The JSON report",
        "",
        "`extstorage conform DIR --json FILE` writes it. The other reports (`--html`, `--sarif`,",
        "`--badge`, `--junit`) say the same for other readers. The schema below is",
        "`extstorage_conformance/reports/report.schema.json` in an installed package.",
        "",
        "| key | type | meaning |",
        "|---|---|---|",
        *_rows(schema, schema["$defs"], ""),
        "",
        "## Schema",
        "",
        "```json",
        text.rstrip("\n"),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _rows(schema: dict[str, Any], definitions: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, value in schema.get("properties", {}).items():
        inner = value.get("items", value)
        yield f"| `{prefix}{name}` | {_type(value, definitions)} | {value.get('description', '')} |"
        suffix = "[]." if "items" in value else "."
        yield from _rows(inner, definitions, f"{prefix}{name}{suffix}")


def _type(value: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in value:
        value = definitions[value["$ref"].rpartition("/")[2]]
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    if "items" in value:
        return f"list of {_type(value['items'], definitions)}"
    if (
        value.get("type") == "object"
        and "additionalProperties" in value
        and value.get("additionalProperties")
    ):
        return f"object of {_type(value['additionalProperties'], definitions)}"
    return str(value.get("type", "any"))
