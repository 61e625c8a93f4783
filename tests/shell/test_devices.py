"""Who uses a device is seen in every shell, whatever name it was given or opened by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.block_devices import USES, block_device, needs_loop, told_in_use
from tests.shell.providers import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.block_devices import BlockDevice, Use
    from tests.shell.providers import ShellProvider

METHODS = 'do_detach() { wait_until_unused "$DEVICE" "${LONGEST_S-0}"; }\n'


@pytest.fixture
def device(tmp_path: Path) -> Iterator[BlockDevice]:
    with block_device(tmp_path) as made:
        yield made


@needs_loop
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_users_are_found_by_every_name(
    provider: ShellProvider, use: Use, device: BlockDevice, tmp_path: Path
) -> None:
    provider.define(METHODS)
    with use(device, tmp_path) as user:
        for name in device.names():
            call = provider.call("detach", DEVICE=name)
            assert call.returncode == 1
            told = call.stderr.partition(": ")[2]
            assert re.fullmatch(told_in_use(name, user) + "\n", told), told
    assert provider.call("detach", DEVICE=str(device.link), LONGEST_S="10").returncode == 0


def test_a_device_that_is_not_there_is_unused(provider: ShellProvider, tmp_path: Path) -> None:
    provider.define(METHODS)
    dangling = tmp_path / "gone"
    dangling.symlink_to("/dev/no-such-device")
    for path in (str(dangling), "/dev/no-such-device"):
        call = provider.call("detach", DEVICE=path)
        assert (call.returncode, call.stderr) == (0, "")


@pytest.mark.parametrize("path", ["/dev/null", "/dev"])
def test_what_is_no_block_device_is_refused(provider: ShellProvider, path: str) -> None:
    provider.define(METHODS)
    call = provider.call("detach", DEVICE=path)
    assert call.returncode == 1
    assert f"cannot tell who uses {path}: stat says " in call.stderr


def test_what_looks_for_users_must_be_there(provider: ShellProvider, tmp_path: Path) -> None:
    (tmp_path / "printf").symlink_to("/usr/bin/printf")  # which mksh needs for the message
    provider.define(f"do_detach() {{ PATH={tmp_path}; wait_until_unused /dev 0; }}")
    call = provider.call("detach")
    assert call.returncode == 1
    assert "the program find is not in PATH: install it on this node" in call.stderr


@needs_loop
@pytest.mark.parametrize("program", ["find", "stat"])
def test_what_could_not_be_looked_for_is_not_taken_for_unused(
    provider: ShellProvider, device: BlockDevice, program: str, tmp_path: Path
) -> None:
    fails = tmp_path / program
    fails.write_text("#!/bin/sh\necho 'no luck' >&2\nexit 1\n")
    fails.chmod(0o755)
    provider.define(METHODS)
    call = provider.call("detach", DEVICE=device.path, PATH=f"{tmp_path}:{VARIABLES['PATH']}")
    assert call.returncode == 1
    assert f"cannot tell who uses {device.path}: " in call.stderr
    assert program in call.stderr
