"""The runtime's copy in a provider's directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extstorage.resources import reference_providers
from extstorage.vendoring import COPY, outdated, vendor

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("provider", reference_providers(), ids=lambda path: path.name)
def test_the_copy_of_each_reference_provider_is_current(provider: Path) -> None:
    assert outdated(provider) == []


def test_a_fresh_copy_is_current(tmp_path: Path) -> None:
    vendor(tmp_path)
    assert outdated(tmp_path) == []
    assert (tmp_path / COPY / "provider" / "script.py").is_file()
    assert not (tmp_path / COPY / "cli").exists()


def test_every_difference_is_told(tmp_path: Path) -> None:
    vendor(tmp_path)
    (tmp_path / COPY / "provider" / "locks.py").unlink()
    (tmp_path / COPY / "provider" / "more.py").write_text("")
    (tmp_path / COPY / "__init__.py").write_text("")
    assert outdated(tmp_path) == [
        "lib/extstorage/__init__.py differs from this version",
        "lib/extstorage/provider/locks.py is missing",
        "lib/extstorage/provider/more.py is not part of the runtime",
    ]


def test_vendoring_replaces_an_older_copy(tmp_path: Path) -> None:
    vendor(tmp_path)
    (tmp_path / COPY / "provider" / "more.py").write_text("")
    vendor(tmp_path)
    assert outdated(tmp_path) == []


def test_a_missing_provider_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no provider directory"):
        vendor(tmp_path / "none")
