from __future__ import annotations

import pytest

from extstorage.contract import methods


def test_seven_are_required_and_three_are_not() -> None:
    assert methods.REQUIRED_METHODS == (
        "create", "attach", "detach", "remove", "grow", "setinfo", "verify",
    )  # fmt: skip
    assert methods.OPTIONAL_METHODS == ("snapshot", "open", "close")


@pytest.mark.parametrize("name", methods.METHOD_NAMES)
def test_method_by_name(name: str) -> None:
    assert methods.method(name).name == name


def test_unknown_method() -> None:
    with pytest.raises(KeyError, match="format"):
        methods.method("format")
