"""Every operation on a volume of a good provider: calls, environment, results, the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.ganeti.world import VOLUME

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ganeti.world import World


def _methods(answer: dict[str, Any]) -> list[str]:
    return [call["argv"][0].rsplit("/", 1)[1] for call in answer["calls"]]


OPERATIONS: dict[str, tuple[list[Any], list[str]]] = {
    "create": (["create"], ["create", "attach"]),
    "attach again": (["create", "attach"], ["create", "attach", "attach"]),
    "detach": (["create", "detach"], ["create", "attach", "detach"]),
    "detach twice": (
        ["create", "detach", "detach"],
        ["create", "attach", "detach", "attach", "detach"],
    ),
    "remove": (["create", "remove"], ["create", "attach", "detach", "remove"]),
    "remove what is gone": (["attach", "remove"], ["attach"]),
    "remove twice": (
        ["create", "remove", "remove"],
        ["create", "attach", "detach", "remove", "attach"],
    ),
    "open exclusive": (["create", "open"], ["create", "attach", "open"]),
    "open shared": (["create", ("open", {"exclusive": False})], ["create", "attach", "open"]),
    "close": (["create", "close"], ["create", "attach", "close"]),
    "grow": (["create", ("grow", {"amount_mib": 16})], ["create", "attach", "attach", "grow"]),
    "grow, dry run": (
        ["create", ("grow", {"amount_mib": 16, "dryrun": True})],
        ["create", "attach", "attach"],
    ),
    "grow, no backing store": (
        ["create", ("grow", {"amount_mib": 16, "backingstore": False})],
        ["create", "attach"],
    ),
    "setinfo": (
        ["create", ("setinfo", {"text": "originstname+inst1.example.test"})],
        ["create", "attach", "setinfo"],
    ),
    "setinfo with strange characters": (
        ["create", ("setinfo", {"text": "-a b\n/é☃$(x);'\"-" + "y" * 200})],
        ["create", "attach", "setinfo"],
    ),
    "setinfo without text": (
        ["create", ("setinfo", {"text": ""})],
        ["create", "attach", "setinfo"],
    ),
    "snapshot": (["create", "snapshot"], ["create", "attach", "snapshot"]),
    "snapshot with name and size": (
        ["create", ("snapshot", {"name": "snap1", "size_mib": 128})],
        ["create", "attach", "snapshot"],
    ),
    "URI without one": (["create", ("uri", {"hypervisor": "kvm"})], ["create", "attach", "attach"]),
    "exclusive storage": ([("create", {"exclusive_storage": True})], []),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(world: Callable[..., World], name: str) -> None:
    steps, methods = OPERATIONS[name]
    here = world()
    assert _methods(here.compare(here.request(*steps))) == methods


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_on_minor_zero(world: Callable[..., World], name: str) -> None:
    here = world(minor=0)
    here.compare(here.request(*OPERATIONS[name][0]))


def test_minor_above_255(world: Callable[..., World]) -> None:
    here = world(minor=0x12345)
    answer = here.compare(here.request("create"))
    assert answer["device"]["minor"] == 0x12345


@pytest.mark.parametrize(
    "disk",
    [
        {"cname": "database"},
        {"cname": ""},
        {"size_mib": 0},
        {"name": "UPPER_lower-0.1"},
        {"name": "a b;c"},
        {"name": "../outside"},
        {"name": "a/b"},
        {"name": ""},
    ],
    ids=str,
)
def test_disk(world: Callable[..., World], disk: dict[str, Any]) -> None:
    here = world()
    here.compare(here.request("create", "open", ("grow", {"amount_mib": 4}), "snapshot", **disk))


@pytest.mark.parametrize(
    "parameters",
    [
        {"pool": "a b c;$HOME", "x": "y=z"},
        {"access": "userspace"},
        {"provider": "another"},
        {"POOL": "1", "Pool": "2"},
        {"weird-key.x": "v"},
        {"a=b": "v"},
        {"nul": "a\0b"},
        {"text": "é☃"},
        {"empty": ""},
    ],
    ids=str,
)
def test_parameters(world: Callable[..., World], parameters: dict[str, str]) -> None:
    here = world(parameters=parameters)
    here.compare(here.request("create", "snapshot"))


@pytest.mark.parametrize("method", ["snapshot", "open", "close"])
def test_optional_method_that_is_missing(world: Callable[..., World], method: str) -> None:
    here = world(change=lambda directory: (directory / method).unlink())
    answer = here.compare(here.request("create", method))
    assert _methods(answer) == ["create", "attach"]
    assert answer["error"] is None


def test_missing_log_directory_is_told_before_a_missing_script_is_skipped(
    world: Callable[..., World],
) -> None:
    def change(directory: Path) -> None:
        (directory / "open").unlink()
        (here.path / "log").rmdir()
        (here.store / VOLUME).touch()

    here = world(change=change)
    answer = here.compare(here.request("attach", "open"))
    assert answer["error"] == [
        "BlockDeviceError",
        f"Cannot find log directory: {here.path}/log",
    ]
