"""``extstorage gnt-storage``: which providers a test cluster has, as Ganeti tells it.

Source in Ganeti: ``lib/client/gnt_storage.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.cli import gnt
from extstorage.cli.gnt import Command, Context
from extstorage.cluster import diagnosis

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

SUMMARY = "show the providers of a test cluster, as Ganeti does"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    gnt.add_arguments(parser, COMMANDS)


def run_words(words: Sequence[str]) -> int:
    """Run one of Ganeti's commands."""
    return gnt.main("gnt-storage", COMMANDS, words)


def _diagnose(context: Context) -> None:
    for line in diagnosis.report(context.job):
        print(line)


def _info(context: Context) -> None:
    for line in diagnosis.information(context.job, context.words):
        print(line)


COMMANDS = {
    "diagnose": Command("", _diagnose, words=0, locks=0, dry_run=False),
    "info": Command("[<provider>...]", _info, words=None, locks=0, dry_run=False),
}
