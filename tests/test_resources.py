from __future__ import annotations

import pytest

from extstorage.resources import reference_provider, reference_providers


def test_reference_provider_by_name() -> None:
    assert (reference_provider("loopback") / "parameters.list").is_file()
    assert reference_provider("loopback") in reference_providers()


def test_unknown_reference_provider() -> None:
    with pytest.raises(KeyError, match="floppy"):
        reference_provider("floppy")
