"""``extstorage new``: make a provider's project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.cli.errors import UsageError, reason
from extstorage.cli.suite import run_pytest
from extstorage.scaffold.answers import AnswerError, Answers, defaults, prompts
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
        help=f"an answer; the keys, with their defaults (of several, the first): {_questions()}",
    )
    parser.add_argument(
        "--no-input", action="store_true", help="ask nothing: what is not given has its default"
    )
    parser.add_argument(
        "--output-dir", default=".", metavar="DIR", help="where to put the project's directory"
    )
    parser.add_argument(
        "--conform", action="store_true", help="judge the new provider at once, profile core"
    )


def _questions() -> str:
    asked = prompts()
    return "; ".join(
        f"{key}={_shown(default)} ({asked[key]})" for key, default in defaults().items()
    )


def _shown(default: str | bool | list[str]) -> str:  # noqa: FBT001 - a question's default
    if isinstance(default, bool):
        return "yes" if default else "no"
    return default if isinstance(default, str) else " or ".join(default)


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
    except EOFError:
        raise UsageError(
            "the input ended before every question was answered: give KEY=VALUE, or --no-input"
        ) from None
    except OSError as error:
        place = Path(arguments.output_dir)
        raise UsageError(f"cannot make the project: {reason(error, place)}") from None
    return _judge(project / answers.name, at_once=arguments.conform)


def _judge(provider: Path, *, at_once: bool) -> int:
    print(f"{provider.parent} is a project; its provider is {provider}.", end="")
    if at_once:
        print(flush=True)
        return run_pytest([f"--extstorage-provider={provider}", "--extstorage-profile=core"])
    print(" Try it, as root:")
    print(f"    extstorage conform --profile core {provider}")
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
