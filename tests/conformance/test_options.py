"""Options that ask for nothing, or for what cannot be."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def _pytest(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (directory / "test_own.py").write_text("def test_own(): pass\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", f"--rootdir={directory}", *arguments],
        cwd=directory,
        check=False,
        capture_output=True,
        text=True,
    )


def test_an_empty_provider_is_not_the_current_directory(tmp_path: Path) -> None:
    run = _pytest(tmp_path, "--extstorage-provider=")

    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--extstorage-provider is empty: expected a provider's directory" in run.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--extstorage-json=report.json",),
        ("--extstorage-json", "report.json"),
        ("--extstorage-profile=standard",),
        ("--extstorage-resume",),
        ("--extstorage-reap",),
        ("--extstorage-soak=1",),
    ],
    ids="".join,
)
def test_an_option_that_needs_a_provider_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    run = _pytest(tmp_path, *words)

    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{words[0].partition('=')[0]} needs --extstorage-provider=DIR" in run.stderr


def test_addopts_may_stand_ready(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --extstorage-profile=core\n")

    assert _pytest(tmp_path).returncode == pytest.ExitCode.OK


def test_rules_are_listed_without_a_provider(tmp_path: Path) -> None:
    run = _pytest(tmp_path, "--extstorage-rules=ES-DISC-02", "--extstorage-json=-")

    assert run.returncode == pytest.ExitCode.OK
    assert '"ES-DISC-02"' in run.stdout
