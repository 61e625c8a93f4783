"""``extstorage faults``: break a provider's scripts at each of their steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.cli import conform

if TYPE_CHECKING:
    import argparse

SUMMARY = "break a provider's scripts at each of their steps: the rules ES-CRASH, all of them"
_GROUP = "ES-CRASH"
_PROFILE = "full"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments: those of ``conform``."""
    conform.add_arguments(parser, _PROFILE)


def run(arguments: argparse.Namespace) -> int:
    """Run the sweep; see cli.suite for the exit status."""
    arguments.rule = arguments.rule or [_GROUP]
    arguments.profile = arguments.profile or _PROFILE
    return conform.run(arguments)
