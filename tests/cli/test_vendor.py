from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

FILES = {"python": "lib/extstorage/provider/__init__.py", "sh": "lib/extstorage/extstorage.sh"}


@pytest.mark.parametrize("language", FILES)
def test_copy_is_written_and_found_in_order(
    extstorage: Command, provider: Path, language: str
) -> None:
    words = ("vendor", provider, "--language", language)
    missing = extstorage(*words, "--check")
    written = extstorage(*words)
    checked = extstorage(*words, "--check")

    assert missing.returncode == 1
    assert f"run: extstorage vendor {provider}" in missing.stdout
    assert written.returncode == 0
    assert (provider / FILES[language]).exists()
    assert (checked.returncode, checked.stdout) == (0, "")


def test_language_is_that_of_the_scripts(extstorage: Command, provider: Path) -> None:
    assert extstorage("vendor", provider).returncode == 0

    assert (provider / FILES["sh"]).exists()
    assert not (provider / FILES["python"]).exists()


def test_changed_copy_is_named(extstorage: Command, provider: Path) -> None:
    extstorage("vendor", provider)
    (provider / FILES["sh"]).write_text("changed=true\n")

    completed = extstorage("vendor", provider, "--check")

    assert completed.returncode == 1
    assert completed.stdout.startswith(f"{FILES['sh']} differs")
