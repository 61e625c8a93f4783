from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import extstorage
from extstorage.contract.methods import METHOD_NAMES

if TYPE_CHECKING:
    from tests.packaging.conftest import Installation

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)
PRINT_LOOPBACK = (
    "from extstorage.resources import reference_provider; print(reference_provider('loopback'))"
)


def loopback(installation: Installation) -> Path:
    completed = installation.run("python", "-c", PRINT_LOOPBACK)
    assert completed.returncode == 0, completed.stderr
    return Path(completed.stdout.strip())


def test_version(installation: Installation) -> None:
    completed = installation.run("extstorage", "--version")

    assert completed.stdout == f"extstorage {extstorage.__version__}\n"


def test_wheel_holds_the_project_and_nothing_else(installation: Installation) -> None:
    names = zipfile.ZipFile(installation.wheel).namelist()

    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "extstorage",
        "extstorage_conformance",
    }
    assert not [name for name in names if "__pycache__" in name]
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "extstorage/py.typed" in names


def test_reference_provider_is_installed_with_executable_scripts(
    installation: Installation,
) -> None:
    provider = loopback(installation)

    assert provider.is_relative_to(installation.environment)
    assert all(os.access(provider / method, os.X_OK) for method in METHOD_NAMES)


def test_lint_finds_the_reference_provider_clean(installation: Installation) -> None:
    completed = installation.run("extstorage", "lint", loopback(installation))

    assert completed.stdout == "loopback: no findings\n", completed.stderr


def test_rules_are_listed(installation: Installation) -> None:
    completed = installation.run("extstorage", "rules")

    assert completed.returncode == 0, completed.stderr
    assert "ES-ATTACH-01" in completed.stdout


@needs_root
def test_reference_provider_conforms(installation: Installation) -> None:
    completed = installation.run(
        "extstorage", "conform", loopback(installation), "--profile", "core"
    )

    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert "CONFORMS" in completed.stdout
    assert "warning" not in completed.stdout


@pytest.mark.parametrize("language", ["sh", "python"])
def test_a_new_project_is_made_and_clean(installation: Installation, language: str) -> None:
    made = installation.run(
        "extstorage", "new", "--no-input", f"name={language}", f"language={language}"
    )
    assert made.returncode == 0, made.stderr
    provider = installation.directory / f"extstorage-{language}" / language

    assert installation.run("extstorage", "lint", provider).returncode == 0
    assert installation.run("extstorage", "vendor", "--check", provider).returncode == 0
