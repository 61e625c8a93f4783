from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command


def test_copy_is_written_and_found_in_order(extstorage: Command, provider: Path) -> None:
    missing = extstorage("vendor", provider, "--check")
    written = extstorage("vendor", provider)
    checked = extstorage("vendor", provider, "--check")

    assert missing.returncode == 1
    assert f"run: extstorage vendor {provider}" in missing.stdout
    assert written.returncode == 0
    assert (provider / "lib/extstorage/provider/__init__.py").exists()
    assert (checked.returncode, checked.stdout) == (0, "")


def test_changed_copy_is_named(extstorage: Command, provider: Path) -> None:
    extstorage("vendor", provider)
    changed = provider / "lib/extstorage/__init__.py"
    changed.write_text("changed = True\n")

    completed = extstorage("vendor", provider, "--check")

    assert completed.returncode == 1
    assert completed.stdout.startswith("lib/extstorage/__init__.py differs")
