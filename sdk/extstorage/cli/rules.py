"""``extstorage rules``: list the rules of the conformance suite, or explain one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.cli.suite import run_pytest

if TYPE_CHECKING:
    import argparse

SUMMARY = "list the rules of the conformance suite, or explain one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("rule", metavar="ID", nargs="?", default="", help="explain this rule")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the catalogue; the status is 2 for an id that no rule has."""
    as_json = ["--extstorage-json=-"] if arguments.json else []
    return run_pytest([f"--extstorage-rules={arguments.rule.upper()}", *as_json])
