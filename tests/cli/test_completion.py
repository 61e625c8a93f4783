from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

PARSE = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "--no-execute"]}


def script(extstorage: Command, shell: str, directory: Path) -> Path:
    path = directory / f"extstorage.{shell}"
    completed = extstorage("completion", shell)
    assert completed.returncode == 0, completed.stderr
    path.write_text(completed.stdout, encoding="utf-8")
    return path


@pytest.mark.parametrize("shell", PARSE)
def test_shell_reads_its_script(extstorage: Command, shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}: apt-get install {shell}")
    completed = subprocess.run(
        [*PARSE[shell], script(extstorage, shell, tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (completed.returncode, completed.stderr) == (0, "")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("extstorage co", {"conform", "completion"}),
        ("extstorage conform --pro", {"--profile"}),
        ("extstorage conform --profile st", {"standard"}),
        ("extstorage lint pro", {"provider"}),
        ("extstorage cluster des", {"destroy"}),
        ("extstorage gnt-instance mig", {"migrate"}),
    ],
)
def test_bash_completes(extstorage: Command, tmp_path: Path, typed: str, offered: set[str]) -> None:
    (tmp_path / "provider").mkdir()
    (tmp_path / "profile.txt").touch()
    program = (
        f"source {script(extstorage, 'bash', tmp_path)}; words=({typed});"
        "COMP_WORDS=(${words[@]}); COMP_CWORD=$((${#words[@]} - 1)); COMP_LINE=${words[*]};"
        "COMP_POINT=${#COMP_LINE};"
        "$(complete -p extstorage | sed 's/.*-F \\([^ ]*\\).*/\\1/');"
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    completed = subprocess.run(
        ["bash", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert {word.rstrip(" /") for word in completed.stdout.splitlines()} == offered


def test_other_shells_are_refused(extstorage: Command) -> None:
    completed = extstorage("completion", "csh")

    assert (completed.returncode, completed.stderr.count("\n")) == (2, 1)
