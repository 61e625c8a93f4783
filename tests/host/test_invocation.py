"""Preparing a call, changing it, replaying it by hand."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from extstorage.contract.methods import METHOD_NAMES
from extstorage.contract.releases import LATEST, RELEASES, Release, release
from extstorage.contract.variables import variables_of
from extstorage.host.daemon import Host
from extstorage.host.disk import Disk
from extstorage.host.environment import daemon_environment
from extstorage.host.errors import BlockDeviceError, MethodNotProvided
from extstorage.nodes.local import LocalNode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DISK = Disk("v.ext.disk0", "the-uuid", "the name", 64, {"pool": 'it\'s a "b" $c'})
VALUES: dict[str, dict[str, Any]] = {
    "grow": {"new_size_mib": 80},
    "setinfo": {"metadata": "text"},
    "snapshot": {"snapshot_name": "v.snap", "snapshot_size_mib": 64},
    "open": {"exclusive": True},
}


@pytest.fixture
def host(tmp_path: Path) -> Callable[..., Host]:
    """Return a function that makes a host with the provider ``p``, whose scripts print."""
    directory = tmp_path / "p"
    directory.mkdir()
    (directory / "parameters.list").write_text("pool The pool\n")
    for method in METHOD_NAMES:
        (directory / method).write_text('#!/bin/sh\nenv | sort; pwd -P; umask; echo "$0 $#"\n')
        (directory / method).chmod(0o755)
    (tmp_path / "log").mkdir()

    def make(at: Release = LATEST, **others: Any) -> Host:  # noqa: ANN401 - Host's
        return Host(LocalNode(), [str(tmp_path)], at, str(tmp_path / "log"), **others)

    return make


@pytest.mark.parametrize("at", RELEASES, ids=lambda at: at.name)
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_variables_are_the_contract_s(host: Callable[..., Host], at: Release, method: str) -> None:
    here = host(at)
    provider = here.provider("p")
    if provider.scripts[method] is None:
        assert not at.at_least("2.14")
        return
    sent = here.prepare(provider, method, DISK, **VALUES.get(method, {})).sent
    volume = {name for name in sent if name.startswith("VOL_")}
    assert volume == {variable.name for variable in variables_of(method, at)}
    parameters = {"EXTP_POOL", "EXTP_PROVIDER"} | (
        {"EXTP_ACCESS"} if at.at_least("2.13") else set()
    )
    assert set(sent) - volume == parameters


def test_values(host: Callable[..., Host]) -> None:
    here = host()
    provider = here.provider("p")
    assert here.prepare(provider, "grow", DISK, new_size_mib=80).sent == {
        "EXTP_ACCESS": "kernelspace",
        "EXTP_POOL": 'it\'s a "b" $c',
        "EXTP_PROVIDER": "p",
        "VOL_CNAME": "the name",
        "VOL_NAME": "v.ext.disk0",
        "VOL_NEW_SIZE": "80",
        "VOL_SIZE": "64",
        "VOL_UUID": "the-uuid",
    }
    assert (
        here.prepare(provider, "open", DISK, exclusive=False).sent["VOL_OPEN_EXCLUSIVE"] == "False"
    )
    unnamed = dataclasses.replace(DISK, cname=None)
    assert "VOL_CNAME" not in here.prepare(provider, "attach", unnamed).sent


def test_what_is_inherited(host: Callable[..., Host]) -> None:
    here = host()
    usual = here.prepare(here.provider("p"), "attach", DISK)
    assert usual.inherited == {**daemon_environment(), "LC_ALL": "C"}
    # Nothing is cleaned: a stray variable of noded's reaches the script, and loses to Ganeti's.
    here = host(daemon_environment={"VOL_SIZE": "999", "VOL_NAME": "stray", "LC_ALL": "de_DE"})
    stray = here.prepare(here.provider("p"), "attach", DISK).environment
    assert (stray["VOL_SIZE"], stray["VOL_NAME"], stray["LC_ALL"]) == ("999", "v.ext.disk0", "C")


def test_log_file(host: Callable[..., Host], tmp_path: Path) -> None:
    here = host()
    provider = here.provider("p")
    assert here.prepare(provider, "attach", DISK).log_file is None
    log = here.prepare(provider, "create", DISK).log_file
    assert log is not None
    pattern = rf"{tmp_path}/log/create-p-v\.ext\.disk0-\d{{4}}(-\d\d){{2}}(_\d\d){{3}}\.log"
    assert re.fullmatch(pattern, log)


def test_log_directory_is_missing(host: Callable[..., Host], tmp_path: Path) -> None:
    (tmp_path / "log").rmdir()
    here = host()
    provider = here.provider("p")
    assert here.call(provider, "attach", DISK).succeeded
    with pytest.raises(BlockDeviceError, match=f"^Cannot find log directory: {tmp_path}/log$"):
        here.prepare(provider, "detach", DISK)


def test_optional_script_is_missing(host: Callable[..., Host], tmp_path: Path) -> None:
    (tmp_path / "p" / "open").unlink()
    here = host()
    with pytest.raises(MethodNotProvided, match="'open'"):
        here.prepare(here.provider("p"), "open", DISK)


def test_changed_copies(host: Callable[..., Host]) -> None:
    here = host(daemon_environment={"PATH": "/bin", "VOL_NAME": "stray"})
    given = here.prepare(here.provider("p"), "attach", DISK)
    assert "VOL_NAME" not in given.without("VOL_NAME", "EXTP_POOL").environment
    assert given.with_variables({"VOL_NAME": "other"}, NEW="x").sent["VOL_NAME"] == "other"
    assert given.with_variables(NEW="x").environment["NEW"] == "x"
    assert given.with_arguments("-h").with_arguments("x").argv == (*given.argv, "-h", "x")
    assert given.with_environment({"ONLY": "this"}).environment == {"ONLY": "this", **given.sent}
    assert given.replace(directory="/", umask=0o22).umask == 0o22
    assert given == here.prepare(here.provider("p"), "attach", DISK)


@pytest.mark.parametrize("umask", [0o077, 0o022])
def test_replay_makes_the_same_call(host: Callable[..., Host], umask: int) -> None:
    here = host()
    disk = dataclasses.replace(DISK, parameters={"pool": 'it\'s\na "b" $c `d` \\ ;', "x": ""})
    given = here.prepare(here.provider("p"), "attach", disk)
    given = given.with_arguments("an argument", "'").replace(umask=umask)
    by_hand = subprocess.run(
        ["/bin/sh", "-c", given.replay()],
        check=True,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "STRAY": "x"},
        umask=0,
    )
    assert by_hand.stdout == here.run(given).stdout_bytes
    assert b"pool" not in by_hand.stderr


def test_replay_of_a_method_with_a_log_prints(host: Callable[..., Host]) -> None:
    here = host(release("2.7"))
    given = here.prepare(here.provider("p"), "create", DISK)
    by_hand = subprocess.run(["/bin/sh", "-c", given.replay()], check=True, capture_output=True)
    assert by_hand.stdout == here.run(given).log_bytes


def test_replay_of_a_call_in_a_copy_makes_the_copy_again(
    host: Callable[..., Host], tmp_path: Path
) -> None:
    here = host()
    copy = tmp_path / "gone with its test" / "p"
    given = here.prepare(here.provider("p"), "attach", DISK).in_copy(str(copy))
    for _ in range(2):
        by_hand = subprocess.run(["/bin/sh", "-c", given.replay()], check=True, capture_output=True)
        assert f"{copy}/attach 0".encode() in by_hand.stdout
    assert by_hand.stdout == here.run(given).stdout_bytes
    assert not (copy / "p").exists()
