"""The file in a project that says what it was made of, so that it can be brought up to date.

It holds the version of this package, the answers, and every file as the template made
it. The runtime is left out: ``extstorage vendor`` replaces it as a whole.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import extstorage
from extstorage.scaffold.answers import AnswerError, Answers
from extstorage.vendoring import COPY

FILE_NAME = ".extstorage.json"


class RecordError(ValueError):
    """The record is missing, or no record."""


@dataclass(frozen=True)
class File:
    """A file of a project: its text, and whether it can be executed."""

    text: str
    executable: bool


@dataclass(frozen=True)
class Record:
    """What the template made of the answers."""

    version: str
    answers: dict[str, Any]
    files: dict[str, File]


def write(project: Path, answers: Answers) -> None:
    """Note what ``project`` looks like now."""
    files = {
        name: {"executable": file.executable, "lines": file.text.split("\n")}
        for name, file in read_files(project, answers.name).items()
    }
    content = {"extstorage": extstorage.__version__, "answers": answers.as_dict(), "files": files}
    text = json.dumps(content, indent=1, ensure_ascii=True) + "\n"
    (project / FILE_NAME).write_text(text, encoding="ascii")
    (project / FILE_NAME).chmod(0o644)


def read(project: Path) -> Record:
    """Return the record of ``project``. Raises RecordError."""
    path = project / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        return Record(
            str(content["extstorage"]),
            dict(content["answers"]),
            {
                _checked(name): File("\n".join(file["lines"]), bool(file["executable"]))
                for name, file in content["files"].items()
            },
        )
    except FileNotFoundError:
        raise RecordError(
            f"{project} has no {FILE_NAME}: expected a project that `extstorage new` made"
        ) from None
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"{path} is no record of `extstorage new`: {error}") from None


def _checked(name: str) -> str:
    if name.startswith("/") or ".." in Path(name).parts:
        raise ValueError(f"{name!r} is no path inside the project")
    return name


def answers_of(record: Record, changes: dict[str, str]) -> Answers:
    """Return the recorded answers with ``changes``. Raises AnswerError."""
    if changes.get("name", record.answers.get("name")) != record.answers.get("name"):
        raise AnswerError("name: cannot be changed: make a new project")
    return Answers.parse(record.answers | changes)


def read_files(project: Path, provider_name: str, only: set[str] | None = None) -> dict[str, File]:
    """Return files of ``project`` by their paths below it: ``only`` those, or all.

    Runtime and record are left out. Raises UnicodeDecodeError.
    """
    runtime = Path(provider_name) / COPY
    if only is None:
        names = [path.relative_to(project) for path in sorted(project.rglob("*"))]
    else:
        names = [Path(name) for name in sorted(only)]
    return {
        name.as_posix(): _read_file(project / name)
        for name in names
        if name.as_posix() != FILE_NAME
        and not name.is_relative_to(runtime)
        and (project / name).is_file()
    }


def _read_file(path: Path) -> File:
    return File(path.read_bytes().decode("utf-8"), os.access(path, os.X_OK))
