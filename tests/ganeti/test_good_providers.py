"""The providers that work, on real loop devices."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ganeti.world import World

ROOT = Path(__file__).parents[2]
PROVIDERS = {
    "loopback": ROOT / "reference-providers" / "loopback",
    "plain": ROOT / "tests" / "providers" / "plain",
}

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)


@pytest.fixture(scope="module", autouse=True)
def no_minor_zero(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Occupy /dev/loop0: Ganeti attaches a device of minor 0 more often, so both need the same."""
    image = tmp_path_factory.mktemp("loop0") / "image"
    image.write_bytes(bytes(1 << 20))
    taken = _occupy(image)
    yield
    if taken:
        subprocess.run(["losetup", "--detach", "/dev/loop0"], check=True)


def _occupy(image: Path) -> bool:
    """Attach an image to /dev/loop0; wait for whoever has it, who may keep it for good."""
    for _ in range(25):
        command = ["losetup", "/dev/loop0", str(image)]
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            return True
        time.sleep(0.2)
    return False


@pytest.fixture(params=PROVIDERS)
def good(world: Callable[..., World], request: pytest.FixtureRequest) -> World:
    return world(
        provider=request.param, source=PROVIDERS[request.param], store_parameter="directory"
    )


@pytest.fixture
def disk() -> dict[str, Any]:
    return {"name": f"{uuid.uuid4()}.ext.disk0", "uuid": str(uuid.uuid4()), "size_mib": 8}


def test_discovery(good: World) -> None:
    assert good.compare(good.request("load"))["error"] is None


def test_life_of_a_volume(good: World, disk: dict[str, Any]) -> None:
    life = good.request(
        "create",
        "attach",
        "open",
        ("setinfo", {"text": "originstname+inst1.example.test"}),
        ("grow", {"amount_mib": 4}),
        "close",
        ("open", {"exclusive": False}),
        "close",
        "detach",
        "attach",
        "snapshot",
        "detach",
        "remove",
        **disk,
    )
    of_snapshot = good.request(
        "attach", "open", "detach", "remove", **{**disk, "name": f"{disk['name']}.snap"}
    )
    answers = good.compare_all([life, of_snapshot])
    assert [answer["error"] for answer in answers] == [None, None]
    assert all(call["status"] == 0 for answer in answers for call in answer["calls"])


@pytest.mark.parametrize(
    "wrong",
    [{"size_mib": 0}, {"size_mib": -1}, {"name": "a b"}, {"name": ""}, {"parameters": {}}],
    ids=str,
)
def test_refusal(good: World, disk: dict[str, Any], wrong: dict[str, Any]) -> None:
    answer = good.compare(good.request("create", "remove", **disk | wrong))
    assert answer["error"][0] == "BlockDeviceError"


def test_volume_that_is_there_already(good: World, disk: dict[str, Any]) -> None:
    answers = good.compare_all(
        [
            good.request("create", "detach", **disk),
            good.request("create", **disk),
            good.request("attach", "remove", **disk),
        ]
    )
    assert [bool(answer["error"]) for answer in answers] == [False, True, False]


def test_volume_that_is_not_there(good: World, disk: dict[str, Any]) -> None:
    assert good.compare(good.request("attach", "remove", **disk))["error"]
