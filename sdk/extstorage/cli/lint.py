"""``extstorage lint``: find what is wrong with a provider without running it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from extstorage.cli.arguments import provider_to_read
from extstorage.cli.errors import FAILED, CannotRun
from extstorage.lint import CannotLint, lint, sarif

if TYPE_CHECKING:
    import argparse

SUMMARY = "find what is wrong with a provider without running it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("directory", metavar="DIR", help="the provider's directory")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the findings as JSON")
    form.add_argument("--sarif", action="store_true", help="print them as SARIF, for code scanners")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; the status is 1 if there is any."""
    directory = provider_to_read(arguments.directory)
    try:
        findings = lint(directory)
    except CannotLint as error:
        raise CannotRun(str(error)) from None
    if arguments.json:
        print(json.dumps([finding.to_json() for finding in findings], indent=2))
    elif arguments.sarif:
        print(json.dumps(sarif.of_findings(directory, findings), indent=2))
    else:
        for finding in findings:
            print(finding)
        print(f"{directory.name}: {_count(len(findings))}")
    return FAILED if findings else 0


def _count(number: int) -> str:
    return f"{number or 'no'} finding{'' if number == 1 else 's'}"
