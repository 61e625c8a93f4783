"""The registry of rules, and the catalogue as it stands."""

from __future__ import annotations

import pytest

from extstorage.contract.methods import OPTIONAL_METHODS
from extstorage.contract.releases import release
from extstorage_conformance import catalogue
from extstorage_conformance.configuration import CAPABILITIES
from extstorage_conformance.rules import Level, Profile, rule, rule_of

RULES = catalogue.rules()


def test_malformed_id_is_refused() -> None:
    with pytest.raises(ValueError, match="ES-GROUP-01"):

        @rule("ATTACH-1", Level.MUST, source="a test")
        def check() -> None:
            """A rule."""


def test_check_without_sentence_is_refused() -> None:
    with pytest.raises(ValueError, match="no docstring"):

        @rule("ES-TEST-01", Level.MUST, source="a test")
        def check() -> None:
            pass


def test_id_is_taken_once() -> None:
    with pytest.raises(ValueError, match="registered twice"):

        @rule("ES-ATTACH-01", Level.MUST, source="a test")
        def check() -> None:
            """A rule."""


def test_profiles_are_nested() -> None:
    assert Profile.FULL.includes(Profile.STANDARD)
    assert Profile.STANDARD.includes(Profile.CORE)
    assert not Profile.CORE.includes(Profile.STANDARD)


@pytest.mark.parametrize("known", RULES, ids=lambda known: known.id)
def test_rule_is_complete(known: object) -> None:
    found = next(candidate for candidate in RULES if candidate is known)

    assert found.sentence.endswith(".")
    assert found.source
    assert release(found.since).name == found.since
    assert set(found.needs) <= {*OPTIONAL_METHODS, *CAPABILITIES, "device"}
    assert rule_of(found.check) is found
