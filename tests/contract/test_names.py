from __future__ import annotations

import pytest

from extstorage.contract import names


@pytest.mark.parametrize("name", ["loopback", "A-1_b", "0", "_", "-"])
def test_provider_name(name: str) -> None:
    assert names.is_provider_name(name)


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a/b", "größe", "a\n", "٣"])
def test_no_provider_name(name: str) -> None:
    assert not names.is_provider_name(name)


@pytest.mark.parametrize("name", ["pool", "a", "nas_ip", "pool2"])
def test_parameter_name(name: str) -> None:
    assert names.is_parameter_name(name)


@pytest.mark.parametrize("name", ["", "Pool", "2pool", "_pool", "nas-ip", "usp_*", "größe", "a\n"])
def test_no_parameter_name(name: str) -> None:
    assert not names.is_parameter_name(name)


def test_volume_name_has_ganetis_form_and_length() -> None:
    name = names.volume_name("0b7c2c55-8a4e-4f0e-8a0e-3f5a3a1f2c77", 0)

    assert name == "0b7c2c55-8a4e-4f0e-8a0e-3f5a3a1f2c77.ext.disk0"
    assert (len(name), len(name + names.SNAPSHOT_SUFFIX)) == (46, 51)
