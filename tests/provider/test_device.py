"""What attach prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from extstorage.provider import Device, ProviderError


@pytest.fixture
def block_device() -> str:
    for path in sorted(Path("/dev").iterdir()):
        if path.is_block_device() and not path.is_symlink():
            return str(path)
    pytest.skip("this machine has no block device in /dev")


def test_a_path_alone_has_no_newline(block_device: str) -> None:
    assert Device(block_device).output() == block_device


def test_uris_follow_on_lines_of_their_own(block_device: str) -> None:
    uris = ["kvm:rbd:pool/vol", "xen-pvm:x"]
    expected = f"{block_device}\nkvm:rbd:pool/vol\nxen-pvm:x\n"
    assert Device(block_device, uris).output() == expected


def test_a_userspace_volume_has_an_empty_first_line() -> None:
    assert Device("", ["kvm:x"]).output() == "\nkvm:x\n"


@pytest.mark.parametrize("path", ["", "/no/such/device", "/dev/null", "dev/null"])
def test_a_path_that_is_no_block_device_is_refused(path: str) -> None:
    with pytest.raises(ProviderError):
        Device(path).output()


@pytest.mark.parametrize("uri", ["", "rbd", ":x", "kvm:", "kvm:a\nb", "kvm:a ", "kvm:\u00e4"])
def test_a_uri_that_ganeti_cannot_read_is_refused(uri: str, block_device: str) -> None:
    with pytest.raises(ProviderError):
        Device(block_device, [uri]).output()
