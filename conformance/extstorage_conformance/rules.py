"""The registry of rules: each check registers its rule where it is defined.

A check is one function; the first paragraph of its docstring is the rule's
sentence, the rest explains why the rule exists. The catalogue, the reports and
the reference pages are read from here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Check = Callable[..., None]

_ID = re.compile(r"^ES-[A-Z]+-\d{2}$")


class Level(StrEnum):
    """How binding a rule is; docs/architecture.md says what earns which."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class Profile(StrEnum):
    """How much of the suite runs; each profile contains the ones before it."""

    CORE = "core"
    STANDARD = "standard"
    FULL = "full"

    def includes(self, other: Profile) -> bool:
        """Return whether a run of this profile runs rules of ``other``."""
        order = list(Profile)
        return order.index(other) <= order.index(self)


@dataclass(frozen=True)
class Rule:
    """One rule: what a provider owes, who says so, and the check that finds out.

    ``source`` is the place in Ganeti that the rule comes from, or ``derived:``
    and the reason. ``since`` is the first Ganeti release that it applies to.
    ``needs`` names optional methods and capabilities of conformance.toml
    without which the rule is not applicable. ``nodes`` is how many nodes the check
    uses, ``power`` whether it switches one off. ``rounds`` says how often a rule repeats
    what it tries, in the standard profile and in full; ``""``: it runs one course, once.
    """

    id: str
    level: Level
    sentence: str
    explanation: str
    source: str
    since: str
    profile: Profile
    needs: tuple[str, ...]
    nodes: int
    power: bool
    rounds: str
    check: Check

    @property
    def group(self) -> str:
        """The middle part of the id: ``ATTACH``."""
        return self.id.split("-")[1]

    def to_json(self) -> dict[str, Any]:
        """Return the rule as a JSON object, without its check."""
        return {
            "id": self.id,
            "level": self.level.value,
            "group": self.group,
            "sentence": self.sentence,
            "explanation": self.explanation,
            "source": self.source,
            "since": self.since,
            "profile": self.profile.value,
            "needs": list(self.needs),
            "nodes": self.nodes,
            "power": self.power,
            "rounds": self.rounds,
        }


REGISTRY: dict[str, Rule] = {}


def rule(
    rule_id: str,
    level: Level,
    *,
    source: str,
    since: str = "2.7",
    profile: Profile = Profile.CORE,
    needs: tuple[str, ...] = (),
    nodes: int = 1,
    power: bool = False,
    rounds: str = "",
) -> Callable[[Check], Check]:
    """Register the decorated function as the check of rule ``rule_id``.

    Raises ValueError for an id that is malformed or taken, or a check without
    a docstring: the suite's own mistakes, found when its modules are imported.
    """

    def register(check: Check) -> Check:
        if not _ID.match(rule_id):
            raise ValueError(f"rule id {rule_id!r} is not of the form ES-GROUP-01")
        sentence, explanation = _split_docstring(rule_id, check)
        known = REGISTRY.get(rule_id)
        if known is not None and known.check.__module__ != check.__module__:
            raise ValueError(f"rule {rule_id} is registered twice, again by {check.__name__}")
        REGISTRY[rule_id] = Rule(
            rule_id,
            level,
            sentence,
            explanation,
            source,
            since,
            profile,
            needs,
            nodes,
            power,
            rounds,
            check,
        )
        return check

    return register


def _split_docstring(rule_id: str, check: Check) -> tuple[str, str]:
    docstring = inspect.getdoc(check)
    if not docstring:
        raise ValueError(f"the check of rule {rule_id} has no docstring to be its sentence")
    sentence, _, explanation = docstring.partition("\n\n")
    return " ".join(sentence.split()), explanation.strip()


def rule_of(check: Check) -> Rule | None:
    """Return the rule whose check is the function ``check``, or None."""
    for candidate in REGISTRY.values():
        if (candidate.check.__module__, candidate.check.__qualname__) == (
            check.__module__,
            check.__qualname__,
        ):
            return candidate
    return None
