"""The development back end of a new project, where no rule of the suite reaches."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.scaffold.projects import bake, provider_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
        reason="needs root and loop devices",
    ),
]
VOLUME = "6f1c8b52-3c0a-4d53-9c0e-5d8f5e7a2b11.ext.disk0"
SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What another call on the node may do between two steps of detach: take the device that is free.
TAKES_IT = """\
#!/bin/sh
PATH=%s
losetup "$@" || exit
[ "$1" != --detach ] || losetup "$2" "${0%%/*}/another" || :
"""


class Project:
    """A provider's scripts and a pool."""

    def __init__(self, provider: Path, place: Path) -> None:
        self.provider = provider
        self.pool = place / "pool"
        self.pool.mkdir(mode=0o700)
        self.path = SYSTEM

    def call(self, method: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script for the volume."""
        settings = {"EXTP_DEV_DIRECTORY": str(self.pool), "VOL_NAME": VOLUME, "PATH": self.path}
        return subprocess.run(
            [self.provider / method],
            env=settings | variables,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(params=["sh", "python"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    baked = bake(tmp_path, language=request.param, parameters="")
    made = Project(provider_of(baked), tmp_path)
    yield made
    made.path = SYSTEM
    made.call("detach")


def test_a_device_that_another_volume_gets_at_once_is_let_go(
    project: Project, tmp_path: Path
) -> None:
    assert project.call("create", VOL_SIZE="8").returncode == 0
    device = project.call("attach").stdout
    other = tmp_path / "tools/another"
    other.parent.mkdir()
    other.write_bytes(b"\0" * 4096)
    losetup = other.with_name("losetup")
    losetup.write_text(TAKES_IT % SYSTEM)
    losetup.chmod(0o755)
    project.path = f"{other.parent}:{SYSTEM}"

    detached = project.call("detach")
    try:
        held = Path(f"/sys/block/{Path(device).name}/loop/backing_file").read_text()
        assert not held.startswith(f"{project.pool}/")  # the other's, or a third one's
    finally:
        for each in _devices_of(other):
            subprocess.run(["losetup", "--detach", each], check=True)
    assert (detached.returncode, detached.stderr) == (0, "")


def _devices_of(file: Path) -> list[str]:
    words = ["losetup", "--noheadings", "--output", "NAME", "--associated", str(file)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
