"""Projects baked from the template: which answers are tried, and how a project is looked at."""

from __future__ import annotations

import itertools
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage.scaffold.answers import Answers
from extstorage.scaffold.project import create
from tests import children

if TYPE_CHECKING:
    import subprocess

BIN = Path(sys.executable).parent
# One for all projects of a run: what mypy knows of pytest is most of its time.
_MYPY_CACHE = tempfile.TemporaryDirectory(prefix="extstorage-mypy-")
QUOTES = "\"'\\'"
PARAMETERS = {
    "none": "",
    "required": "pool name of the pool on the array",
    "default": "tier=gold storage tier; note= a note",
    "secret": "user=admin the array's user; password! the \"user's\" password",
    "many": "pool name of the pool; tier=gold the tier; key! a $HOME `key`; note= it's a note",
}
# As long as answers can be, and with what has to be escaped in more than one language.
LONGEST = {
    "name": "n" * 60,
    "vendor": "V" * 60,
    "email": f"{'a' * 60}@{'b' * 60}.com",
    "parameters": (
        f"{'p' * 60} {'x ' * 39}xx; quotes={QUOTES * 13} {QUOTES * 13}; key!={'k' * 80} $`"
    ),
}
NAMES = ("acme", "Acme_2-x", "9")
MATRIX = [
    {"language": language, "snapshot": snapshot, "open_close": open_close, "userspace_uri": uri}
    for language, snapshot, open_close, uri in itertools.product(
        ("sh", "python"), (True, False), (True, False), (True, False)
    )
]
REST = {
    "language": ("sh", "python"),
    "name": NAMES,
    "parameters": tuple(PARAMETERS.values()),
    "licence": ("BSD-2-Clause", "MIT", "Apache-2.0", "GPL-2.0-or-later", "proprietary"),
    "ci": ("GitHub", "GitLab", "none"),
    "debian_package": (True, False),
    "snapshot": (True, False),
}


def pairwise(options: dict[str, tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Return combinations in which every two answers to two questions meet, always the same."""
    keys = list(options)
    missing = {
        (one, a, other, b)
        for one, other in itertools.combinations(keys, 2)
        for a in options[one]
        for b in options[other]
    }
    everything = [
        dict(zip(keys, each, strict=True)) for each in itertools.product(*options.values())
    ]
    chosen = []
    while missing:
        best = max(everything, key=lambda each: len(_pairs(each) & missing))
        chosen.append(best)
        missing -= _pairs(best)
    return chosen


def _pairs(combination: dict[str, Any]) -> set[tuple[str, Any, str, Any]]:
    return {
        (one, combination[one], other, combination[other])
        for one, other in itertools.combinations(combination, 2)
    }


def label(combination: dict[str, Any]) -> str:
    """Return a test's id."""
    named = {value: key for key, value in PARAMETERS.items()}
    words = [
        named.get(value, value) if isinstance(value, str) else key
        for key, value in combination.items()
        if value is not False
    ]
    return "-".join(words)


def bake(directory: Path, **answers: object) -> Path:
    """Make a project in ``directory``; return its directory."""
    return create(Answers.parse(answers), directory)


def provider_of(project: Path) -> Path:
    """Return the provider's directory in a project."""
    return project / project.name.removeprefix("extstorage-")


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one of this environment's programs in a project."""
    return children.run(
        [BIN / command[0], *command[1:]],
        cwd,
        {
            "PATH": f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(cwd.parent),  # where cookiecutter keeps its answers
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


def content(project: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode and content of each file."""
    return {
        path.relative_to(project).as_posix(): (path.stat().st_mode & 0o777, path.read_bytes())
        for path in sorted(project.rglob("*"))
        if path.is_file()
    }


def lint(project: Path) -> list[str]:
    """Return what the tools of the project's own tox environment `lint` complain about."""
    provider = provider_of(project)
    commands: list[tuple[str | Path, ...]] = [
        ("ruff", "check", "--no-cache"),
        ("ruff", "format", "--no-cache", "--check"),
        ("mypy", f"--cache-dir={_MYPY_CACHE.name}"),
        ("extstorage", "lint", provider),
        ("extstorage", "vendor", "--check", provider),
    ]
    if (provider / "lib/provider.sh").exists():
        files = sorted((provider / "lib").rglob("*.sh"))
        commands.append(("shellcheck", provider / "attach", *files))
    done = [run(*command, cwd=project) for command in commands]
    return [f"{each.args}: {each.stdout}{each.stderr}" for each in done if each.returncode]
