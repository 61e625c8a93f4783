from __future__ import annotations

from pathlib import Path

import pytest

from extstorage.host.recognition import why_no_provider


@pytest.mark.parametrize("name", ["create", "close", "parameters.list"])
def test_one_file_of_a_provider_is_enough(name: str, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to("nowhere")

    assert why_no_provider(tmp_path) == ""


def test_what_was_expected_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()

    assert why_no_provider(tmp_path) == (
        f"{tmp_path} is no provider's directory: expected the scripts create, attach, detach, ..."
        " or parameters.list in it, found none of them"
    )


def test_provider_in_it_is_named(tmp_path: Path) -> None:
    for name in ("docs/create", "mine/create", "mine/attach"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert why_no_provider(tmp_path).endswith(f"; give {tmp_path}/mine, which has them")


def test_directory_that_cannot_be_read_is_none() -> None:
    assert "found none of them" in why_no_provider(Path("/nowhere"))
