"""``extstorage gnt-cluster``: the commands that look at disks, or say what is done to them.

Source in Ganeti: ``lib/client/gnt_cluster.py``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from extstorage.cli import gnt
from extstorage.cli.gnt import Command, Context
from extstorage.cli.gnt_options import appended, identified
from extstorage.cluster import verification

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from extstorage.cli.gnt_options import CommandLine
    from extstorage.cluster.state import State

SUMMARY = "verify the disks of a test cluster, as Ganeti does"
_YES_NO = {"yes": True, "no": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    gnt.add_arguments(parser, COMMANDS)


def run_words(words: Sequence[str]) -> int:
    """Run one of Ganeti's commands."""
    return gnt.main("gnt-cluster", COMMANDS, words)


def _instances(state: State, _words: Sequence[str]) -> list[str]:
    return state.instance_names()


def _verify_options(line: CommandLine) -> None:
    line.add_option("--error-codes", action="store_true", help="for programs")
    line.ignored("--no-nplus1-mem", "--verify-ssh-clutter")
    line.refuse("there is one node group", "--node-group", values=1)


def _verify(context: Context) -> int:
    job = context.job
    first, second = job.state.next_job(), job.state.next_job()
    job.tell(f"Submitted jobs {first}, {second}")
    verifier = verification.Verifier(job, error_codes=bool(context.options.error_codes))
    job.tell(f"Waiting for job {first} ...")
    verifier.verify_configuration()
    job.tell(f"Waiting for job {second} ...")
    verifier.verify_group()
    return int(verifier.failed)


def _verify_disks(_context: Context) -> None:
    """Do nothing: Ganeti asks for the logical volumes of nodes, which ext disks are not."""


def _repair(context: Context) -> None:
    with context.job.state.all_locked():
        verification.repair_disk_sizes(context.job, context.words)


def _modify_options(line: CommandLine) -> None:
    line.add_option(
        "-D", "--disk-parameters", dest="disk_parameters", metavar="TEMPLATE:KEY=VALUE,...",
        type="string", action="callback", callback=appended(identified),
        help="of all disks of a template; ext has access",
    )  # fmt: skip
    line.add_option("--prealloc-wipe-disks", choices=tuple(_YES_NO), help="write zeroes first")
    line.ignored("-f", "--force")


def _modify(context: Context) -> int:
    options, job = context.options, context.job
    given = options.disk_parameters or []
    if not given and options.prealloc_wipe_disks is None:
        print("Please give at least one of the parameters.", file=sys.stderr)
        return 1
    with job.state.all_locked():
        job.cluster = job.state.cluster()
        for template, parameters in given:
            verification.set_disk_parameters(job, template, parameters)
        if options.prealloc_wipe_disks is not None:
            job.cluster.prealloc_wipe_disks = _YES_NO[options.prealloc_wipe_disks]
        job.state.save_cluster(job.cluster)
    return 0


COMMANDS = {
    "verify": Command(
        "", _verify, _verify_options, words=0, locks=0, subjects=_instances, dry_run=False
    ),
    "verify-disks": Command("", _verify_disks, words=0, locks=0, dry_run=False),
    "repair-disk-sizes": Command(
        "[<instance-name>...]", _repair, words=None, locks=None, subjects=_instances, dry_run=False
    ),
    "modify": Command("<options>", _modify, _modify_options, words=0, locks=None, dry_run=False),
}
