"""Every shell script of the project passes shellcheck."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from extstorage.lint.scripts import shellcheck

ROOT = Path(__file__).parents[1]
FOLDERS = (".ci", "reference-providers", "tests/providers", "benchmarks", "tools")


def shell_scripts() -> list[Path]:
    return [
        path
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and is_shell(path)
    ]


def is_shell(path: Path) -> bool:
    with path.open("rb") as file:
        first_line = file.readline(100)
    interpreter = first_line.removeprefix(b"#!").strip().rpartition(b"/")[2]
    return path.suffix == ".sh" or (
        first_line.startswith(b"#!") and interpreter in {b"sh", b"bash", b"env bash"}
    )


@pytest.mark.parametrize("path", shell_scripts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_script_passes_shellcheck(path: Path) -> None:
    completed = subprocess.run(
        [shellcheck(), "--external-sources", "--source-path=SCRIPTDIR", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert completed.returncode == 0, completed.stdout + completed.stderr


def test_there_are_scripts_to_check() -> None:
    assert ROOT / ".ci/run" in shell_scripts()
