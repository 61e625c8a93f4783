from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from extstorage.doctor.abilities import examine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command


def test_every_ability_is_told_with_what_it_is_for(extstorage: Command) -> None:
    completed = extstorage("doctor", "--json")

    told = {one["name"]: one for one in json.loads(completed.stdout)}
    assert {"root", "loop devices", "namespaces", "strace", "shellcheck", "ganeti"} <= set(told)
    assert told["root"]["there"] is (os.geteuid() == 0)
    assert told["shellcheck"]["there"]
    assert all(bool(one["missing"]) is not one["there"] for one in told.values())
    assert all(one["purpose"] for one in told.values())
    needed = [one for one in told.values() if one["needed"]]
    assert completed.returncode == (0 if all(one["there"] for one in needed) else 3)


def test_what_is_missing_is_one_line_to_install(extstorage: Command, tmp_path: Path) -> None:
    extstorage.environment["PATH"] = str(tmp_path)
    (tmp_path / "provider").mkdir()

    completed = extstorage("doctor")

    last = completed.stdout.splitlines()[-1]
    assert last.startswith("install what is missing (Debian): apt-get install -y ")
    assert "ganeti" in last or "ganeti" in completed.stdout


def test_programs_that_a_provider_lacks(extstorage: Command, provider: Path) -> None:
    (provider / "grow").write_text("#!/bin/sh\nset -e\nno-such-array grow\nzpool list\n")

    completed = extstorage("doctor", provider)

    assert "no  no-such-array" in completed.stdout
    assert "good: called in grow" in completed.stdout
    if "no  zpool" in completed.stdout:
        assert "zfsutils-linux" in completed.stdout.splitlines()[-1]


def test_guests_lack_what_nodes_say_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        return "guests need mkfs.ext4: apt-get install e2fsprogs"

    monkeypatch.setattr("extstorage.nodes.guests.missing", missing)
    told = {one.name: one for one in examine()}["guests"]

    assert (told.missing, told.packages) == (missing(), ("e2fsprogs",))


def test_sanlock_is_a_program_and_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", absent)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    told = {one.name: one for one in examine()}["sanlock"]

    assert told.packages == ("sanlock", "libsanlock-client1")
    assert told.missing == "not installed: sanlock, libsanlock-client1"


@pytest.mark.parametrize("directory", ["no-such-directory", "/etc/passwd"])
def test_wrong_directory_is_one_line(extstorage: Command, directory: str) -> None:
    completed = extstorage("doctor", directory)

    assert completed.returncode == 2
    assert completed.stderr.count("\n") == 1


def test_what_is_no_provider_is_not_read(extstorage: Command) -> None:
    completed = extstorage("doctor", "/")

    assert completed.returncode == 2
    assert completed.stderr.startswith("extstorage doctor: / is no provider's directory: expected ")
    assert not completed.stdout
