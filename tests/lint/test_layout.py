from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from extstorage.contract.methods import OPTIONAL_METHODS, REQUIRED_METHODS
from extstorage.lint import LINTS, ProviderSource

if TYPE_CHECKING:
    from pathlib import Path


def found(rule: str, provider: Path) -> list[str]:
    return [finding.file for finding in LINTS[rule].check(ProviderSource.read(provider))]


@pytest.mark.parametrize("name", ["a", "Array-2", "under_score"])
def test_good_name(provider: Path, name: str) -> None:
    assert not found("ES-DISC-01", provider.rename(provider.parent / name))


@pytest.mark.parametrize("name", ["my.provider", "two words", "größe"])
def test_bad_name(provider: Path, name: str) -> None:
    assert found("ES-DISC-01", provider.rename(provider.parent / name)) == ["."]


@pytest.mark.parametrize("method", REQUIRED_METHODS)
def test_missing_script(provider: Path, method: str) -> None:
    (provider / method).unlink()

    assert found("ES-DISC-02", provider) == [method]
    assert not found("ES-DISC-03", provider)
    assert not found("ES-DISC-04", provider)


@pytest.mark.parametrize("method", OPTIONAL_METHODS)
def test_optional_script_may_be_missing(provider: Path, method: str) -> None:
    (provider / method).unlink()

    assert not found("ES-DISC-02", provider)
    assert not found("ES-DISC-06", provider)


def test_dangling_link(provider: Path) -> None:
    (provider / "attach").unlink()
    (provider / "attach").symlink_to("nowhere")

    assert found("ES-DISC-03", provider) == ["attach"]
    assert not found("ES-DISC-02", provider)


def test_link_to_a_file_is_fine(provider: Path) -> None:
    (provider / "grow").rename(provider.parent / "elsewhere")
    (provider / "grow").symlink_to(provider.parent / "elsewhere")

    assert not found("ES-DISC-03", provider)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_script_that_is_no_file(provider: Path, make: object) -> None:
    (provider / "grow").unlink()
    assert callable(make)
    make(provider / "grow")

    assert found("ES-DISC-03", provider) == ["grow"]


@pytest.mark.parametrize(("mode", "files"), [(0o644, ["setinfo"]), (0o655, ["setinfo"])])
def test_script_that_its_owner_cannot_run(provider: Path, mode: int, files: list[str]) -> None:
    (provider / "setinfo").chmod(mode)

    assert found("ES-DISC-04", provider) == files


def test_script_that_only_its_owner_can_run_is_fine(provider: Path) -> None:
    (provider / "setinfo").chmod(0o700)

    assert not found("ES-DISC-04", provider)


def test_missing_parameters_list(provider: Path) -> None:
    (provider / "parameters.list").unlink()

    assert found("ES-DISC-05", provider) == ["parameters.list"]


def test_parameters_list_that_is_a_directory(provider: Path) -> None:
    (provider / "parameters.list").unlink()
    (provider / "parameters.list").mkdir()

    assert found("ES-DISC-05", provider) == ["parameters.list"]


def test_parameters_list_that_is_not_utf8(provider: Path) -> None:
    (provider / "parameters.list").write_bytes("directory Größe\n".encode("latin-1"))

    assert found("ES-DISC-05", provider) == ["parameters.list"]


def test_optional_script_that_cannot_be_run(provider: Path) -> None:
    (provider / "open").chmod(0o644)

    assert found("ES-DISC-06", provider) == ["open"]
    assert not found("ES-DISC-04", provider)
