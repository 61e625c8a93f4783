"""``extstorage gnt-instance``: Ganeti's command of that name, on a cluster for tests.

Source in Ganeti: ``lib/client/gnt_instance.py``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from extstorage.cli import gnt, gnt_instance_disks
from extstorage.cli.gnt import Command, Context
from extstorage.cli.questions import ask
from extstorage.cluster import activation, information, migration, removal, renaming, starting
from extstorage.cluster.errors import WRONG_STATE, OpPrereqError, UnitParseError
from extstorage.cluster.model import EXT
from extstorage.cluster.units import parse_unit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from extstorage.cli.gnt_options import CommandLine

SUMMARY = "add, move, change and remove instances of a test cluster, as Ganeti does"

_NO_POLICY = "there are no instance policies"
_NO_HYPERVISOR = "there is no hypervisor"
_NOT_SELECTED = "name the instances"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    gnt.add_arguments(parser, COMMANDS)


def run_words(words: Sequence[str]) -> int:
    """Run one of Ganeti's commands."""
    return gnt.main("gnt-instance", COMMANDS, words)


def _force(line: CommandLine) -> None:
    # Ganeti would ask; a cluster for tests has nothing that one has to be asked about.
    line.ignored("-f", "--force")


def _no_wait(line: CommandLine) -> None:
    line.add_option(
        "--no-wait-for-sync", dest="wait_for_sync", action="store_false", default=True,
        help="do not wait for the disks",
    )  # fmt: skip


def _selection(line: CommandLine) -> None:
    line.ignored("--instance")
    line.add_option("--force-multiple", action="store_true", help="do not ask about several")
    line.refuse(
        _NOT_SELECTED, "--primary", "--secondary", "--node", "--all", "--node-tags",
        "--pri-node-tags", "--sec-node-tags", "--tags",
    )  # fmt: skip


def _startup_options(line: CommandLine) -> None:
    _selection(line)
    line.add_option("-f", "--force", action="store_true", help="ignore secondary nodes")
    line.refuse(_NO_HYPERVISOR, "-H", "--hypervisor-parameters", "--paused")
    line.refuse(_NO_HYPERVISOR, "-B", "--backend-parameters", values=1)
    line.refuse("the node's state decides", "--ignore-offline", "--no-remember")


def _startup(context: Context) -> None:
    starting.startup(context.job, context.words[0], force=bool(context.options.force))


def _shutdown_options(line: CommandLine) -> None:
    _selection(line)
    line.add_option("-f", "--force", action="store_true", help="even if it is marked offline")
    line.ignored("--timeout", "--shutdown-timeout", takes_value=True)
    line.refuse("the node's state decides", "--ignore-offline", "--no-remember")


def _shutdown(context: Context) -> None:
    starting.shutdown(context.job, context.words[0], force=bool(context.options.force))


def _reboot_options(line: CommandLine) -> None:
    _selection(line)
    line.ignored("--shutdown-timeout", takes_value=True)
    line.ignored("--ignore-secondaries", "-f", "--force")
    line.add_option(
        "-t", "--type", choices=starting.REBOOT_TYPES, default="hard", help="soft, hard or full"
    )


def _reboot(context: Context) -> None:
    starting.reboot(context.job, context.words[0], context.options.type)


def _target_options(line: CommandLine) -> None:
    _force(line)
    line.add_option("-n", "--target-node", metavar="NODE", help="where to move the instance")
    line.add_option("-I", "--iallocator", metavar="NAME", help="choose a node")
    line.add_option("--cleanup", action="store_true", help="repair a migration that failed")
    line.ignored("--ignore-ipolicy")


def _migrate_options(line: CommandLine) -> None:
    _target_options(line)
    line.add_option("--non-live", action="store_true", help="stop the instance meanwhile")
    line.add_option("--migration-mode", choices=("live", "non-live"), help="live or non-live")
    line.add_option("--allow-failover", action="store_true", help="fail over if that is needed")
    line.ignored("--ignore-hvversions", "--no-runtime-changes")


def _check_target(context: Context) -> str | None:
    options = context.options
    if options.iallocator and options.target_node:
        raise OpPrereqError("Specify either an iallocator (-I), or a target node (-n) but not both")
    return str(options.target_node) if options.target_node else None


def _migrate(context: Context) -> None:
    options = context.options
    target = _check_target(context)
    if options.non_live and options.migration_mode:
        raise OpPrereqError("Only one of the --non-live and --migration-mode options can be passed")
    migration.move(
        context.job,
        context.session.guests,
        context.words[0],
        migration.Options(
            target=target,
            cleanup=bool(options.cleanup),
            allow_failover=bool(options.allow_failover),
        ),
    )


def _failover_options(line: CommandLine) -> None:
    _target_options(line)
    line.add_option("--ignore-consistency", action="store_true", help="the source is down")
    line.ignored("--shutdown-timeout", takes_value=True)


def _failover(context: Context) -> int | None:
    options = context.options
    if options.ignore_consistency and not ask(
        f"To failover instance {context.words[0]}, the source node must be marked offline first."
        " Is this already the case?"
    ):
        return 1
    migration.move(
        context.job,
        context.session.guests,
        context.words[0],
        migration.Options(
            target=_check_target(context),
            failover=True,
            ignore_consistency=bool(options.ignore_consistency),
        ),
    )
    return None


def _replace_disks_options(line: CommandLine) -> None:
    line.add_option("-n", "--new-secondary", metavar="NODE", help="the new secondary node")
    line.add_option("-I", "--iallocator", metavar="NAME", help="choose a node")
    for letter, name in (("-p", "--on-primary"), ("-s", "--on-secondary"), ("-a", "--auto")):
        line.add_option(letter, name, action="store_true", help="which disks to replace")
    line.add_option("--disks", metavar="N,...", help="only these disks")
    line.ignored("--early-release", "--ignore-ipolicy", "-f", "--force")


def _replace_disks(context: Context) -> None:
    # TLReplaceDisks: only mirrored disks have a second node.
    context.job.instance(context.words[0])
    raise OpPrereqError(
        "The instance has a strange layout, expected one secondary but found 0", "internal_error"
    )


def _move_options(line: CommandLine) -> None:
    _force(line)
    line.add_option("-n", "--target-node", metavar="NODE", help="where to move the instance")
    line.ignored("--compress", "--shutdown-timeout", takes_value=True)
    line.ignored("--ignore-consistency", "--ignore-ipolicy")


def _move(context: Context) -> None:
    # LUInstanceMove copies disks of a node's own.
    instance = context.job.instance(context.words[0])
    for index, disk in enumerate(instance.disks):
        if disk.template == EXT:
            raise OpPrereqError(
                f"Instance disk {index} has disk type {disk.template} and is not suitable for"
                " copying",
                WRONG_STATE,
            )
    raise OpPrereqError("moving has no meaning here: files are in a directory that nodes share")


def _console(context: Context) -> None:
    context.job.instance(context.words[0])
    print("Console not available for fake hypervisor")


def _activate_options(line: CommandLine) -> None:
    line.ignored("--ignore-size")
    line.add_option("--wait-for-sync", action="store_true", help="wait for the disks")


def _activate(context: Context) -> None:
    wait = bool(context.options.wait_for_sync)
    for node, disk, path in activation.activate(context.job, context.words[0], wait_for_sync=wait):
        print(f"{node}:{disk}:{path}")


def _deactivate_options(line: CommandLine) -> None:
    line.add_option("-f", "--force", action="store_true", help="even if the instance is up")


def _deactivate(context: Context) -> None:
    activation.deactivate(context.job, context.words[0], force=bool(context.options.force))


def _grow_options(line: CommandLine) -> None:
    _no_wait(line)
    line.add_option("--absolute", action="store_true", help="the size is the new one")
    line.ignored("--ignore-ipolicy")


def _grow(context: Context) -> None:
    name, index, amount = context.words
    try:
        number = int(index)
    except ValueError as error:
        raise OpPrereqError(f"Invalid disk index: {error}") from None
    try:
        size = parse_unit(amount)
    except UnitParseError:
        raise OpPrereqError(f"Can't parse the given amount '{amount}'") from None
    activation.grow(
        context.job,
        name,
        number,
        size,
        absolute=bool(context.options.absolute),
        wait_for_sync=context.options.wait_for_sync,
    )


def _rename_options(line: CommandLine) -> None:
    line.add_option("-f", "--force", action="store_true", help="do not ask")
    line.add_option("--no-name-check", action="store_true", help="any name will do")
    line.ignored("--no-ip-check")


def _rename(context: Context) -> int | None:
    old, new = context.words
    options = context.options
    # Names are never looked up here; who says so oneself is asked by Ganeti, though.
    if (
        options.no_name_check
        and not options.force
        and not ask(
            "As you disabled the check of the DNS entry, please verify that"
            f" '{new}' is a FQDN. Continue?"
        )
    ):
        return 1
    print(f"Instance '{old}' renamed to '{renaming.rename(context.job, old, new)}'")
    return None


def _reinstall_options(line: CommandLine) -> None:
    _selection(line)
    _force(line)
    line.add_option("-o", "--os-type", metavar="OS", help="another OS definition")
    line.ignored("--force-variant")
    line.refuse("no OS runs here", "--select-os")
    line.refuse(
        "no OS runs here", "-O", "--os-parameters", "--os-parameters-private",
        "--os-parameters-secret", values=1,
    )  # fmt: skip


def _reinstall(context: Context) -> None:
    renaming.reinstall(context.job, context.words[0], context.options.os_type)


def _remove_options(line: CommandLine) -> None:
    _force(line)
    line.add_option("--ignore-failures", action="store_true", help="forget it in any case")
    line.ignored("--shutdown-timeout", takes_value=True)


def _remove(context: Context) -> None:
    ignore = bool(context.options.ignore_failures)
    removal.remove(context.job, context.words[0], ignore_failures=ignore)


def _info_options(line: CommandLine) -> None:
    line.add_option("-s", "--static", action="store_true", help="only what is on record")
    line.add_option("--all", action="store_true", help="all instances")
    line.refuse("numbers stay Arabic", "--roman")


def _info(context: Context) -> None:
    names = list(context.words)
    if bool(names) == bool(context.options.all):
        raise OpPrereqError(
            "Please give at least one instance name, or --all to show all instances"
        )
    chosen = names or context.job.state.instance_names()
    static = bool(context.options.static)
    shown = [information.info(context.job, name, static=static) for name in chosen]
    print("\n\n".join("\n".join(lines) for lines in shown))


def _list_options(line: CommandLine) -> None:
    line.add_option("-o", "--output", metavar="FIELDS", help="comma-separated; +FIELD adds one")
    line.add_option("--no-headers", action="store_true", help="only the values")
    line.add_option("--separator", metavar="TEXT", help="between the columns")
    line.ignored("--human-readable")
    line.refuse("sizes are shown as Ganeti shows them by default", "--units", values=1)
    line.refuse("name the instances", "-F", "--filter")


_EXIT_UNKNOWN_FIELD = 14


def _list(context: Context) -> int:
    options = context.options
    fields = list(information.DEFAULT_FIELDS)
    if options.output:
        extra = options.output.removeprefix("+").split(",")
        fields = [*fields, *extra] if options.output.startswith("+") else extra
    rows = information.table(context.job, context.words, fields)
    unknown = information.unknown(fields)
    if unknown:
        print(f"Warning: Queried for unknown fields {', '.join(unknown)}", file=sys.stderr)
    rows = rows[1:] if options.no_headers else rows
    if options.separator is not None:
        lines = [options.separator.join(row) for row in rows]
    else:
        lines = list(information.aligned(rows, fields))
    for line in lines:
        print(line)
    return _EXIT_UNKNOWN_FIELD if unknown else 0


_INSTANCE = "<instance-name>"
COMMANDS = {
    "add": Command(
        "-t ext -n NODE --disk=N:size=SIZE,provider=NAME... <instance-name>",
        gnt_instance_disks.add,
        gnt_instance_disks.add_options,
    ),
    "remove": Command(_INSTANCE, _remove, _remove_options),
    "startup": Command("<instance>...", _startup, _startup_options, words=None, many="startup"),
    "shutdown": Command("<instance>...", _shutdown, _shutdown_options, words=None, many="shutdown"),
    "reboot": Command("<instance>...", _reboot, _reboot_options, words=None, many="reboot"),
    "migrate": Command(_INSTANCE, _migrate, _migrate_options),
    "failover": Command(_INSTANCE, _failover, _failover_options),
    "replace-disks": Command(_INSTANCE, _replace_disks, _replace_disks_options, dry_run=False),
    "move": Command(_INSTANCE, _move, _move_options, dry_run=False),
    "console": Command(_INSTANCE, _console, locks=0, dry_run=False),
    "activate-disks": Command(_INSTANCE, _activate, _activate_options, dry_run=False),
    "deactivate-disks": Command(_INSTANCE, _deactivate, _deactivate_options),
    "grow-disk": Command("<instance-name> <disk> <size>", _grow, _grow_options, words=3),
    "modify": Command(
        "--disk N:add,size=SIZE,provider=NAME... <instance-name>",
        gnt_instance_disks.modify,
        gnt_instance_disks.modify_options,
    ),
    "rename": Command("<old-name> <new-name>", _rename, _rename_options, words=2, locks=2),
    "reinstall": Command(
        "<instance>...", _reinstall, _reinstall_options, words=None, many="reinstall"
    ),
    "recreate-disks": Command(
        _INSTANCE, gnt_instance_disks.recreate, gnt_instance_disks.recreate_options
    ),
    "info": Command("<instance-name>...", _info, _info_options, words=None, locks=0, dry_run=False),
    "list": Command("[<instance-name>...]", _list, _list_options, None, locks=0, dry_run=False),
}
COMMANDS |= {"start": COMMANDS["startup"], "stop": COMMANDS["shutdown"], "show": COMMANDS["info"]}
