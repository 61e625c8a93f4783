"""The typed values of a call's variables."""

from __future__ import annotations

import pytest

from extstorage.contract.methods import METHOD_NAMES
from extstorage.provider.errors import InvalidInputError
from extstorage.provider.variables import MAX_SIZE_MIB, arguments

NAME = "f0a3c1de-8b0e-4b1c-9f52-2f6b6f0f6d11.ext.disk12"
FULL = {
    "VOL_NAME": NAME,
    "VOL_SIZE": "64",
    "VOL_NEW_SIZE": "96",
    "VOL_METADATA": "originstname+web_1.example",
    "VOL_SNAPSHOT_NAME": f"{NAME}.snap",
    "VOL_SNAPSHOT_SIZE": "64",
    "VOL_OPEN_EXCLUSIVE": "False",
}


@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("create", [NAME, 64]),
        ("attach", [NAME]),
        ("detach", [NAME]),
        ("remove", [NAME]),
        ("grow", [NAME, 64, 96]),
        ("setinfo", [NAME, "originstname+web_1.example"]),
        ("verify", []),
        ("snapshot", [NAME, f"{NAME}.snap", 64]),
        ("open", [NAME, False]),
        ("close", [NAME]),
    ],
)
def test_each_method_gets_its_own_variables(method: str, values: list[object]) -> None:
    assert arguments(method, FULL) == values


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_variables_of_other_methods_mean_nothing(method: str) -> None:
    own = {
        name: FULL[name]
        for name in FULL
        if name == "VOL_NAME" or name in _names_that_matter(method)
    }
    stray = {name: "-1" for name in FULL if name not in own}
    assert arguments(method, {**stray, **own, "VOL_FUTURE": "1"}) == arguments(method, own)


def _names_that_matter(method: str) -> set[str]:
    return {name for name in FULL if _is_needed(method, name)}


def _is_needed(method: str, name: str) -> bool:
    try:
        arguments(method, {key: value for key, value in FULL.items() if key != name})
    except InvalidInputError:
        return True
    return False


@pytest.mark.parametrize(
    "name",
    ["", "..", ".hidden", "-rf", "a/b", "a b", "a\nb", "a+b", "a;b", "a$b", "\u00e4", "v" * 201],
)
def test_a_name_that_is_unsafe_in_a_path_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="VOL_NAME"):
        arguments("attach", {"VOL_NAME": name})


@pytest.mark.parametrize("name", ["v" * 200, "_", "0", "a..b", NAME])
def test_an_unusual_name_is_taken(name: str) -> None:
    assert arguments("attach", {"VOL_NAME": name}) == [name]


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "+1", " 1", "1 ", "1e3", "10G", "1.5", "0x10", "\u0663", "abc",
     str(MAX_SIZE_MIB + 1), str(2**63), str(2**64 + 1), "9" * 5000],
)  # fmt: skip
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="VOL_SIZE"):
        arguments("create", {"VOL_NAME": "v", "VOL_SIZE": text})


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("1023", 1023), (str(MAX_SIZE_MIB), MAX_SIZE_MIB)]
)
def test_a_size_is_a_number_of_mib(text: str, size: int) -> None:
    assert arguments("create", {"VOL_NAME": "v", "VOL_SIZE": text}) == ["v", size]


@pytest.mark.parametrize("text", ["", "true", "TRUE", "1", "yes", "False ", "None"])
def test_exclusive_is_exactly_true_or_false(text: str) -> None:
    with pytest.raises(InvalidInputError, match="VOL_OPEN_EXCLUSIVE"):
        arguments("open", {"VOL_NAME": "v", "VOL_OPEN_EXCLUSIVE": text})


@pytest.mark.parametrize("text", ["_", "x" * 128, "-A-Za-z0-9_+.", "originstname+a"])
def test_metadata_that_ganeti_can_send_is_taken(text: str) -> None:
    assert arguments("setinfo", {"VOL_NAME": "v", "VOL_METADATA": text}) == ["v", text]


@pytest.mark.parametrize("text", ["", "x" * 129, "a b", "$(id)", "a/b", "a\n", "\u00e4"])
def test_metadata_that_ganeti_cannot_send_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="VOL_METADATA"):
        arguments("setinfo", {"VOL_NAME": "v", "VOL_METADATA": text})


def test_a_message_is_short_whatever_was_found() -> None:
    with pytest.raises(InvalidInputError) as caught:
        arguments("attach", {"VOL_NAME": "a/" * 40000})
    assert len(str(caught.value)) < 300
