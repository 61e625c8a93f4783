from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from extstorage.cli import roff
from extstorage.cli.manual import Entry, Manual, manual

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Command


def everything(one: Manual) -> Iterator[Manual]:
    yield one
    for part in one.parts:
        yield from everything(part)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("man1")
    for name, page in roff.pages(manual()).items():
        (directory / name).write_text(page, encoding="ascii")
    return directory


def test_manual_has_what_help_has(extstorage: Command) -> None:
    shown = " ".join(extstorage("conform", "--help").stdout.split())
    conform = next(part for part in manual().parts if part.name == "extstorage conform")

    assert len(conform.options) > 5
    for entry in [*conform.options, *conform.arguments]:
        assert entry.words.split(", ")[0].split()[0] in shown
        assert entry.meaning in shown


def test_every_command_says_what_it_does_and_every_option_too() -> None:
    for one in everything(manual()):
        assert one.usage.startswith(one.name), one.name
        for entry in one.options:
            assert entry.meaning, f"{one.name}: {entry.words}"


def test_commands_of_ganetis_programs_are_there() -> None:
    names = {one.name for one in everything(manual())}

    assert {"extstorage cluster init", "gnt-instance migrate", "gnt-storage diagnose"} <= names


def test_pages_have_no_warnings_in_mandoc(written: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("needs mandoc: apt-get install mandoc")
    completed = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *sorted(map(str, written.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (completed.returncode, completed.stdout) == (0, ""), completed.stderr


def test_pages_have_no_warnings_in_man(written: Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("needs man: apt-get install man-db")
    for page in written.iterdir():
        completed = subprocess.run(
            ["man", "--warnings", "-l", str(page)], capture_output=True, text=True, check=False
        )
        assert (completed.returncode, completed.stderr) == (0, ""), page.name
        assert "EXIT STATUS" in completed.stdout


def test_text_that_looks_like_macros_stays_text(tmp_path: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("needs mandoc: apt-get install mandoc")
    meaning = ".TH is 'no' macro \\fBhere\\fR - \"really\""
    page = tmp_path / "x.1"
    hostile = Manual("x", "a test", "x y", [Entry("-a 'B'", meaning)])
    page.write_text(roff.pages(hostile)["x.1"], encoding="ascii")

    shown = subprocess.run(["mandoc", "-T", "ascii", page], capture_output=True, check=True).stdout

    text = b" ".join(shown.replace(b"_\b", b"").split()).decode()
    assert meaning in text


def test_command_writes_shows_and_refuses(extstorage: Command, tmp_path: Path) -> None:
    wrote = extstorage("man", "--write", tmp_path / "new/man1")
    shown = extstorage("man", "conform")
    refused = extstorage("man", "judge")
    unwritable = extstorage("man", "--write", "/dev/null/x")

    assert wrote.returncode == 0
    assert (tmp_path / "new/man1/extstorage-conform.1").exists()
    assert shown.stdout.startswith('.TH "EXTSTORAGE\\-CONFORM" 1 ')
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert (unwritable.returncode, unwritable.stderr.count("\n")) == (2, 1)


def test_pages_are_reproducible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")

    assert " 1970-01-02 " in roff.pages(manual())["extstorage.1"]


def test_markdown_has_every_command(extstorage: Command) -> None:
    text = extstorage("man", "--markdown").stdout

    assert text.startswith("# Command line\n")
    for part in manual().parts:
        for one in everything(part):
            assert f"# {one.name}\n" in text
