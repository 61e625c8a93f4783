from __future__ import annotations

from pathlib import Path

import pytest

from extstorage.lint import LINTS, ProviderSource, lint
from extstorage.resources import reference_providers
from extstorage_conformance import catalogue, checks  # noqa: F401 - registers the rules
from extstorage_conformance.rules import REGISTRY

PLAIN = Path(__file__).parents[1] / "providers/plain"


@pytest.mark.parametrize("provider", [PLAIN, *reference_providers()], ids=lambda path: path.name)
def test_good_provider_is_clean(provider: Path) -> None:
    assert not lint(provider)


def test_every_lint_is_a_rule_of_the_suite_with_its_level() -> None:
    catalogue.table()  # loads every check

    assert {rule: one.level for rule, one in LINTS.items()} == {
        rule: REGISTRY[rule].level.value for rule in LINTS
    }


def test_provider_keeps_the_name_of_the_link_to_it(tmp_path: Path) -> None:
    link = tmp_path / "bad.name"
    link.symlink_to(PLAIN)

    assert [finding.rule for finding in lint(link)] == ["ES-DISC-01"]


def test_unreadable_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="nothing is not a directory"):
        ProviderSource.read(tmp_path / "nothing")


def test_empty_directory_has_findings_and_no_crash(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    assert {finding.rule for finding in lint(empty)} == {"ES-DISC-02", "ES-DISC-05"}


def test_link_that_leads_to_itself_is_a_finding(tmp_path: Path) -> None:
    looped = tmp_path / "looped"
    looped.mkdir()
    (looped / "attach").symlink_to("attach")

    assert "ES-DISC-03" in {finding.rule for finding in lint(looped)}
