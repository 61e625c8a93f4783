"""Bring a project to what today's template makes of its answers, its vendor's changes kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from extstorage import vendoring
from extstorage.scaffold import record
from extstorage.scaffold.merging import MARKER, Change, merge
from extstorage.scaffold.project import render


class UpdateError(ValueError):
    """The project cannot be updated as it is."""


def update(project: Path, changes: dict[str, str], *, only_plan: bool = False) -> list[Change]:
    """Update ``project``; return what was done to its files.

    ``changes`` are answers that are other than recorded. With ``only_plan`` nothing is
    written. Raises RecordError, AnswerError, UpdateError and MergeError, all before a
    file is written.
    """
    recorded = record.read(project)
    answers = record.answers_of(recorded, changes)
    try:
        yours = record.read_files(project, answers.name, only={*recorded.files})
    except UnicodeDecodeError as error:
        raise UpdateError(f"a file of the template is no UTF-8 any more: {error}") from None
    unsolved = [name for name, file in yours.items() if MARKER in file.text]
    if unsolved:
        raise UpdateError(f"{unsolved[0]} has conflicts of an update before: solve them first")
    with tempfile.TemporaryDirectory() as directory:
        made = render(answers, Path(directory))
        template = record.read(made).files
        new = {name for name in template if name not in recorded.files}
        yours |= record.read_files(project, answers.name, only=new)
        plan = merge(recorded.files, yours, template)
        if not only_plan:
            _apply(project, plan)
            vendoring.vendor(project / answers.name, answers.language)
            # Last: until it is there, the same update can be made again.
            _replace(project / record.FILE_NAME, (made / record.FILE_NAME).read_bytes(), 0o644)
    return plan


def _apply(project: Path, plan: list[Change]) -> None:
    for change in plan:
        path = project / change.name
        if change.kind == "removed":
            _remove(project, path)
        elif change.kind != "kept" and change.file is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = 0o755 if change.file.executable else 0o644
            _replace(path, change.file.text.encode("utf-8"), mode)


def _remove(project: Path, path: Path) -> None:
    """Delete a file, and the directories that held nothing else."""
    path.unlink()
    for directory in path.parents:
        if directory == project or any(directory.iterdir()):
            break
        directory.rmdir()


def _replace(path: Path, content: bytes, mode: int) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    new.chmod(mode)
    os.replace(new, path)  # noqa: PTH105 - at once or not at all
