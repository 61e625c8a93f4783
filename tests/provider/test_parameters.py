"""Declared parameters."""

from __future__ import annotations

import pytest

from extstorage.provider import InvalidInputError, Provider, parameters


class Example(Provider):
    pool = parameters.Text("name of the pool", required=True)
    directory = parameters.Path("where it is", default="/srv/pool")
    quality = parameters.Choice("how", "fast", "safe", default="safe")
    thin = parameters.Flag("yes: late")
    copies = parameters.Number("how many", 1, 12, default="2")
    note = parameters.Text("anything")
    password = parameters.Text("a secret", secret=True)


def test_values_are_typed() -> None:
    given = {"EXTP_POOL": "a", "EXTP_DIRECTORY": "/a//b/./c/", "EXTP_QUALITY": "fast"}
    example = Example("x", {**given, "EXTP_THIN": "yes", "EXTP_COPIES": "12"})
    assert (example.pool, example.directory, example.quality) == ("a", "/a/b/c", "fast")
    assert (example.thin, example.copies, example.note) == (True, 12, "")


def test_defaults_stand_for_what_is_not_given() -> None:
    example = Example("x", {"EXTP_POOL": "a"})
    assert (example.directory, example.quality) == ("/srv/pool", "safe")
    assert (example.thin, example.copies) == (False, 2)


def test_two_calls_do_not_share_values() -> None:
    first, second = Example("x", {"EXTP_POOL": "a"}), Example("x", {"EXTP_POOL": "b"})
    assert (first.pool, second.pool) == ("a", "b")


def test_a_required_parameter_is_named_when_it_is_missing() -> None:
    with pytest.raises(InvalidInputError, match="parameter pool is required"):
        Example("x", {})


def test_verify_can_run_without_any_parameter() -> None:
    assert Example("x", {}, bare=True).pool == ""


def test_what_ganeti_and_others_add_is_ignored() -> None:
    extra = {"EXTP_PROVIDER": "x", "EXTP_ACCESS": "kernelspace", "EXTP_BOGUS": "1", "POOL": "z"}
    assert Example("x", {**extra, "EXTP_POOL": "a"}).pool == "a"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EXTP_POOL", ""),
        ("EXTP_POOL", "\u00e4"),
        ("EXTP_POOL", "a\nb"),
        ("EXTP_DIRECTORY", "relative"),
        ("EXTP_DIRECTORY", ""),
        ("EXTP_DIRECTORY", "/a/../b"),
        ("EXTP_QUALITY", "FAST"),
        ("EXTP_THIN", "true"),
        ("EXTP_COPIES", "0"),
        ("EXTP_COPIES", "13"),
        ("EXTP_COPIES", "1.5"),
        ("EXTP_COPIES", "9" * 5000),
    ],
)
def test_a_wrong_value_is_refused_by_name(variable: str, value: str) -> None:
    name = variable[len("EXTP_") :].lower()
    with pytest.raises(InvalidInputError, match=f"parameter {name}: expected"):
        Example("x", {"EXTP_POOL": "a", variable: value})


def test_a_secret_is_not_told() -> None:
    with pytest.raises(InvalidInputError) as caught:
        Example("x", {"EXTP_POOL": "a", "EXTP_PASSWORD": "hunter\n2"})
    assert "hunter" not in str(caught.value)


def test_parameters_list_is_what_is_declared() -> None:
    lines = Example.parameters_list().splitlines()
    assert lines[0] == "pool name of the pool"
    assert [line.split()[0] for line in lines] == [
        "pool", "directory", "quality", "thin", "copies", "note", "password",
    ]  # fmt: skip
