"""The process that carries commands out: as if there were none, and gone when it should be."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage.cli import handover, resident
from extstorage.cluster import location
from extstorage.cluster.power import end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SDK = Path(resident.__file__).parents[2]


class Typist:
    """Types commands in a directory that has a cluster, with a copy of the code."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / location.DIRECTORY
        self.code = directory / "code"
        shutil.copytree(SDK, self.code, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(SDK.parent / "reference-providers", directory / "reference-providers")

    def begin(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "extstorage", *words],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(self.code), **environment},
        )

    def type(self, *words: str, **environment: str) -> tuple[int, str, str]:
        with self.begin(*words, **environment) as process:
            said, complained = process.communicate(timeout=60)
            return process.returncode, said, complained

    def residents(self) -> list[int]:
        """Return the processes that wait for this cluster's commands."""
        wanted = [b"-m", b"extstorage.cli.resident", os.fsencode(self.state)]
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            except OSError:
                continue
            if words[1:] == wanted:
                found.append(int(entry.name))
        return found

    def wait_for(self, condition: Callable[[], bool]) -> None:
        give_up = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < give_up, "it did not come about"
            time.sleep(0.02)

    def wait_for_resident(self) -> int:
        def is_up() -> bool:
            try:
                handover.connected(str(self.state)).close()
            except OSError:
                return False
            return True

        self.wait_for(is_up)
        return min(self.residents())


@pytest.fixture(scope="module")
def typist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Typist]:
    if os.geteuid() != 0:
        pytest.skip("not root: namespace nodes need root")
    typist = Typist(tmp_path_factory.mktemp("resident"))
    assert typist.type("cluster", "init", "--nodes", "namespaces:1")[0] == 0
    yield typist
    end(typist.state)
    typist.wait_for(lambda: not typist.residents())


def test_it_is_there_after_init_and_alone(typist: Typist) -> None:
    first = typist.wait_for_resident()

    resident.start(typist.state)
    time.sleep(0.5)

    assert typist.residents() == [first]


@pytest.mark.parametrize(
    "words",
    [
        ("gnt-instance", "list"),
        ("gnt-instance", "info", "nosuch"),
        ("gnt-instance", "info", "--nosuch"),
        ("gnt-instance", "nosuch"),
        ("gnt-storage", "info", "loopback"),
        ("gnt-instance", "add", "--help"),
    ],
)
def test_it_says_what_a_process_of_its_own_says(typist: Typist, words: tuple[str, ...]) -> None:
    typist.wait_for_resident()

    handed = typist.type(*words)

    assert handed == typist.type(*words, EXTSTORAGE_RESIDENT="no")


def test_working_directory_and_environment_are_the_commands_own(
    typist: Typist, tmp_path: Path
) -> None:
    typist.wait_for_resident()
    variable = {"EXTSTORAGE_CLUSTER": str(tmp_path)}

    status, _said, complained = typist.type("gnt-instance", "list", **variable)
    again = typist.type("gnt-instance", "list", "--trace", "trace-here")

    assert status == 2
    assert f"{tmp_path} is no cluster" in complained
    assert again[0] == 0
    assert (typist.directory / "trace-here").is_file()


def test_other_code_is_served_by_another_process(typist: Typist) -> None:
    first = typist.wait_for_resident()
    units = typist.code / "extstorage" / "cluster" / "units.py"
    units.write_text(units.read_text() + "\n# changed\n")

    assert typist.type("gnt-instance", "list")[0] == 0
    typist.wait_for(lambda: first not in typist.residents())
    assert typist.type("gnt-instance", "list")[0] == 0

    assert typist.wait_for_resident() != first


def test_an_interrupt_reaches_the_command(typist: Typist) -> None:
    typist.wait_for_resident()
    holder = subprocess.Popen(
        ["flock", "-x", str(typist.state / "locks" / "cluster"), "sleep", "60"],
        start_new_session=True,
    )
    try:
        time.sleep(0.3)
        waiting = typist.begin("gnt-instance", "list")
        time.sleep(1)
        waiting.send_signal(signal.SIGINT)
        _said, complained = waiting.communicate(timeout=20)
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()

    assert waiting.returncode == 130
    assert "interrupted" in complained


def test_a_command_whose_user_is_killed_ends(typist: Typist) -> None:
    main = typist.wait_for_resident()
    holder = subprocess.Popen(
        ["flock", "-x", str(typist.state / "locks" / "cluster"), "sleep", "60"],
        start_new_session=True,
    )
    try:
        time.sleep(0.3)
        waiting = typist.begin("gnt-instance", "list")
        typist.wait_for(lambda: len(typist.residents()) == 2)  # its child has its name
        waiting.kill()
        waiting.communicate()

        typist.wait_for(lambda: typist.residents() == [main])
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()
    assert typist.type("gnt-instance", "list")[0] == 0
