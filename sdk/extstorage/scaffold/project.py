"""A new project: the template rendered by cookiecutter."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.resources import template
from extstorage.scaffold.answers import Answers
from extstorage.scaffold.finishing import finish

if TYPE_CHECKING:
    from collections.abc import Mapping

_ANSWERED = ("y", "yes")


class ProjectError(ValueError):
    """The project cannot be made where it was asked for."""


def ask(given: Mapping[str, object]) -> Answers:
    """Ask at the terminal for what ``given`` does not answer. Raises AnswerError."""
    from cookiecutter.generate import generate_context  # noqa: PLC0415 - takes 0.3 s to import
    from cookiecutter.prompt import prompt_for_config  # noqa: PLC0415

    context = generate_context(str(template() / "cookiecutter.json"))
    questions = context["cookiecutter"]
    for key in given:
        del questions[key]
    answered = prompt_for_config(context)
    return Answers.parse({**answered, **given})


def create(answers: Answers, output_directory: Path) -> Path:
    """Make the project in ``output_directory``; return its directory. Raises ProjectError."""
    project = output_directory / answers.project_directory
    if project.exists() or project.is_symlink():
        raise ProjectError(f"{project} is there already: expected no such file or directory")
    output_directory.mkdir(parents=True, exist_ok=True)
    # Made beside it, so that it is there whole or not at all.
    with tempfile.TemporaryDirectory(dir=output_directory, prefix=".extstorage-new-") as directory:
        render(answers, Path(directory)).rename(project)
    return project


def render(answers: Answers, directory: Path) -> Path:
    """Render the project below ``directory``, which must exist; return its directory."""
    from cookiecutter.generate import generate_files  # noqa: PLC0415 - takes 0.3 s to import

    context = {"cookiecutter": _context(answers)}
    project = Path(
        generate_files(str(template()), context, output_dir=directory, accept_hooks=False)
    )
    finish(project, answers)
    return project


def _context(answers: Answers) -> dict[str, object]:
    import json  # noqa: PLC0415

    questions = json.loads((template() / "cookiecutter.json").read_text(encoding="utf-8"))
    settings = {key: value for key, value in questions.items() if key.startswith("_")}
    return {**settings, **answers.as_dict()}
