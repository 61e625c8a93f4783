"""``extstorage gnt-backup``: export and import instances of a test cluster.

Source in Ganeti: ``lib/client/gnt_backup.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.cli import gnt, gnt_instance_disks
from extstorage.cli.gnt import Command, Context
from extstorage.cluster import exporting, information
from extstorage.cluster.errors import OpPrereqError, RpcError, raising
from extstorage.cluster.exports import Exports

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from extstorage.cli.gnt_options import CommandLine

SUMMARY = "export and import instances of a test cluster, as Ganeti does"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    gnt.add_arguments(parser, COMMANDS)


def run_words(words: Sequence[str]) -> int:
    """Run one of Ganeti's commands."""
    return gnt.main("gnt-backup", COMMANDS, words)


def _export_options(line: CommandLine) -> None:
    line.add_option("-n", "--node", metavar="NODE", help="where to keep the export")
    line.add_option("--noshutdown", action="store_true", help="while the instance runs")
    line.add_option("--remove-instance", action="store_true", help="remove it afterwards")
    line.add_option("--ignore-remove-failures", action="store_true", help="forget it in any case")
    line.add_option("--long-sleep", action="store_true", help="it may be down for long")
    line.ignored("-f", "--force")
    line.ignored("--shutdown-timeout", "--transport-compression", takes_value=True)
    line.refuse("there is no helper machine", "--zero-free-space")


def _export(context: Context) -> None:
    options = context.options
    if not options.node:
        raise OpPrereqError("Target node must be specified")
    wanted = exporting.Options(
        node=options.node,
        shutdown=not options.noshutdown,
        remove_instance=bool(options.remove_instance),
        ignore_remove_failures=bool(options.ignore_remove_failures),
        long_sleep=bool(options.long_sleep),
    )
    exporting.export(context.job, context.words[0], wanted)


def _import_options(line: CommandLine) -> None:
    gnt_instance_disks.instance_options(line)
    line.add_option("--src-node", metavar="NODE", help="where the export is")
    line.ignored("--identify-defaults")
    line.ignored("--compress", takes_value=True)
    line.refuse("exports are where gnt-backup export put them", "--src-dir", values=1)
    _refuse_dry_run(line)


def _refuse_dry_run(line: CommandLine) -> None:
    line.refuse("a plan runs nothing on the nodes, which know their exports", "--dry-run")


def _import(context: Context) -> None:
    wanted = gnt_instance_disks.new_instance(context, start=False, given=False)
    exporting.import_(context.job, wanted, context.options.src_node)


def _list(context: Context) -> None:
    exports = Exports(context.job)
    rows = [["Node", "Export"]]
    for entry in context.job.cluster.nodes:
        rows += [[entry.name, name] for name in _exports_on(exports, entry.name) or ["?"]]
    for line in information.aligned(rows, ["node", "export"]):
        print(line)


def _exports_on(exports: Exports, node: str) -> list[str]:
    try:
        return exports.on(node)
    except RpcError:
        return []


def _remove(context: Context) -> None:
    exports = Exports(context.job)
    (name,) = context.words
    nodes = list(exports.sources(name))
    if not nodes:
        print(
            "Export not found. If trying to remove an export for a deleted instance please use"
            " its Fully Qualified Domain Name."
        )
    for node in nodes:
        with raising(f"Could not remove export for instance {name} on node {node}"):
            exports.remove(node, name)


COMMANDS = {
    "export": Command("-n <node> <instance-name>", _export, _export_options),
    "import": Command(
        "-t ext -n <node> --disk=... <instance-name>", _import, _import_options, dry_run=False
    ),
    "list": Command("", _list, words=0, locks=0, dry_run=False),
    "remove": Command("<instance-name>", _remove, _refuse_dry_run, dry_run=False),
}
