"""What cannot be rendered: scripts by their names, modes, the runtime, and what was not chosen."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from extstorage import vendoring
from extstorage.contract.methods import PARAMETERS_FILE
from extstorage.scaffold import record

if TYPE_CHECKING:
    from pathlib import Path

    from extstorage.scaffold.answers import Answers

_SCRIPT = "script"
_EXECUTABLE_FILES = ("debian/rules",)


def finish(project: Path, answers: Answers) -> None:
    """Make the rendered directory ``project`` a complete project."""
    provider = project / answers.name
    _drop_bytecode(project)
    _drop_what_was_not_chosen(project, answers)
    (provider / f"lib-{answers.language}").rename(provider / "lib")
    for path in provider.glob("lib-*"):
        shutil.rmtree(path)
    script = provider / _SCRIPT
    for name in answers.scripts:
        shutil.copyfile(script, provider / name)
    script.unlink()
    (provider / PARAMETERS_FILE).write_text(answers.parameters_list, encoding="ascii")
    vendoring.vendor(provider, answers.language)
    _set_modes(project, answers)
    record.write(project, answers)


def _drop_bytecode(project: Path) -> None:
    # pip compiles what it installs, and takes the template's Python files for its own.
    for path in list(project.rglob("__pycache__")):
        shutil.rmtree(path)


def _drop_what_was_not_chosen(project: Path, answers: Answers) -> None:
    chosen = {
        ".github": answers.ci == "GitHub",
        ".gitlab-ci.yml": answers.ci == "GitLab",
        "debian": answers.debian_package,
    }
    for name, is_chosen in chosen.items():
        path = project / name
        if not is_chosen and path.is_dir():
            shutil.rmtree(path)
        elif not is_chosen:
            path.unlink()


def _set_modes(project: Path, answers: Answers) -> None:
    executable = {project / answers.name / name for name in answers.scripts}
    executable |= {project / name for name in _EXECUTABLE_FILES}
    for path in (project, *project.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path in executable else 0o644)
