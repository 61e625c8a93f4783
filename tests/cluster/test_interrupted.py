"""A node or a command is lost in the middle: it is told, and there is a way on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from extstorage.cluster.location import DIRECTORY
from extstorage.cluster.power import end
from extstorage.resources import reference_provider
from tests.cluster.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME = "moving"
# The first call that finds a file called after it and the node moves that, and waits while it is
# there.
_SCRIPT = """\
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
method=$(basename "$0")
held=$method
case $VOL_NAME in *.snap) held=$method-snapshot ;; esac
hold=$EXTP_DIRECTORY/hold-$held-$(uname -n | cut -d. -f1)
if [ -e "$hold" ]; then
    mv "$hold" "$hold.reached"
    while [ -e "$hold.reached" ]; do sleep 0.02; done
fi
exec "$here/../loopback/$method"
"""


_MIGRATION = ("gnt-instance", "migrate", "-n", "node2", NAME)
_EXPORT = ("gnt-backup", "export", "-n", "node2", "--noshutdown", NAME)


class Held:
    """A command, a migration to node2 if no other, that waits in one of its calls."""

    def __init__(
        self,
        shell: Shell,
        method: str,
        node: str,
        words: Sequence[str] = _MIGRATION,
        **environment: str,
    ) -> None:
        self._hold = shell.shared / f"hold-{method}-{node}"
        self._reached = self._hold.with_name(f"{self._hold.name}.reached")
        self._hold.touch()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "extstorage", *words],
            cwd=shell.directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, **environment},
        )

    def __enter__(self) -> Self:
        give_up = time.monotonic() + 60
        while not self._reached.exists():
            assert self.process.poll() is None, "it ended before"
            assert time.monotonic() < give_up, "the call never came"
            time.sleep(0.02)
        return self

    def __exit__(self, *_error: object) -> None:
        self._hold.unlink(missing_ok=True)
        self._reached.unlink(missing_ok=True)
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def said(self) -> tuple[int, str]:
        """Let it go on; return its exit status and what it complains about."""
        self._reached.unlink()
        return self._end()

    def interrupted(self) -> tuple[int, str]:
        """Interrupt it where it waits; return its exit status and what it complains about."""
        self.process.send_signal(signal.SIGINT)
        return self._end()

    def _end(self) -> tuple[int, str]:
        _output, complaint = self.process.communicate(timeout=120)
        return self.process.returncode, complaint


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    if os.geteuid() != 0:
        pytest.skip("not root: namespace nodes need root")
    shell = Shell(tmp_path_factory.mktemp("interrupted"))
    shell.do("cluster", "init")
    try:
        shell.do("cluster", "install-provider", str(_provider(shell.directory / "held")))
        yield shell
    finally:
        end(shell.directory / DIRECTORY)


def _provider(directory: Path) -> Path:
    directory.mkdir()
    loopback = Path(reference_provider("loopback"))
    (directory / "parameters.list").write_bytes((loopback / "parameters.list").read_bytes())
    for script in ("create", "attach", "detach", "remove", "grow", "setinfo", "verify", "open",
                   "close", "snapshot"):  # fmt: skip
        (directory / script).write_text(_SCRIPT)
        (directory / script).chmod(0o755)
    return directory


@pytest.fixture
def moving(shell: Shell) -> Iterator[Shell]:
    disk = f"0:size=8M,provider=held,directory={shell.shared}"
    shell.do("gnt-instance", "add", "-t", "ext", "-n", "node1", "--disk", disk, NAME)
    device = Path(shell.device(NAME))
    with device.open("r+b") as file:
        file.write(b"kept")
    yield shell
    shell.do("gnt-instance", "remove", "-f", NAME)
    assert list(shell.shared.glob("held/*.ext.disk0")) == []


LOSSES = {
    "kill": ("boot", "its power was cut"),
    "cut-off": ("reconnect", "cut off from the network"),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("method", "node", "told"),
    [
        ("close", "node2", "Cannot close instance disks on node node2"),
        ("open", "node2", "Cannot open instance disks on node node2"),
        ("attach", "node2", "Cannot close instance disks on node node2"),
    ],
)
def test_the_target_is_lost_before_the_memory_moves(
    moving: Shell, loss: str, method: str, node: str, told: str
) -> None:
    undo, reason = LOSSES[loss]
    with Held(moving, method, node) as held:
        moving.do("cluster", loss, node)
        status, complaint = held.said()

    assert status == 1
    assert told in complaint
    assert reason in complaint
    assert moving.node(NAME) == "node1"
    moving.do("cluster", undo, node)
    moving.do("gnt-instance", "migrate", "-n", "node2", NAME)
    assert Path(moving.device(NAME)).read_bytes()[:4] == b"kept"


def test_the_source_is_cut_off_after_the_memory_has_moved(moving: Shell) -> None:
    with Held(moving, "close", "node1") as held:
        moving.do("cluster", "cut-off", "node1")
        status, complaint = held.said()

    assert status == 1
    assert "Cannot close instance disks on node node1" in complaint
    assert moving.node(NAME) == "node2"
    moving.do("cluster", "reconnect", "node1")
    moving.do("gnt-instance", "migrate", "--cleanup", "-n", "node1", NAME)
    assert Path(moving.device(NAME)).read_bytes()[:4] == b"kept"
    # The old source is attached until the instance has been there again.
    moving.do("gnt-instance", "migrate", "-n", "node1", NAME)


def test_a_source_that_dies_at_the_very_end_is_missed_by_nobody(moving: Shell) -> None:
    with Held(moving, "detach", "node1") as held:
        moving.do("cluster", "kill", "node1")
        status, _complaint = held.said()

    assert status == 0
    assert moving.node(NAME) == "node2"
    moving.do("cluster", "boot", "node1")
    assert Path(moving.device(NAME)).read_bytes()[:4] == b"kept"


def test_a_command_that_is_killed(moving: Shell) -> None:
    with Held(moving, "open", "node2") as held:
        os.killpg(held.process.pid, signal.SIGKILL)
        held.process.wait()
        give_up = time.monotonic() + 60
        while _runs("/held/open"):  # what it has begun ends with it
            assert time.monotonic() < give_up, "its script runs on"
            time.sleep(0.02)

    assert moving.node(NAME) == "node1"
    moving.do("gnt-instance", "migrate", "--cleanup", "-n", "node2", NAME)
    moving.do("gnt-instance", "migrate", "-n", "node2", NAME)
    assert Path(moving.device(NAME)).read_bytes()[:4] == b"kept"


@pytest.mark.parametrize("resident", ["yes", "no"])
def test_an_interrupted_export_takes_its_snapshot_away(moving: Shell, resident: str) -> None:
    with Held(moving, "attach-snapshot", "node1", _EXPORT, EXTSTORAGE_RESIDENT=resident) as held:
        status, complaint = held.interrupted()

        assert not _runs("/held/attach")  # although nobody has let it go on

    assert (status, complaint) == (130, "extstorage: interrupted\n")
    assert list(moving.shared.glob("held/*.snap*")) == []


def _runs(script: str) -> bool:
    """Return whether a process of this machine or its nodes has such a script."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.fsencode(script) in (process / "cmdline").read_bytes():
                return True
    return False
