from __future__ import annotations

import json
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


def test_good_provider_conforms(extstorage: Command, provider: Path) -> None:
    completed = extstorage(
        "conform", provider, "--rule", "ES-DISC-02", "--rule", "ES-CREATE-01", "--json", "report"
    )

    assert completed.returncode == 0, completed.stdout + completed.stderr
    report = json.loads((extstorage.directory / "report").read_text())
    assert [rule["outcome"] for rule in report["rules"]] == ["passed", "passed"]


def test_broken_provider_does_not(extstorage: Command, provider: Path) -> None:
    (provider / "grow").unlink()

    completed = extstorage("conform", provider, "--rule", "ES-DISC-02")

    assert completed.returncode == 1
    assert "ES-DISC-02" in completed.stdout


def test_seed_is_handed_on(extstorage: Command, provider: Path) -> None:
    completed = extstorage(
        "conform", provider, "--rule", "ES-DISC-02", "--seed", "7", "--json", "report"
    )

    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert json.loads((extstorage.directory / "report").read_text())["seed"] == 7


def test_an_empty_directory_name_is_no_name(extstorage: Command) -> None:
    completed = extstorage("conform", "")

    assert completed.returncode == 2
    assert completed.stderr == (
        "extstorage conform: DIR is empty: expected a provider's directory (is a variable unset?)\n"
    )


def test_another_projects_pytest_files_do_not_disturb(extstorage: Command, provider: Path) -> None:
    (extstorage.directory / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (extstorage.directory / "conftest.py").write_text("raise SystemExit('disturbed')\n")
    (extstorage.directory / "test_other.py").write_text("def test_other(): raise SystemExit\n")

    completed = extstorage("conform", provider, "--rule", "ES-DISC-02")

    assert completed.returncode == 0, completed.stdout + completed.stderr


def test_last_failed_rules_run_again(extstorage: Command, provider: Path) -> None:
    (provider / "grow").unlink()
    rules = ("--rule", "ES-DISC-02", "--rule", "ES-DISC-05")
    extstorage("conform", provider, *rules)

    again = extstorage("conform", provider, *rules, "--json", "report", "--", "--lf")

    report = json.loads((extstorage.directory / "report").read_text())
    assert (extstorage.directory / ".pytest_cache").is_dir()
    assert again.returncode == 1
    assert [rule["id"] for rule in report["rules"]] == ["ES-DISC-02"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rule", "ES-NOTHING-01"),
        ("--release", "1.0"),
        ("--config", "no-such-file.toml"),
        ("--nodes", "moon"),
        ("--", "--no-such-option"),
    ],
)
def test_wrong_usage(extstorage: Command, provider: Path, arguments: tuple[str, ...]) -> None:
    completed = extstorage("conform", provider, *arguments)

    assert completed.returncode == 2, completed.stdout
    assert "Traceback" not in completed.stderr


def test_no_rule_selected_is_no_success(extstorage: Command, provider: Path) -> None:
    assert extstorage("conform", provider, "--", "-k", "no_such_check").returncode == 3


def test_workers(extstorage: Command, provider: Path) -> None:
    completed = extstorage(
        "conform", provider, "--rule", "ES-DISC-02", "--rule", "ES-DISC-05", "-n", "2"
    )

    assert completed.returncode == 0, completed.stdout + completed.stderr


def test_reap_finds_nothing_to_do(extstorage: Command, provider: Path) -> None:
    completed = extstorage("conform", provider, "--reap")

    assert completed.returncode == 0, completed.stdout + completed.stderr
