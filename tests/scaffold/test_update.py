"""`extstorage update`: the template of today and the vendor's changes, both kept."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from extstorage.cli import main
from extstorage.resources import template
from extstorage.scaffold import answers, project
from extstorage.vendoring import outdated
from tests.scaffold.projects import bake, content, provider_of, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROVIDER = "{{ cookiecutter | project_directory }}/{{ cookiecutter.name }}"
SH = f"{PROVIDER}/lib-sh/provider.sh"


@pytest.fixture
def change_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str, str], None]:
    """Let the template be a newer one: `old` in its file is `new`."""
    newer = tmp_path / "newer/provider"
    shutil.copytree(template(), newer)
    for module in (answers, project):
        monkeypatch.setattr(module, "template", lambda: newer)

    def change(name: str, old: str, new: str) -> None:
        path = newer / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


def update(directory: Path, *words: str) -> int:
    return main(["update", str(directory), *words])


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_current_project_stays_as_it_is(tmp_path: Path) -> None:
    made = bake(tmp_path)
    before = content(made)
    assert update(made) == 0
    assert content(made) == before


def test_both_sides_changes_are_kept(
    tmp_path: Path, change_template: Callable[[str, str, str], None]
) -> None:
    made = bake(tmp_path)
    script = provider_of(made) / "lib/provider.sh"
    edit(script, 'development_setinfo "$VOL_NAME"', 'run arraycli note "$VOL_NAME"')
    (made / "mine").write_text("mine\n")
    change_template(SH, "checks='programs directory'", "checks='directory programs'")
    change_template("{{ cookiecutter | project_directory }}/CHANGELOG.md", "# Changelog", "# News")
    assert update(made) == 0
    text = script.read_text()
    assert "run arraycli note" in text
    assert "checks='directory programs'" in text
    assert (made / "CHANGELOG.md").read_text().startswith("# News")
    assert (made / "mine").read_text() == "mine\n"
    assert update(made) == 0
    assert script.read_text() == text


def test_conflicts_are_marked_and_told(
    tmp_path: Path,
    change_template: Callable[[str, str, str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = bake(tmp_path)
    script = provider_of(made) / "lib/provider.sh"
    edit(script, "checks='programs directory'", "checks='array'")
    change_template(SH, "checks='programs directory'", "checks='directory'")
    assert update(made, "--dry-run") == 1
    assert "<<<<<<<" not in script.read_text()
    assert update(made) == 1
    told = capsys.readouterr().out
    assert "conflict acme/lib/provider.sh (1 places changed by both)" in told
    text = script.read_text()
    assert "<<<<<<< yours\nchecks='array'\n" in text
    assert "checks='directory'\n>>>>>>> template\n" in text
    assert update(made) == 2
    assert "has conflicts of an update before: solve them first" in capsys.readouterr().err


def test_what_the_vendor_deleted_stays_deleted(
    tmp_path: Path,
    change_template: Callable[[str, str, str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = bake(tmp_path)
    (made / "CHANGELOG.md").unlink()
    (made / "tox.ini").unlink()
    change_template("{{ cookiecutter | project_directory }}/CHANGELOG.md", "# Changelog", "# News")
    assert update(made) == 0
    assert "kept     CHANGELOG.md (you have deleted it" in capsys.readouterr().out
    assert not (made / "CHANGELOG.md").exists()
    assert not (made / "tox.ini").exists()


def test_another_answer_adds_and_takes_away(tmp_path: Path) -> None:
    made = bake(tmp_path, snapshot=False, ci="GitHub")
    provider = provider_of(made)
    assert not (provider / "snapshot").exists()
    assert update(made, "snapshot=yes", "ci=GitLab", "parameters=tier the tier") == 0
    assert content(made) == content(
        bake(tmp_path / "new", snapshot=True, ci="GitLab", parameters="tier the tier")
    )
    assert not (made / ".github").exists()


def test_a_changed_file_that_the_template_drops_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = bake(tmp_path)
    edit(made / "debian/control", "Priority: optional", "Priority: extra")
    assert update(made, "debian_package=no") == 0
    assert "kept     debian/control (the template no longer has it" in capsys.readouterr().out
    assert [path.name for path in (made / "debian").rglob("*") if path.is_file()] == ["control"]


def test_the_runtime_is_renewed(tmp_path: Path) -> None:
    made = bake(tmp_path)
    provider = provider_of(made)
    (provider / "lib/extstorage/end.sh").unlink()
    assert update(made) == 0
    assert outdated(provider) == []


BROKEN = {
    "missing": (None, "has no .extstorage.json"),
    "no JSON": ("{", "is no record of `extstorage new`"),
    "another file": ("[]", "is no record of `extstorage new`"),
    "no files": ('{"extstorage": "1", "answers": {}}', "is no record"),
    "outside": (
        '{"extstorage": "1", "answers": {}, "files": {"../x": {"lines": [], "executable": false}}}',
        "'../x' is no path inside the project",
    ),
}


@pytest.mark.parametrize(("text", "told"), BROKEN.values(), ids=BROKEN)
def test_a_bad_record_is_told(text: str | None, told: str, tmp_path: Path) -> None:
    made = bake(tmp_path)
    record = made / ".extstorage.json"
    record.unlink()
    if text is not None:
        record.write_text(text)
    done = run("extstorage", "update", made, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("word", ["name=other", "snapshot=maybe", "colour=red", "nonsense"])
def test_a_wrong_answer_changes_nothing(word: str, tmp_path: Path) -> None:
    made = bake(tmp_path)
    before = content(made)
    done = run("extstorage", "update", made, word, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert content(made) == before
