"""A directory that is no provider's is told at once, by every command that takes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

COMMANDS = (
    ("conform",),
    ("faults",),
    ("soak",),
    ("adopt",),
    ("watch",),
    ("lint",),
    ("vendor",),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_directory_without_a_script_is_a_usage_error(
    extstorage: Command, command: tuple[str, ...]
) -> None:
    (extstorage.directory / "empty").mkdir()

    completed = extstorage(*command, "empty")

    assert completed.returncode == 2, completed.stdout
    assert "empty is no provider's directory: expected the scripts create, " in completed.stderr
    assert not [*(extstorage.directory / "empty").iterdir()]


@pytest.mark.parametrize("command", ["conform", "lint"])
def test_root_of_the_machine_is_a_usage_error(extstorage: Command, command: str) -> None:
    completed = extstorage(command, "/")

    assert completed.returncode == 2, completed.stdout
    assert "Traceback" not in completed.stdout + completed.stderr


def test_provider_of_a_project_is_named(extstorage: Command, provider: Path) -> None:
    (extstorage.directory / "project").mkdir()
    provider.rename(extstorage.directory / "project/acme")

    completed = extstorage("conform", "project")

    assert completed.returncode == 2
    assert "project/acme, which has them" in completed.stderr


def test_one_script_makes_it_a_provider_to_judge(extstorage: Command, provider: Path) -> None:
    for path in provider.iterdir():
        if path.name != "grow":
            path.unlink()

    completed = extstorage("lint", provider)

    assert completed.returncode == 1
    assert "create: is missing: Ganeti requires it" in completed.stdout
