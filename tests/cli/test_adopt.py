from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)
POOL = ("--parameter", "directory={run_directory}/pool")


def test_stranger_is_adopted_and_conforms(extstorage: Command, provider: Path) -> None:
    (provider / "conformance.toml").unlink()

    adopted = extstorage("adopt", provider, *POOL, "--profile", "core")
    judged = extstorage("conform", provider, "--rule", "ES-CREATE-01")

    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    assert adopted.stdout.count("observed: ") == 7
    assert f"wrote {provider / 'conformance.toml'}: no rule fails" in adopted.stdout
    assert judged.returncode == 0, judged.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "conformance.toml exists: give --force"),
        (("--output", "no/such/file"), "there is no directory"),
        (("--output", "new", "--config", "none"), "none: cannot be read"),
        (("--output", "new", "--parameter", "x"), "'x' is no parameter"),
    ],
)
def test_wrong_usage(
    extstorage: Command, provider: Path, arguments: tuple[str, ...], said: str
) -> None:
    completed = extstorage("adopt", provider, *arguments)

    assert completed.returncode == 2
    assert said in completed.stderr
    assert completed.stderr.strip().count("\n") == 0
