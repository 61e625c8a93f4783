"""What mutant.toml can say, and what it makes of a base."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mutants.build import MutantError, all_mutants, build, load

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 'base = "plain"\nbreaks = ["ES-X-01"]\nwhy = "it is broken"\n'


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "mutants" / "broken-thing"
    path.mkdir(parents=True)
    return path


def write(directory: Path, text: str) -> Path:
    (directory / "mutant.toml").write_text(HEAD + text)
    return directory


def test_base_is_copied_under_the_mutants_name(directory: Path, tmp_path: Path) -> None:
    provider = build(write(directory, ""), tmp_path)
    assert provider == tmp_path / "broken-thing"
    base = load(directory).base
    for file in base.iterdir():
        copy = provider / file.name
        assert copy.read_bytes() == file.read_bytes()
        assert copy.stat().st_mode == file.stat().st_mode


def test_overlay_replaces_a_script(directory: Path, tmp_path: Path) -> None:
    (directory / "overlay").mkdir()
    script = directory / "overlay" / "grow"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    provider = build(write(directory, ""), tmp_path)
    assert (provider / "grow").read_text() == "#!/bin/sh\n"
    assert (provider / "grow").stat().st_mode & 0o777 == 0o755


def test_every_key(directory: Path, tmp_path: Path) -> None:
    text = """
        rename = "my.provider"
        remove = ["open"]
        directories = ["grow"]
        links = { attach = "/nonexistent" }
        mode = { setinfo = "0644" }
        [[edit]]
        file = "create"
        find = "#!/bin/sh\\n"
        replace = "#!/bin/sh\\r\\n"
    """
    provider = build(write(directory, text), tmp_path)
    assert provider.name == "my.provider"
    assert not (provider / "open").exists()
    assert (provider / "grow").is_dir()
    assert str((provider / "attach").readlink()) == "/nonexistent"
    assert (provider / "setinfo").stat().st_mode & 0o777 == 0o644
    assert (provider / "create").read_bytes().startswith(b"#!/bin/sh\r\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "unknown key 'colour'"),
        ("remove = 1", "remove must be a list"),
        ('remove = ["nothing"]', "plain has no file 'nothing'"),
        ('[[edit]]\nfile = "create"', "file, find and replace"),
        ('[[edit]]\nfile = "create"\nfind = "absent!"\nreplace = ""', "once .* not 0 times"),
        ('[[edit]]\nfile = "create"\nfind = "VOL"\nreplace = ""', "once .* times"),
    ],
)
def test_what_does_not_fit_is_refused(
    directory: Path, tmp_path: Path, text: str, message: str
) -> None:
    write(directory, text)
    with pytest.raises(MutantError, match=message):
        build(directory, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "base is missing"),
        ('base = "nowhere"\nbreaks = ["ES-X-01"]\nwhy = "x"', "no provider 'nowhere'"),
        ('base = "plain"\nbreaks = []\nwhy = "x"', "breaks is missing or empty"),
        ("base =", "mutant.toml"),
    ],
)
def test_a_mutant_must_say_what_it_is(directory: Path, text: str, message: str) -> None:
    (directory / "mutant.toml").write_text(text)
    with pytest.raises(MutantError, match=message):
        load(directory)


def test_every_mutant_of_the_tree_builds(tmp_path: Path) -> None:
    mutants = all_mutants()
    assert mutants
    for mutant in mutants:
        parent = tmp_path / mutant.name
        parent.mkdir()
        assert build(mutant, parent).is_dir()
