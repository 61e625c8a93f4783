"""``extstorage update``: bring a provider's project to the template of this version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from extstorage import __version__
from extstorage.cli.errors import FAILED, CannotRun, UsageError, reason
from extstorage.cli.new import parse_answers
from extstorage.scaffold.answers import AnswerError
from extstorage.scaffold.merging import MergeError
from extstorage.scaffold.record import RecordError
from extstorage.scaffold.update import UpdateError, update

if TYPE_CHECKING:
    import argparse

SUMMARY = "bring a provider's project to the template of this version, your changes kept"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("directory", metavar="DIR", help="the project's directory")
    parser.add_argument(
        "answers",
        nargs="*",
        metavar="KEY=VALUE",
        help="an answer that is another one now: snapshot=yes adds that script",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and write nothing"
    )


def run(arguments: argparse.Namespace) -> int:
    """Update the project; exit status 1 if there are conflicts to solve."""
    project = Path(arguments.directory)
    try:
        changes = update(project, parse_answers(arguments.answers), only_plan=arguments.dry_run)
    except (RecordError, AnswerError, UpdateError) as error:
        raise UsageError(str(error)) from None
    except MergeError as error:
        raise CannotRun(str(error)) from None
    except OSError as error:
        raise UsageError(f"cannot update the project: {reason(error, project)}") from None
    for change in changes:
        why = f" ({change.reason})" if change.reason else ""
        print(f"{change.kind:8} {change.name}{why}")
    conflicts = [change for change in changes if change.kind == "conflict"]
    if conflicts:
        print(f"{len(conflicts)} files have conflicts: look for <<<<<<< yours, and solve them")
        return FAILED
    done = "would be" if arguments.dry_run else "is"
    print(f"{project} {done} what extstorage {__version__} makes of its answers, and your changes")
    return 0
