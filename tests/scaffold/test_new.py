"""`extstorage new`: what it makes, and what it refuses."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from extstorage.contract.methods import REQUIRED_METHODS
from extstorage.resources import template
from extstorage.scaffold.answers import AnswerError, Answers
from tests.scaffold.projects import BIN, bake, content, provider_of, run

WRONG = {
    "name=": "name: expected letters, digits, _ and - (Ganeti's ^[a-zA-Z0-9_-]+$), found ''",
    "name=a.b": "name: expected letters, digits, _ and -",
    "name=a/b": "name: expected letters",
    "name=caf\u00e9": "name: expected letters",
    "name=-rf": "name: expected a letter or digit at both ends",
    f"name={'n' * 61}": "name: expected at most 60 characters, found 61",
    "vendor=": "vendor: expected some text",
    "vendor=Caf\u00e9": "vendor: expected one line of ASCII",
    'vendor=A "B"': 'vendor: expected a name without any of < > " \\ { } # $ `',
    "vendor=a\nb": "vendor: expected one line of ASCII",
    f"vendor={'V' * 61}": "vendor: expected at most 60 characters, found 61",
    "email=nobody": "email: expected an address, found 'nobody'",
    "language=perl": "language: expected one of sh, python, found 'perl'",
    "licence=none": "licence: expected one of BSD-2-Clause, MIT",
    "ci=Jenkins": "ci: expected one of GitHub, GitLab, none",
    "snapshot=maybe": "snapshot: expected yes or no, found 'maybe'",
    "parameters=pool": "parameters: expected `NAME description`",
    "parameters=Pool the pool": "parameters: 'Pool' is not [a-z][a-z0-9_]*",
    "parameters=nas-ip its address": "parameters: 'nas-ip' is not",
    "parameters=size the size": "parameters: 'size' is a name that Ganeti keeps for itself",
    "parameters=pool one; pool two": "parameters: 'pool' stands twice",
    "parameters=dev_directory mine": "parameters: 'dev_directory' is taken",
    "parameters=attach to what": "parameters: 'attach' is taken",
    "parameters=class of storage": "parameters: 'class' is taken",
    "parameters=str of characters": "parameters: 'str' is taken",
    f"parameters={'p' * 61} the pool": f"parameters: '{'p' * 61}': expected at most 60 characters",
    f"parameters=pool {'x' * 81}": "parameters: 'pool': expected at most 80 characters",
    f"parameters=pool={chr(34) * 41} the pool": "parameters: 'pool': expected at most 80",
    "colour=red": "colour: no such key: the keys are name, vendor",
    "nonsense": "expected KEY=VALUE, found 'nonsense'",
    "=x": "expected KEY=VALUE, found '=x'",
}


@pytest.mark.parametrize("word", WRONG)
def test_a_wrong_answer_is_refused_before_a_file_is_written(word: str, tmp_path: Path) -> None:
    done = run("extstorage", "new", "--no-input", word, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"extstorage new: {WRONG[word]}")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("vendor", "refused"), [("#1 Storage", "found # in '#1 Storage'"), ("<$>", "found < > $ in")]
)
def test_what_no_vendor_may_have_is_named(vendor: str, refused: str) -> None:
    with pytest.raises(AnswerError, match=re.escape(refused)):
        Answers.parse({"vendor": vendor})


def test_an_answer_given_twice_is_refused(tmp_path: Path) -> None:
    done = run("extstorage", "new", "--no-input", "name=a", "name=b", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "extstorage new: name is given twice\n")


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "extstorage-acme").mkdir()
    (tmp_path / "extstorage-acme/mine").write_text("mine")
    done = run("extstorage", "new", "--no-input", cwd=tmp_path)
    assert done.returncode == 2
    assert "extstorage-acme is there already" in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["extstorage-acme", "mine"]


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("extstorage", "new", "--no-input", "--output-dir", "file/x", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "extstorage new: cannot make the project: file/x: Not a directory\n"


def test_what_the_system_says_is_told_without_a_file_too(tmp_path: Path) -> None:
    command = ("prlimit", "--fsize=1000", *(BIN / "extstorage", "new", "--no-input"))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        *(2, "extstorage new: cannot make the project: .: File too large\n"),
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)
def test_the_new_provider_can_be_judged_at_once(tmp_path: Path) -> None:
    done = run("extstorage", "new", "--no-input", "--conform", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "acme CONFORMS to Ganeti 3.0, profile core" in done.stdout


def test_without_answers_at_a_terminal_it_says_so(tmp_path: Path) -> None:
    done = run("extstorage", "new", "name=acme", cwd=tmp_path)
    assert done.returncode == 2
    assert "give KEY=VALUE, or --no-input" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_project_is_said_and_the_next_step(tmp_path: Path) -> None:
    done = run("extstorage", "new", "--no-input", "name=x", "--output-dir", "a/b", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].split() == [
        *("extstorage", "conform", "--profile", "core", "a/b/extstorage-x/x"),
    ]
    assert (tmp_path / "a/b/extstorage-x/x/attach").is_file()


@pytest.mark.parametrize("language", ["sh", "python"])
def test_the_output_is_always_the_same(language: str, tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        first = content(bake(tmp_path / "1", language=language))
    finally:
        os.umask(old)
    assert content(bake(tmp_path / "2", language=language)) == first


@pytest.mark.parametrize("language", ["sh", "python"])
def test_cookiecutter_makes_the_same(language: str, tmp_path: Path) -> None:
    words = ("--no-input", "--default-config", template(), f"language={language}", "name=other")
    done = run("cookiecutter", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ours = bake(tmp_path / "ours", language=language, name="other")
    assert content(tmp_path / "extstorage-other") == content(ours)


def test_cookiecutter_refuses_a_wrong_answer(tmp_path: Path) -> None:
    words = ("--no-input", "--default-config", template(), "name=a.b")
    done = run("cookiecutter", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert "name: expected letters, digits, _ and -" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_scripts_can_be_run_and_nothing_else(tmp_path: Path) -> None:
    project = bake(tmp_path)
    executable = {
        path.relative_to(project).as_posix()
        for path in project.rglob("*")
        if path.is_file() and path.stat().st_mode & stat.S_IXUSR
    }
    scripts = {f"acme/{name}" for name in (*REQUIRED_METHODS, "snapshot", "open", "close")}
    assert executable == {*scripts, "debian/rules"}


def test_only_what_was_chosen_is_there(tmp_path: Path) -> None:
    project = bake(tmp_path, ci="none", debian_package="no", snapshot="no", open_close="no")
    names = {path.name for path in project.iterdir()}
    assert names.isdisjoint({".github", ".gitlab-ci.yml", "debian"})
    scripts = {path.name for path in provider_of(project).iterdir() if path.suffix == ""}
    assert scripts == {*REQUIRED_METHODS, "lib"}


def test_no_word_of_the_template_is_left(tmp_path: Path) -> None:
    for language in ("sh", "python"):
        project = bake(tmp_path / language, language=language, ci="none")
        for name, (_, text) in content(project).items():
            assert b"cookiecutter" not in text, name
            assert b"{%" not in text, name
            assert text.endswith(b"\n"), name
            if not name.endswith((".json", "LICENSE", "copyright")):
                assert b"\n\n\n\n" not in text, name


def test_answers_have_the_templates_defaults() -> None:
    answers = Answers.parse({})
    assert (answers.name, answers.language, answers.snapshot) == ("acme", "sh", True)
    assert Answers.parse(answers.as_dict()) == answers


def test_a_parameter_can_be_required_optional_or_secret() -> None:
    answers = Answers.parse({"parameters": "a one; b=x two; c= three; d! four; e!=y five"})
    found = {each.name: (each.default, each.required, each.secret) for each in answers.declared}
    assert found == {
        "a": (None, True, False),
        "b": ("x", False, False),
        "c": ("", False, False),
        "d": (None, True, True),
        "e": ("y", False, True),
    }


def test_a_value_of_another_kind_is_an_answer_error() -> None:
    with pytest.raises(AnswerError, match="name: expected text, found 3"):
        Answers.parse({"name": 3})
