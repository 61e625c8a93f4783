from __future__ import annotations

import pytest

from extstorage.contract.parameters import defects, parse, problems, render


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("pool the pool\n", [["pool", "the pool"]]),
        ("pool\tthe pool", [["pool", "the pool"]]),
        ("  pool   the  pool \r\n", [["pool", "the  pool "]]),
        ("pool\n", [["pool"]]),
        ("\n", [[]]),
        ("# a note\n", [["#", "a note"]]),
        ("a b\x0cc d\n", [["a", "b"], ["c", "d"]]),  # splitlines knows more ends than \n
    ],
)
def test_parsed_as_ganeti_does(text: str, words: list[list[str]]) -> None:
    assert parse(text) == words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pool the pool\nip address\n", []),
        ("pool\n", [(1, "description")]),
        ("pool the pool\n\n", [(2, "blank")]),
        ("# note\n", [(1, "comment")]),
        ("Pool the pool\n", [(1, "name")]),
        ("access the access\n", [(1, "reserved")]),
        ("SIZE the size\n", [(1, "name"), (1, "reserved")]),
        ("ip a\nip b\n", [(2, "duplicate")]),
        ("pool Größe\n", [(0, "ascii")]),
    ],
)
def test_defects(text: str, found: list[tuple[int, str]]) -> None:
    assert [(line, kind) for line, kind, _sentence in defects(text)] == found


def test_problems_name_the_line() -> None:
    assert problems("pool the pool\n\n") == [
        "line 2: blank: gnt-storage diagnose crashes on it for every provider"
    ]


def test_rendered_file_reads_back() -> None:
    assert parse(render([("pool", "the pool"), ("ip", "address")])) == [
        ["pool", "the pool"],
        ["ip", "address"],
    ]


@pytest.mark.parametrize(
    "parameters",
    [
        [("Pool", "the pool")],
        [("pool", "")],
        [("pool", "two\nlines")],
        [("pool", "x"), ("pool", "y")],
        [("size", "x")],
        [("pool", "Größe")],
    ],
)
def test_bad_parameters_are_not_rendered(parameters: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        render(parameters)
