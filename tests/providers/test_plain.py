"""The plain provider on real loop devices, each script called with a bare environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parent / "plain"
MIB = 1 << 20
UUID = "6f1c8b52-3c0a-4d53-9c0e-5d8f5e7a2b11"
DISK1 = f"{UUID}.ext.disk1"
DISK10 = f"{UUID}.ext.disk10"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)


class Plain:
    """A copy of the provider with its pool; every loop device of the pool goes with it."""

    def __init__(self, directory: Path, name: str = "plain") -> None:
        self.pool = directory / "pool"
        self.path = directory / name
        shutil.copytree(SOURCE, self.path)

    def call(
        self, method: str, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        environment = {"LC_ALL": "C", "EXTP_DIRECTORY": str(self.pool), "EXTP_PROVIDER": "plain"}
        return subprocess.run(
            [self.path / method, *arguments],
            env=environment | variables,
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def succeeds(self, method: str, volume: str, **variables: str) -> str:
        call = self.call(method, VOL_NAME=volume, **variables)
        assert call.returncode == 0, call.stderr
        assert call.stderr == ""
        return call.stdout

    def fails(self, method: str, volume: str, **variables: str) -> str:
        before = sorted(self.pool.rglob("*"))
        call = self.call(method, VOL_NAME=volume, **variables)
        assert call.returncode == 1
        assert call.stdout == ""
        assert sorted(self.pool.rglob("*")) == before
        return call.stderr

    def devices(self) -> list[str]:
        """Return the loop devices whose image lies in the pool."""
        return [
            f"/dev/{backing.parent.parent.name}"
            for backing in Path("/sys/block").glob("loop*/loop/backing_file")
            if backing.read_text().startswith(f"{self.pool}/")
        ]

    def clean_up(self) -> None:
        for device in self.devices():
            subprocess.run(["losetup", "--detach", device], check=True)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Plain]:
    provider = Plain(tmp_path)
    yield provider
    provider.clean_up()


def size_of(device: str) -> int:
    return int(subprocess.check_output(["blockdev", "--getsize64", device]))


def test_lifecycle_leaves_nothing(plain: Plain) -> None:
    plain.succeeds("create", DISK1, VOL_SIZE="3")
    device = plain.succeeds("attach", DISK1)
    plain.succeeds("open", DISK1, VOL_OPEN_EXCLUSIVE="True")
    plain.succeeds("setinfo", DISK1, VOL_METADATA="originstname+inst1.example.test")
    assert size_of(device) == 3 * MIB
    plain.succeeds("grow", DISK1, VOL_SIZE="3", VOL_NEW_SIZE="5")
    assert plain.succeeds("attach", DISK1) == device
    assert size_of(device) == 5 * MIB
    plain.succeeds("close", DISK1)
    for _ in range(2):
        plain.succeeds("detach", DISK1)
    for _ in range(2):
        plain.succeeds("remove", DISK1)
    assert plain.devices() == []
    assert list(plain.pool.iterdir()) == []


def test_full_layout_allocates(plain: Plain) -> None:
    plain.succeeds("create", DISK1, VOL_SIZE="4", EXTP_LAYOUT="full")
    image = plain.pool / f"plain.{DISK1}" / "image"
    assert image.stat().st_blocks * 512 >= 4 * MIB


def test_prefix_names_are_two_volumes(plain: Plain) -> None:
    for volume in (DISK10, DISK1):
        plain.succeeds("create", volume, VOL_SIZE="1")
    first, second = (plain.succeeds("attach", volume) for volume in (DISK1, DISK10))
    assert first != second
    plain.succeeds("detach", DISK1)
    plain.succeeds("remove", DISK1)
    assert plain.devices() == [second]
    assert plain.succeeds("attach", DISK10) == second


def test_copies_have_volumes_of_their_own(plain: Plain, tmp_path: Path) -> None:
    other = Plain(tmp_path, "other_name")
    plain.succeeds("create", DISK1, VOL_SIZE="1")
    assert f"no volume {DISK1}" in other.fails("attach", DISK1)


def test_snapshot_is_frozen_and_independent(plain: Plain) -> None:
    plain.succeeds("create", DISK1, VOL_SIZE="2")
    device = Path(plain.succeeds("attach", DISK1))
    with device.open("r+b") as origin:
        origin.write(b"before")
        origin.flush()
        plain.succeeds("snapshot", DISK1, VOL_SNAPSHOT_NAME=f"{DISK1}.snap", VOL_SNAPSHOT_SIZE="2")
        origin.seek(0)
        origin.write(b"after!")
    snapshot = Path(plain.succeeds("attach", f"{DISK1}.snap"))
    assert snapshot.read_bytes()[:6] == b"before"
    plain.succeeds("detach", f"{DISK1}.snap")
    plain.succeeds("remove", f"{DISK1}.snap")
    assert device.read_bytes()[:6] == b"after!"


def test_detach_of_a_busy_device_fails_and_keeps_it(plain: Plain) -> None:
    plain.succeeds("create", DISK1, VOL_SIZE="1")
    device = plain.succeeds("attach", DISK1)
    with Path(device).open("rb"):
        assert "in use" in plain.fails("detach", DISK1)
        assert "in use" in plain.fails("remove", DISK1)
    assert plain.devices() == [device]
    plain.succeeds("remove", DISK1)
    assert plain.devices() == []


def test_image_replaced_behind_the_provider(plain: Plain) -> None:
    plain.succeeds("create", DISK1, VOL_SIZE="1")
    stale = plain.succeeds("attach", DISK1)
    shutil.rmtree(plain.pool / f"plain.{DISK1}")
    plain.succeeds("create", DISK1, VOL_SIZE="2")
    assert plain.succeeds("attach", DISK1) != stale
    plain.succeeds("detach", DISK1)
    assert plain.devices() == []


def test_parallel_attach_makes_one_mapping(plain: Plain) -> None:
    plain.succeeds("create", DISK1, VOL_SIZE="1")
    environment = {"EXTP_DIRECTORY": str(plain.pool), "VOL_NAME": DISK1}
    calls = [
        subprocess.Popen([plain.path / "attach"], env=environment, stdout=subprocess.PIPE)
        for _ in range(8)
    ]
    assert {call.communicate()[0] for call in calls} == {plain.devices()[0].encode()}
    assert len(plain.devices()) == 1


def test_create_refuses_an_existing_name_of_any_size(plain: Plain) -> None:
    plain.succeeds("create", DISK1, VOL_SIZE="1")
    for size in ("1", "2"):
        assert "exists already" in plain.fails("create", DISK1, VOL_SIZE=size)


def test_grow_never_shrinks(plain: Plain) -> None:
    plain.succeeds("create", DISK1, VOL_SIZE="2")
    assert "less than" in plain.fails("grow", DISK1, VOL_SIZE="2", VOL_NEW_SIZE="1")
    plain.succeeds("grow", DISK1, VOL_SIZE="2", VOL_NEW_SIZE="2")


def test_setinfo_replaces(plain: Plain) -> None:
    plain.succeeds("create", DISK1, VOL_SIZE="1")
    for text in ("originstname+a", "originstname+b"):
        plain.succeeds("setinfo", DISK1, VOL_METADATA=text)
    assert (plain.pool / f"plain.{DISK1}" / "info").read_text() == "originstname+b\n"


@pytest.mark.parametrize("size", ["", "0", "-1", "1e3", "10G", " 1", "1\n", "010", str(2**63)])
def test_create_refuses_sizes(plain: Plain, size: str) -> None:
    plain.pool.mkdir()
    assert "VOL_SIZE" in plain.fails("create", DISK1, VOL_SIZE=size)


def test_create_that_cannot_allocate_leaves_nothing(plain: Plain) -> None:
    plain.pool.mkdir()
    assert "cannot allocate" in plain.fails("create", DISK1, VOL_SIZE="99999999")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "-x", ".hidden", "a b", "a\n", "a*"]
)
@pytest.mark.parametrize("method", ["create", "attach", "remove"])
def test_names_are_refused(plain: Plain, method: str, name: str) -> None:
    plain.pool.mkdir()
    assert "VOL_NAME" in plain.fails(method, name, VOL_SIZE="1")


@pytest.mark.parametrize(
    "parameters",
    [
        {"EXTP_DIRECTORY": ""},
        {"EXTP_DIRECTORY": "pool"},
        {"EXTP_DIRECTORY": "/nonexistent/pool/volumes"},
        {"EXTP_DIRECTORY": "/dev/null"},
        {"EXTP_LAYOUT": ""},
        {"EXTP_LAYOUT": "thick"},
    ],
)
def test_parameters_are_refused(plain: Plain, parameters: dict[str, str]) -> None:
    assert "parameter" in plain.fails("create", DISK1, VOL_SIZE="1", **parameters)
    assert plain.call("verify", **parameters).returncode == 1


def test_verify_has_no_side_effect(plain: Plain) -> None:
    for arguments in ((), ("parameters",), ("tools", "parameters")):
        call = plain.call("verify", *arguments)
        assert (call.returncode, call.stdout, call.stderr) == (0, "", "")
    assert plain.call("verify", "bogus").returncode == 2
    assert not plain.pool.exists()


@pytest.mark.parametrize(
    "method", sorted(path.name for path in SOURCE.iterdir() if path.stat().st_mode & 0o100)
)
def test_help_and_arguments(plain: Plain, method: str) -> None:
    call = plain.call(method, "--help", VOL_NAME=DISK1, VOL_SIZE="1")
    assert (call.returncode, call.stderr) == (0, "")
    assert call.stdout.startswith(f"usage: {method}")
    call = plain.call(method, "a", "b", "c", VOL_NAME=DISK1, VOL_SIZE="1")
    assert (call.returncode, call.stdout) == (2, "")
    assert "usage" in call.stderr
    assert not plain.pool.exists()


@pytest.mark.parametrize("value", ["true", "1", "", "false", "True "])
def test_open_takes_exactly_true_and_false(plain: Plain, value: str) -> None:
    plain.succeeds("create", DISK1, VOL_SIZE="1")
    plain.succeeds("attach", DISK1)
    assert "True or False" in plain.fails("open", DISK1, VOL_OPEN_EXCLUSIVE=value)


def test_scripts_pass_shellcheck() -> None:
    scripts = sorted(path for path in SOURCE.iterdir() if path.stat().st_mode & 0o100)
    assert len(scripts) == 10
    call = subprocess.run(
        ["shellcheck", SOURCE / "common.sh", *scripts], capture_output=True, text=True, check=False
    )
    assert call.returncode == 0, call.stdout
