from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import extstorage as package

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def test_version(extstorage: Command) -> None:
    assert extstorage("--version").stdout == f"extstorage {package.__version__}\n"


@pytest.mark.parametrize("name", ["conform", "lint", "rules", "call", "vendor", "cluster"])
def test_help_tells_the_exit_statuses(extstorage: Command, name: str) -> None:
    completed = extstorage(name, "--help")

    assert completed.returncode == 0
    assert "exit status: 0" in completed.stdout
    assert "130 interrupted" in " ".join(completed.stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("judge",),
        ("conform",),
        ("conform", "no-such-directory"),
        ("conform", "/etc/passwd"),
        ("conform", "/", "--profile", "huge"),
        ("lint", "no-such-directory"),
        ("lint", "/", "--", "-x"),
        ("call", "/"),
        ("call", "no-such-directory", "attach", "VOL_NAME=a"),
        ("call", "/", "format", "VOL_NAME=a"),
        ("call", "/", "attach", "VOL_NAME"),
        ("call", "/", "attach", "=a"),
        ("call", "/", "attach"),
        ("call", "/", "attach", "VOL_NAME=a", "--release", "1.2"),
        ("call", "/", "attach", "VOL_NAME=a", "--timeout", "soon"),
        ("call", "/", "attach", "VOL_NAME=a", "--timeout", "-1"),
        ("vendor", "no-such-directory"),
        ("cluster", "--cluster-dir", "/nowhere", "info"),
        ("gnt-instance", "--cluster-dir", "/nowhere", "list"),
    ],
)
def test_wrong_usage_is_one_line(extstorage: Command, arguments: tuple[str, ...]) -> None:
    completed = extstorage(*arguments)

    assert completed.returncode == 2
    assert completed.stderr.startswith("extstorage")
    assert completed.stderr.count("\n") == 1
    assert not completed.stdout


def test_reader_that_leaves_early_is_no_error(extstorage: Command) -> None:
    completed = subprocess.run(
        [
            "/bin/bash",
            "-c",
            'set -o pipefail; "$1" -m extstorage rules | :',
            "bash",
            sys.executable,
        ],
        cwd=extstorage.directory,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (completed.returncode, completed.stderr) == (0, "")


def old_python() -> str | None:
    """Return an interpreter that the tools do not run on, but their first file does."""
    candidates = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))
    for candidate in [*map(str, candidates), "python3.9", "python3.10", "pypy3"]:
        check = "import sys; sys.exit(not (3, 9) <= sys.version_info < (3, 11))"
        try:
            if subprocess.run([candidate, "-c", check], check=False).returncode == 0:
                return candidate
        except OSError:
            continue
    return None


def test_old_python_is_told_so(tmp_path: Path) -> None:
    python = old_python()
    if python is None:
        pytest.skip("needs an interpreter of 3.9 or 3.10: apt-get install pypy3")
    sdk = Path(package.__file__).parents[1]
    completed = subprocess.run(
        [python, "-B", "-m", "extstorage", "rules"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(sdk), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert completed.returncode == 3
    assert completed.stderr.startswith("extstorage: needs Python 3.11 or later, found 3.")
    assert completed.stderr.count("\n") == 1
