"""``extstorage gnt-node``: the commands that move the instances of a node, or forbid to use it.

Source in Ganeti: ``lib/client/gnt_node.py``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from extstorage.cli import gnt
from extstorage.cli.gnt import Command, Context
from extstorage.cli.questions import ask
from extstorage.cluster import information, migration, names, node_state
from extstorage.cluster.errors import GanetiError, OpPrereqError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from extstorage.cli.gnt_options import CommandLine
    from extstorage.cluster.state import State

SUMMARY = "move the instances of a node of a test cluster, or mark it offline, as Ganeti does"
_YES_NO = {"yes": True, "no": False}
_ONLINE = (
    "You are setting this node online manually. If the configuration has changed, this can cause"
    " issues such as split brain. To safely bring a node back online, please use --readd instead."
    " If you are confident that the configuration hasn't changed, continue?"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    gnt.add_arguments(parser, COMMANDS)


def run_words(words: Sequence[str]) -> int:
    """Run one of Ganeti's commands."""
    return gnt.main("gnt-node", COMMANDS, words)


def _moved(state: State, words: Sequence[str]) -> list[str]:
    """Return the instances on the node that a command names."""
    node = names.matched(words[0], [entry.name for entry in state.cluster().nodes])
    return node_state.primary_instances(state, node) if node else []


def _target_options(line: CommandLine) -> None:
    line.ignored("-f", "--force", "--ignore-ipolicy")
    line.add_option("-I", "--iallocator", metavar="NAME", help="choose a node for each instance")


def _migrate_options(line: CommandLine) -> None:
    _target_options(line)
    line.add_option("-n", "--target-node", metavar="NODE", help="where to move all of them")
    line.add_option("--non-live", action="store_true", help="stop the instances meanwhile")
    line.add_option("--migration-mode", choices=("live", "non-live"), help="live or non-live")
    line.ignored("--no-runtime-changes")


def _migrate(context: Context) -> int:
    options = context.options
    node = context.job.node(context.words[0])
    names = node_state.primary_instances(context.job.state, node)
    if not names:
        print(f"No primary instances on node {node}, exiting.")
        return 0
    if options.non_live and options.migration_mode:
        raise OpPrereqError("Only one of the --non-live and --migration-mode options can be passed")
    wanted = migration.Options(target=options.target_node)
    failed = _each(context, names, _moving(wanted), named=False)
    if failed:
        print(f"There were {failed} errors during the node migration.")
        return 1
    print("All instances migrated successfully.")
    return 0


def _failover_options(line: CommandLine) -> None:
    _target_options(line)
    line.add_option("--ignore-consistency", action="store_true", help="the node is down")


def _failover(context: Context) -> int:
    node = context.job.node(context.words[0])
    names = node_state.primary_instances(context.job.state, node)
    if not names:
        print(f"No primary instances on node {node}, exiting.", file=sys.stderr)
        return 0
    ignore = bool(context.options.ignore_consistency)
    wanted = migration.Options(failover=True, ignore_consistency=ignore)
    failed = _each(context, names, _moving(wanted), named=True)
    if failed:
        print(
            f"There were errors during the failover:\n{failed} error(s) out of"
            f" {len(names)} instance(s)."
        )
        return 1
    print(f"All {len(names)} instance(s) failed over successfully.")
    return 0


def _evacuate_options(line: CommandLine) -> None:
    _target_options(line)
    line.add_option("-n", "--new-secondary", metavar="NODE", help="of secondary instances")
    line.add_option("-p", "--primary-only", action="store_true", help="primary instances")
    line.add_option("-s", "--secondary-only", action="store_true", help="secondary instances")
    line.ignored("--early-release", "--ignore-soft-errors")


def _evacuate(context: Context) -> int:
    options = context.options
    if options.new_secondary:
        print(
            "New secondary node given (disabling iallocator), hence evacuating secondary instances"
            " only.",
            file=sys.stderr,
        )
        options.secondary_only, options.primary_only = True, False
    if options.primary_only and options.secondary_only:
        raise OpPrereqError(
            "Only one of the --primary-only and --secondary-only options can be passed"
        )
    node = context.job.node(context.words[0])
    # An instance on ext disks has no secondary node.
    names = [] if options.secondary_only else node_state.primary_instances(context.job.state, node)
    if not names:
        text = f"No instances to evacuate on node(s) {context.words[0]}, exiting."
        print(text, file=sys.stderr)
        return 0
    failed = _each(context, names, _evacuated, named=False)
    if failed:
        print(f"There were {failed} errors during the evacuation.")
        return 1
    print("All instances evacuated successfully.")
    return 0


def _evacuated(context: Context, name: str) -> None:
    # What hail proposes: migrate what runs, fail over what does not.
    running = context.job.instance(name).admin_state == "up"
    wanted = migration.Options(failover=not running)
    _moving(wanted)(context, name)


def _moving(wanted: migration.Options) -> Callable[[Context, str], None]:
    def move(context: Context, name: str) -> None:
        migration.move(context.job, context.session.guests, name, wanted)

    return move


def _each(
    context: Context, names: Sequence[str], act: Callable[[Context, str], None], *, named: bool
) -> int:
    """Have a job for each instance; return how many failed (JobExecutor)."""
    state, tell = context.job.state, context.job.tell
    numbers = {name: state.next_job() for name in names}
    tell(f"Submitted jobs {', '.join(map(str, numbers.values()))}")
    failed = 0
    for name, number in numbers.items():
        whose = f"{number} for {name}" if named else str(number)
        tell(f"Waiting for job {whose} ...")
        try:
            with context.session.job(name) as job:
                act(Context(context.session, job, context.options, [name]), name)
        except GanetiError as error:
            failed += 1
            print(f"Job {whose} has failed: {error.formatted}", file=sys.stderr)
    return failed


def _modify_options(line: CommandLine) -> None:
    line.add_option("-f", "--force", action="store_true", help="do not ask")
    line.ignored("--auto-promote")
    line.add_option("-O", "--offline", choices=tuple(_YES_NO), help="whether nothing is sent there")
    for name, reason in (
        ("--drained", "nodes are online or offline"),
        ("--master-candidate", "the first node is the master, whatever happens"),
        ("--master-capable", "the first node is the master, whatever happens"),
        ("--vm-capable", "every node takes instances"),
        ("--secondary-ip", "there is no network"),
        ("--node-parameters", "nodes have no parameters"),
        ("--node-powered", "use extstorage cluster kill and boot"),
    ):
        line.refuse(reason, name, values=1)


def _modify(context: Context) -> int:
    offline = context.options.offline
    if offline is None:
        print("Please give at least one of the parameters.", file=sys.stderr)
        return 1
    if offline == "no" and not context.options.force and not ask(_ONLINE):
        return 1
    job = context.job
    with job.state.all_locked():
        # The record as it is now that nobody else changes it.
        job.cluster = job.state.cluster()
        changes = node_state.set_offline(job, context.words[0], offline=_YES_NO[offline])
    if changes:
        print(f"Modified node {context.words[0]}")
        for name, value in changes:
            print(f" - {name:5} -> {value}")
    return 0


def _list(context: Context) -> None:
    rows = [["Node", "Pinst", "Offline"]]
    for entry in context.job.cluster.nodes:
        count = len(node_state.primary_instances(context.job.state, entry.name))
        rows.append([entry.name, str(count), "Y" if entry.offline else "N"])
    for line in information.aligned(rows, ["name", "pinst_cnt", "offline"]):
        print(line)


_NODE = "<node-name>"
COMMANDS = {
    "migrate": Command(_NODE, _migrate, _migrate_options, locks=0, subjects=_moved, dry_run=False),
    "failover": Command(
        _NODE, _failover, _failover_options, locks=0, subjects=_moved, dry_run=False
    ),
    "evacuate": Command(
        _NODE, _evacuate, _evacuate_options, locks=0, subjects=_moved, dry_run=False
    ),
    "modify": Command(_NODE, _modify, _modify_options, locks=None, dry_run=False),
    "list": Command("", _list, words=0, locks=0, dry_run=False),
}
