"""No MUST without a mutant that breaks it, and no mutant of a rule that is not there."""

from __future__ import annotations

import pytest

from extstorage_conformance import catalogue
from extstorage_conformance.rules import Level
from tests.mutants.build import all_mutants

RULES = catalogue.rules()
NAMED = {rule_id for mutant in all_mutants() for rule_id in mutant.breaks}
IN_THEIR_WAKE = {
    rule_id for mutant in all_mutants() for rule_id in (*mutant.also, *mutant.sometimes)
}


@pytest.mark.parametrize("rule_id", [rule.id for rule in RULES if rule.level is Level.MUST])
def test_rule_has_a_mutant(rule_id: str) -> None:
    assert rule_id in NAMED


def test_every_rule_that_a_mutant_names_is_there() -> None:
    assert not (NAMED | IN_THEIR_WAKE) - {rule.id for rule in RULES}
