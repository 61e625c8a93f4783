"""The runtime's copy in a provider's directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from extstorage.vendoring import COPY, outdated, vendor

LOOPBACK = Path(__file__).parents[2] / "reference-providers" / "loopback"


def test_the_loopback_providers_copy_is_current() -> None:
    assert outdated(LOOPBACK) == []


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
