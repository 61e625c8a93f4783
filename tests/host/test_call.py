"""What a call says afterwards."""

from __future__ import annotations

import os
import re
import stat
import time
from typing import TYPE_CHECKING

import pytest

from extstorage.contract.methods import METHOD_NAMES
from extstorage.contract.releases import LATEST, Release, release
from extstorage.host.daemon import Host
from extstorage.host.device import Device, clean_metadata, read_attach_output
from extstorage.host.disk import Disk
from extstorage.host.errors import BlockDeviceError, OpExecError
from extstorage.nodes.local import LocalNode

if TYPE_CHECKING:
    from pathlib import Path

    from extstorage.host.call import Call

DISK = Disk("v.ext.disk0", "the-uuid", None, 64)


class Scripts:
    """A provider ``p`` in a directory, whose scripts a test writes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "p").mkdir()
        (directory / "p" / "parameters.list").touch()
        (directory / "log").mkdir()
        for method in METHOD_NAMES:
            self.write(method, "exit 0")

    def write(self, method: str, script: str) -> None:
        path = self.directory / "p" / method
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def host(self, at: Release = LATEST, *, timeout_s: float | None = 20) -> Host:
        directory = self.directory
        return Host(LocalNode(), [str(directory)], at, str(directory / "log"), timeout_s=timeout_s)

    def call(self, method: str, script: str, at: Release = LATEST) -> Call:
        self.write(method, script)
        host = self.host(at)
        return host.call(host.provider("p"), method, DISK)


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


def test_success(scripts: Scripts) -> None:
    call = scripts.call("attach", "echo /dev/x; echo note >&2")
    assert call.succeeded
    assert not call.failed
    assert call.fail_reason is None
    assert (call.stdout, call.stderr, call.log) == ("/dev/x\n", "note\n", "")
    assert call.output == "/dev/x\nnote\n"
    call.check()


def test_output_of_other_methods_is_their_log(scripts: Scripts) -> None:
    call = scripts.call("create", "echo out; echo err >&2")
    assert (call.stdout, call.stderr, call.log) == ("", "", "out\nerr\n")
    assert call.output == "out\nerr\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [("exit 3", "exited with exit code 3"), ("kill -KILL $$", "terminated by signal 9")],
)
def test_failure(scripts: Scripts, script: str, reason: str) -> None:
    call = scripts.call("detach", f"echo busy; {script}")
    assert call.failed
    assert call.fail_reason == reason
    with pytest.raises(BlockDeviceError) as caught:
        call.check()
    assert str(caught.value) == (
        f"External storage's detach script failed ({reason}), last lines of output:\nbusy"
    )


def test_timeout(scripts: Scripts) -> None:
    scripts.write("create", "echo waiting; exec sleep 60")
    host = scripts.host(timeout_s=0.2)
    call = host.call(host.provider("p"), "create", DISK)
    assert call.failed
    assert call.fail_reason is not None
    assert re.match(r"did not end within \d+\.\d seconds", call.fail_reason)
    assert call.last_lines() == ["waiting"]


def test_log_of_this_call_alone(scripts: Scripts) -> None:
    host = scripts.host()
    scripts.write("create", 'echo "call $$"; exit 1')
    time.sleep(1 - time.time() % 1)  # a second has to hold both
    invocation = host.prepare(host.provider("p"), "create", DISK)
    first, second = host.run(invocation), host.run(invocation)
    assert first.log != second.log
    assert first.log.count("\n") == second.log.count("\n") == 1
    # Ganeti quotes the file's end, whoever wrote it.
    assert second.last_lines() == [first.log.strip(), second.log.strip()]


def test_bytes_that_are_no_utf8_fail_attach(scripts: Scripts) -> None:
    call = scripts.call("attach", r"printf '/dev/x\n\377'")
    assert (call.exit_code, call.failed) == (0, True)
    assert call.fail_reason == (
        "'utf-8' codec can't decode byte 0xff in position 7: invalid start byte"
    )
    assert call.stdout == "/dev/x\n\\xff"
    assert call.stdout_bytes == b"/dev/x\n\xff"
    with pytest.raises(UnicodeDecodeError):
        call.check()


def test_bytes_that_are_no_utf8_hide_another_script_s_message(scripts: Scripts) -> None:
    call = scripts.call("create", r"printf 'full \377'; exit 1")
    assert call.fail_reason == "exited with exit code 1"
    assert call.log == "full \\xff"
    with pytest.raises(UnicodeDecodeError):
        call.check()


def test_ganeti_2_takes_any_bytes(scripts: Scripts) -> None:
    call = scripts.call("create", r"printf 'full \377\t'; exit 1", release("2.16"))
    assert call.last_lines() == [r"full \xff\t"]
    call = scripts.call("attach", r"printf '/dev/x\r\n\377'", release("2.16"))
    assert call.succeeded
    assert call.attach_output() == "/dev/x\r\n\udcff"


def test_old_releases_quote_twenty_characters_of_attach(scripts: Scripts) -> None:
    call = scripts.call("attach", "echo 0123456789abcdefghijklmn; exit 1", release("2.12"))
    assert call.last_lines() == list("56789abcdefghijklmn\n")


def test_scripts_that_cannot_be_started(scripts: Scripts) -> None:
    path = scripts.directory / "p" / "create"
    host = scripts.host()
    provider = host.provider("p")
    path.write_text(f"#!{scripts.directory}/missing\n")
    with pytest.raises(OpExecError) as caught:
        host.call(provider, "create", DISK)
    assert str(caught.value) == (
        f"Can't execute '{path}': not found ([Errno 2] No such file or directory: '{path}')"
    )
    path.write_text("")
    with pytest.raises(OSError, match="Exec format error"):
        host.call(provider, "create", DISK)


@pytest.mark.parametrize(
    ("at", "stdout", "dev_path", "uris"),
    [
        ("2.12", "/dev/x", "/dev/x", []),
        ("2.12", "/dev/x\n", "/dev/x\n", []),
        ("2.13", "/dev/x\n", "/dev/x", [""]),
        ("2.13", "\nkvm:u", "", ["kvm:u"]),
        ("2.14", "\nkvm:u", None, ["kvm:u"]),
        ("3.0", "/dev/x", "/dev/x", []),
        ("3.0", "/dev/x\nkvm:u\n", "/dev/x", ["kvm:u", ""]),
        ("3.0", "", None, []),
        ("3.0", "\n", None, [""]),
    ],
)
def test_attach_output(at: str, stdout: str, dev_path: str | None, uris: list[str]) -> None:
    assert read_attach_output(stdout, release(at)) == (dev_path, uris)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("originstname+inst1.example.test", "originstname+inst1.example.test"),
        ("-leading", "_leading"),
        ("a-b c\né", "a-b_c__"),
        ("x" * 200, "x" * 128),
        ("", ""),
    ],
)
def test_metadata(text: str, sent: str) -> None:
    assert clean_metadata(text) == sent


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a device file")
@pytest.mark.parametrize(
    ("at", "form", "attached"),
    [
        ("2.7", "%s", True),
        ("2.12", r"%s\n", False),
        ("2.13", r"%s\n", True),
        ("2.16", r"%s\r\n", False),
        ("3.0", r"%s\r\n", True),
        ("3.1", "%s", True),
    ],
)
def test_line_end_after_the_device(scripts: Scripts, at: str, form: str, *, attached: bool) -> None:
    path = scripts.directory / "device"
    os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(7, 5))
    scripts.write("attach", f"printf '{form}' {path}")
    assert Device(scripts.host(release(at)), "p", DISK).attached == attached


@pytest.mark.parametrize(("at", "fails"), [("2.13", True), ("2.14", False), ("3.0", False)])
def test_snapshot_that_is_missing(scripts: Scripts, at: str, *, fails: bool) -> None:
    (scripts.directory / "p" / "snapshot").unlink()
    device = Device(scripts.host(release(at)), "p", DISK)
    if fails:
        with pytest.raises(BlockDeviceError, match="snapshot"):
            device.snapshot()
    else:
        assert device.snapshot() == ("p", "v.ext.disk0.snap")


@pytest.mark.parametrize(("at", "valid"), [("2.12", True), ("2.13", True), ("2.14", False)])
def test_snapshot_that_is_not_executable(scripts: Scripts, at: str, *, valid: bool) -> None:
    (scripts.directory / "p" / "snapshot").chmod(0o644)
    host = scripts.host(release(at))
    if valid:
        assert host.provider("p").scripts.get("snapshot") is None
    else:
        with pytest.raises(BlockDeviceError, match=r"'snapshot' .* is not executable"):
            host.provider("p")


@pytest.mark.parametrize("method", ["open", "close"])
def test_methods_that_old_releases_do_not_know(scripts: Scripts, method: str) -> None:
    called = scripts.directory / "called"
    scripts.write(method, f"touch {called}")
    getattr(Device(scripts.host(release("2.13")), "p", DISK), method)()
    assert not called.exists()
    getattr(Device(scripts.host(release("2.14")), "p", DISK), method)()
    assert called.exists()
