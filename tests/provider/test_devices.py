"""Who uses a device is seen, whatever name it was given or opened by."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage.provider import ProviderError
from extstorage.provider.devices import wait_until_unused
from extstorage.provider.users import find_users, users_of
from tests.block_devices import USES, block_device, needs_loop, only, told_in_use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.block_devices import BlockDevice, Use


@pytest.fixture
def device(tmp_path: Path) -> Iterator[BlockDevice]:
    with block_device(tmp_path) as made:
        yield made


@needs_loop
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_users_are_found_by_every_name(use: Use, device: BlockDevice, tmp_path: Path) -> None:
    with use(device, tmp_path) as user:
        for name in device.names():
            assert re.fullmatch(only(user), ", ".join(find_users(name)))
            assert re.fullmatch(only(user), users_of(name))
            with pytest.raises(ProviderError) as raised:
                wait_until_unused(name, 0)
            assert re.fullmatch(told_in_use(name, user), str(raised.value))


@needs_loop
def test_the_script_itself_is_no_user(device: BlockDevice) -> None:
    with Path(device.path).open("rb"):
        assert find_users(str(device.link)) == []


def test_a_device_that_is_not_there_is_unused(tmp_path: Path) -> None:
    dangling = tmp_path / "gone"
    dangling.symlink_to("/dev/no-such-device")
    for path in (str(dangling), "/dev/no-such-device", "/dev/null/x"):
        wait_until_unused(path, 0)


def test_what_is_no_block_device_is_refused(tmp_path: Path) -> None:
    for path in ("/dev/null", str(tmp_path)):
        with pytest.raises(ProviderError, match="is no block device"):
            wait_until_unused(path, 0)
