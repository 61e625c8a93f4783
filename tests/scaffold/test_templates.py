"""Every combination of answers gives a project that is clean, passes its tests and conforms."""

from __future__ import annotations

import ast
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from extstorage.scaffold.extension import python_string, shell_word
from tests.scaffold.projects import (
    LONGEST,
    MATRIX,
    PARAMETERS,
    REST,
    bake,
    label,
    lint,
    pairwise,
    provider_of,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

COMBINATIONS = [*MATRIX, *pairwise(REST)]
STANDARD = ["sh-snapshot-open_close", "python-snapshot-open_close"]
needs_loop = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)


def combinations() -> Iterator[Any]:
    for combination in COMBINATIONS:
        yield pytest.param(combination, id=label(combination))


@pytest.mark.slow
@pytest.mark.parametrize("combination", list(combinations()))
def test_no_tool_complains(combination: dict[str, Any], tmp_path: Path) -> None:
    assert lint(bake(tmp_path, **combination)) == []


@pytest.mark.slow
@pytest.mark.parametrize("language", ["sh", "python"])
def test_no_tool_complains_of_the_longest_answers(language: str, tmp_path: Path) -> None:
    assert lint(bake(tmp_path, language=language, **LONGEST)) == []


@pytest.mark.parametrize("language", ["sh", "python"])
@pytest.mark.parametrize("vendor", ["O'Reilly", "''"])
def test_a_vendor_may_have_an_apostrophe(language: str, vendor: str, tmp_path: Path) -> None:
    assert lint(bake(tmp_path, language=language, vendor=vendor)) == []


def test_strings_are_as_ruff_writes_them(tmp_path: Path) -> None:
    texts = ["".join(each) for n in range(5) for each in itertools.product("a\"'\\", repeat=n)]
    lines = [f"x = {python_string(text)}\n" for text in texts]
    assert [ast.literal_eval(line.removeprefix("x = ")) for line in lines] == texts
    (tmp_path / "strings.py").write_text("".join(lines))
    done = run("ruff", "format", "--isolated", "--no-cache", "--diff", "strings.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_words_are_as_shellcheck_likes_them(tmp_path: Path) -> None:
    texts = ["".join(each) for n in range(5) for each in itertools.product("a \"'\\$`", repeat=n)]
    lines = [f"printf '%s\\n' {shell_word(text)}\n" for text in texts]
    (tmp_path / "words").write_text("".join(["#!/bin/sh\n", *lines]))
    assert run("/bin/sh", "words", cwd=tmp_path).stdout.splitlines() == texts
    done = run("shellcheck", "words", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@needs_loop
@pytest.mark.parametrize("combination", list(combinations()))
def test_its_own_tests_pass(combination: dict[str, Any], tmp_path: Path) -> None:
    project = bake(tmp_path, **combination)
    words = ("-q", "-p", "no:cacheprovider", "-p", "no:extstorage_conformance", "tests")
    done = run("pytest", *words, "--ignore=tests/test_ganeti.py", cwd=project)
    assert done.returncode == 0, done.stdout


def profiles() -> Iterator[Any]:
    for combination in MATRIX:
        name = label(combination)
        profile = "standard" if name in STANDARD else "core"
        yield pytest.param(combination, profile, id=f"{name}-{profile}")


@pytest.mark.slow
@needs_loop
@pytest.mark.parametrize(("combination", "profile"), list(profiles()))
def test_it_conforms(combination: dict[str, Any], profile: str, tmp_path: Path) -> None:
    project = bake(tmp_path, **combination, parameters=PARAMETERS["many"])
    # The longest runs of all: in one process each they would still go on when the rest is done.
    several = ("-n", "2") if profile == "standard" else ()
    words = ("conform", "--profile", profile, *several, provider_of(project))
    done = run("extstorage", *words, cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_two_answers_meet() -> None:
    rows = pairwise(REST)
    assert len(rows) < 40
    for key, values in REST.items():
        assert {row[key] for row in rows} == {*values}
