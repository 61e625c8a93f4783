from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extstorage.lint import LINTS, ProviderSource

if TYPE_CHECKING:
    from pathlib import Path

PARAMETER_RULES = [rule for rule in LINTS if "PARAM" in rule]


@pytest.mark.parametrize(
    ("text", "line", "rules"),
    [
        ("pool the pool\nlayout\n", 2, {"ES-PARAM-01"}),
        ("pool the pool\n\n", 2, {"ES-PARAM-02"}),
        ("# note about it\npool the pool\n", 1, {"ES-PARAM-02"}),
        ("pool Größe\n", None, {"ES-PARAM-02"}),
        ("name of the volume\n", 1, {"ES-PARAM-03"}),
        ("dev_type of the device\n", 1, {"ES-PARAM-03"}),
        ("ip of the array\nip again\n", 2, {"ES-PARAM-04"}),
        ("ip of the array\nIP again\n", 2, {"ES-PARAM-04", "ES-PARAM-05"}),
        ("nas-ip of the array\n", 1, {"ES-PARAM-05"}),
    ],
)
def test_bad_line(provider: Path, text: str, line: int | None, rules: set[str]) -> None:
    (provider / "parameters.list").write_text(text, encoding="utf-8")
    source = ProviderSource.read(provider)

    findings = [finding for rule in PARAMETER_RULES for finding in LINTS[rule].check(source)]

    assert {finding.rule for finding in findings} == rules
    assert {finding.line for finding in findings} == {line}


@pytest.mark.parametrize("text", ["", "pool\tthe pool", "  pool the pool\r\nip address\r\n"])
def test_good_file(provider: Path, text: str) -> None:
    (provider / "parameters.list").write_text(text, encoding="utf-8")
    source = ProviderSource.read(provider)

    assert not [finding for rule in PARAMETER_RULES for finding in LINTS[rule].check(source)]
