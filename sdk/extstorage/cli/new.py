"""``extstorage new``: make a provider's project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.cli.errors import UsageError
from extstorage.scaffold.answers import AnswerError, Answers, defaults
from extstorage.scaffold.project import ProjectError, ask, create

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

SUMMARY = "make a new provider's project, which conforms from the start"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument(
        "answers",
        nargs="*",
        metavar="KEY=VALUE",
        help=f"an answer to a question; the keys are {', '.join(defaults())}",
    )
    parser.add_argument(
        "--no-input", action="store_true", help="ask nothing: what is not given has its default"
    )
    parser.add_argument(
        "--output-dir", default=".", metavar="DIR", help="where to put the project's directory"
    )


def run(arguments: argparse.Namespace) -> int:
    """Make the project and say what to do next."""
    given = parse_answers(arguments.answers)
    try:
        # Before any question is asked: what is given may be wrong.
        answers = Answers.parse(given)
        if not arguments.no_input:
            answers = ask(given)
        project = create(answers, Path(arguments.output_dir))
    except (AnswerError, ProjectError) as error:
        raise UsageError(str(error)) from None
    except (EOFError, OSError) as error:
        raise UsageError(_reason(error)) from None
    print(f"{project} is a project; its provider is {project / answers.name}. Try it, as root:")
    print(f"    extstorage conform --profile core {project / answers.name}")
    return 0


def parse_answers(words: Iterable[str]) -> dict[str, str]:
    """Return the answers that ``KEY=VALUE`` words give. Raises UsageError."""
    given: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise UsageError(f"expected KEY=VALUE, found {word!r}")
        if key in given:
            raise UsageError(f"{key} is given twice")
        given[key] = value
    return given


def _reason(error: OSError | EOFError) -> str:
    if isinstance(error, OSError):
        return f"cannot make the project: {error.filename}: {error.strerror}"
    return "the input ended before every question was answered: give KEY=VALUE, or --no-input"
