"""Sizes, as Ganeti reads and writes them."""

from __future__ import annotations

import pytest

from extstorage.cluster.errors import NumberError, UnitParseError
from extstorage.cluster.units import format_unit, parse_unit


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("1", 4), ("4", 4), ("5", 8), ("90M", 92), ("1.5g", 1536), ("2G", 2048), ("2GB", 2048),
        ("2 GiB", 2048), ("1t", 1048576), ("0.1", 4), ("0", 0), ("3.5", 4),
    ],
)  # fmt: skip
def test_parse_unit(text: str, mib: int) -> None:
    assert parse_unit(text) == mib


@pytest.mark.parametrize("text", ["", "G", "-4", "4 G B", "0x10", "4k", "1e3"])
def test_no_size(text: str) -> None:
    with pytest.raises(UnitParseError):
        parse_unit(text)


@pytest.mark.parametrize("text", ["1.2.3", ".", "9" * 400])
def test_no_number(text: str) -> None:
    with pytest.raises(NumberError):
        parse_unit(text)


@pytest.mark.parametrize(
    ("mib", "text"), [(64, "64M"), (1023, "1023M"), (1536, "1.5G"), (2097152, "2.0T")]
)
def test_format_unit(mib: int, text: str) -> None:
    assert format_unit(mib) == text
