"""Arguments that cannot be meant are told at once, in the words of the command line."""

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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("soak", ".", "--for", "3x"), "'3x' is no time: expected 90s, 10m, 2h or 1d"),
        (("call", ".", "verify", "--timeout", "x"), "'x' is no time: expected seconds"),
        (("call", ".", "verify", "--timeout", "0"), "'0' is no time: expected seconds"),
        (("rules", "ES-X"), "no rule has the id ES-X: extstorage rules lists them"),
    ],
    ids=["soak", "call", "call with none", "rules"],
)
def test_expected_form_is_told(extstorage: Command, words: tuple[str, ...], said: str) -> None:
    completed = extstorage(*words)

    assert completed.returncode == 2
    assert said in completed.stderr
    assert "--extstorage" not in completed.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rule", "ES-X"), "no rule has the id ES-X: extstorage rules lists them"),
        (("--nodes", "moon"), "--nodes: "),
        (("--compare", "none"), "--compare=none: "),
        (("--json", "none/x"), "--json=none/x: expected a file to write"),
        (("--junit", "none/x"), "--junit=none/x: expected a file to write"),
        (("-n", "x"), "-n x: expected how many processes"),
        (("-n", "0"), "-n 0: expected how many processes"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_options_of_conform_have_the_names_that_are_typed(
    extstorage: Command, provider: Path, words: tuple[str, ...], said: str
) -> None:
    completed = extstorage("conform", provider, *words)

    assert completed.returncode == 2
    assert said in completed.stderr
    assert "--extstorage" not in completed.stderr
    assert not (extstorage.directory / "none").exists()
