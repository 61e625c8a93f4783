"""The catalogue of rules as text and as JSON."""

from __future__ import annotations

import json

from extstorage_conformance.checks import register_all
from extstorage_conformance.rules import REGISTRY, Rule


def rules() -> list[Rule]:
    """Return every rule, by id."""
    register_all()
    return [REGISTRY[rule_id] for rule_id in sorted(REGISTRY)]


def unknown(rule_ids: list[str]) -> list[str]:
    """Return those of ``rule_ids`` that no rule has."""
    known = {rule.id for rule in rules()}
    return [rule_id for rule_id in rule_ids if rule_id not in known]


def of_group(name: str) -> list[str]:
    """Return the ids of the rules of the group ``ES-NAME``; none if there is no such group."""
    return [rule.id for rule in rules() if name == f"ES-{rule.group}"]


def table() -> str:
    """Return one line for each rule."""
    return "\n".join(
        f"{rule.id:14} {rule.level:6} {rule.profile:8} {rule.sentence}" for rule in rules()
    )


def explanation(rule_id: str) -> str:
    """Return all that is known of one rule; raises KeyError."""
    rule = {rule.id: rule for rule in rules()}[rule_id]
    facts = [
        f"{rule.id} ({rule.level}): {rule.sentence}",
        "",
        *([rule.explanation, ""] if rule.explanation else []),
        f"source:   {rule.source}",
        f"since:    Ganeti {rule.since}",
        f"profile:  {rule.profile}",
        f"needs:    {', '.join(rule.needs) or 'nothing beyond the required methods'}",
        f"nodes:    {rule.nodes}{', one of which is switched off' if rule.power else ''}",
        *([f"rounds:   {rule.rounds}"] if rule.rounds else []),
    ]
    return "\n".join(facts)


def as_json(rule_id: str | None) -> str:
    """Return the rules, or the one with ``rule_id``, as JSON."""
    chosen = [rule.to_json() for rule in rules() if rule_id in (None, rule.id)]
    return json.dumps(chosen if rule_id is None else chosen[0], indent=1)
