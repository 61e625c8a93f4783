from __future__ import annotations

import pytest

from extstorage.contract.releases import LATEST, RELEASES, release


@pytest.mark.parametrize(("name", "series"), [("2.7", "2.7"), ("3.0.2", "3.0"), ("2.16.1", "2.16")])
def test_release_belongs_to_a_series(name: str, series: str) -> None:
    assert release(name).name == series


@pytest.mark.parametrize("name", ["", "2", "2.6", "4.0", "three"])
def test_unknown_release_names_those_that_are_known(name: str) -> None:
    with pytest.raises(ValueError, match=r"expected one of 2\.7, .*, 3\.1$"):
        release(name)


def test_releases_are_ordered_as_numbers() -> None:
    assert release("2.10").at_least("2.9")
    assert not release("2.9").at_least("2.10")
    assert list(RELEASES) == sorted(RELEASES, key=lambda each: each.number)
    assert LATEST.name == "3.1"


@pytest.mark.parametrize(
    ("attribute", "first"),
    [
        ("attach_output_lines", "2.13"),
        ("userspace_only", "2.14"),
        ("broken_optional_script_invalidates", "2.14"),
        ("missing_snapshot_is_error", "2.13"),
        ("kvm_uri_schemes", "3.1"),
    ],
)
def test_first_release_that_behaves_so(attribute: str, first: str) -> None:
    assert next(each.name for each in RELEASES if getattr(each, attribute)) == first


def test_missing_snapshot_is_an_error_in_one_release_only() -> None:
    assert [each.name for each in RELEASES if each.missing_snapshot_is_error] == ["2.13"]
