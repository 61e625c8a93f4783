"""The commands of ``gnt-instance`` that take ``--disk``: add, modify, recreate-disks.

Source in Ganeti: GenericInstanceCreate in ``lib/cli.py``; SetInstanceParams and RecreateDisks in
``lib/client/gnt_instance.py``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from extstorage.cli.errors import UsageError
from extstorage.cli.gnt_options import appended, identified, keys_and_values, nodes_of
from extstorage.cluster import activation, adding, containers, converting, modification
from extstorage.cluster.disks import OWN_PARAMETERS
from extstorage.cluster.errors import NumberError, OpPrereqError
from extstorage.cluster.model import EXT
from extstorage.cluster.units import parse_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from extstorage.cli.gnt import Context
    from extstorage.cli.gnt_options import CommandLine

_Given = tuple[str, dict[str, str | bool | None]]


def _disk_option(line: CommandLine) -> None:
    line.add_option(
        "--disk", dest="disks", metavar="N:KEY=VALUE,...", type="string", action="callback",
        callback=appended(identified), help="a disk; give the option once for each",
    )  # fmt: skip


def instance_options(line: CommandLine) -> None:
    """Add the options that add and import share."""
    _disk_option(line)
    line.add_option("-t", "--disk-template", metavar="TEMPLATE", help="ext or file")
    line.add_option("-s", "--os-size", metavar="SIZE", help="the size of the only disk")
    line.add_option("-n", "--node", metavar="NODE", help="the primary node")
    line.add_option("-I", "--iallocator", metavar="NAME", help="choose a node")
    line.add_option(
        "--no-wait-for-sync", dest="wait_for_sync", action="store_false", default=True,
        help="do not wait for the disks",
    )  # fmt: skip
    line.add_option(
        "-B", "--backend-parameters", metavar="KEY=VALUE,...", default="",
        help="back-end parameters, kept and shown",
    )  # fmt: skip
    line.ignored("--no-name-check", "--no-ip-check", "--no-conflicts-check", "--no-nics")
    line.ignored("--ignore-ipolicy", "--opportunistic-locking")
    line.refuse("there is no network", "--net", values=1)
    line.refuse("there is no hypervisor", "-H", "--hypervisor-parameters", values=1)
    line.refuse("files are kept in the state directory", "--file-storage-dir", values=1)
    line.refuse("files are kept in the state directory", "--file-driver", values=1)
    line.refuse("tags are not kept", "--tags", values=1)
    line.refuse("there is one node group", "-g", "--node-group", values=1)
    line.refuse(
        "no OS runs here", "-O", "--os-parameters", "--os-parameters-private",
        "--os-parameters-secret", values=1,
    )  # fmt: skip


def add_options(line: CommandLine) -> None:
    """Add the options of add."""
    instance_options(line)
    line.add_option("-o", "--os-type", metavar="OS", help="its OS definition; nothing runs it")
    line.add_option("--no-install", action="store_true", help="do not install the OS")
    line.add_option(
        "--no-start", dest="start", action="store_false", default=True, help="do not start it"
    )
    line.ignored("--force-variant")
    line.refuse("an instance is there or it is not", "--forthcoming", "--commit")


def new_instance(context: Context, *, start: bool, given: bool = True) -> adding.NewInstance:
    """Return what the options of add or import ask for. Raises OpPrereqError."""
    options = context.options
    template = options.disk_template
    if template not in adding.TEMPLATES:
        raise OpPrereqError(
            f"disk template {template!r} has no meaning here: expected -t ext or -t file"
        )
    if options.node and options.iallocator:
        raise OpPrereqError("Do not specify both, iallocator and node")
    primary, secondary = nodes_of(options.node)
    backend = keys_and_values(options.backend_parameters, "-B")
    return adding.NewInstance(
        name=context.words[0],
        template=template,
        disks=_new_disks(options.disks, options.os_size, needed=given),
        node=primary,
        secondary=secondary,
        os=getattr(options, "os_type", None),
        install=not getattr(options, "no_install", False),
        start=start,
        wait_for_sync=options.wait_for_sync,
        backend={name: str(value) for name, value in backend.items()},
    )


def _new_disks(
    given: Sequence[_Given] | None, size: str | None, *, needed: bool
) -> list[dict[str, str | int]]:
    if given and size is not None:
        raise OpPrereqError("Please use either the '--disk' or '-s' option")
    if size is not None:
        given = [("0", {"size": size})]
    if not given:
        if needed:
            raise OpPrereqError("No disk information specified")
        return []
    try:
        found: list[dict[str, str | int]] = [{} for _ in range(max(int(n) + 1 for n, _d in given))]
    except ValueError as error:
        raise OpPrereqError(f"Invalid disk index passed: {error}") from None
    for ident, description in given:
        found[int(ident)] = _new_disk(int(ident), description)
    if {} in found:
        raise OpPrereqError("Missing disk size")
    return found


def _new_disk(index: int, given: Mapping[str, str | bool | None]) -> dict[str, str | int]:
    if "size" in given and "adopt" in given:
        raise OpPrereqError(f"Only one of 'size' and 'adopt' allowed (disk {index})")
    if "size" not in given and "adopt" not in given:
        raise OpPrereqError(f"Missing size or adoption source for disk {index}")
    found = _texts(given)
    found["size"] = _size(index, str(given["size"])) if "size" in given else 0
    return found


def _texts(given: Mapping[str, str | bool | None]) -> dict[str, str | int]:
    for name, value in given.items():
        if not isinstance(value, str):
            raise OpPrereqError("Parameter 'OP_INSTANCE_CREATE.disks' fails validation")
        if not name:
            raise OpPrereqError("Parameter 'OP_INSTANCE_CREATE.disks' fails validation")
    return {name: str(value) for name, value in given.items()}


def _size(index: int, text: str) -> int:
    try:
        return parse_unit(text)
    except NumberError as error:
        # A size that is malformed in another way is not caught, as in Ganeti.
        raise OpPrereqError(f"Invalid disk size for disk {index}: {error}") from None


def add(context: Context) -> None:
    """``gnt-instance add``."""
    adding.add(context.job, new_instance(context, start=context.options.start))


def modify_options(line: CommandLine) -> None:
    """Add the options of modify."""
    _disk_option(line)
    line.add_option(
        "--no-wait-for-sync", dest="wait_for_sync", action="store_false", default=True,
        help="do not wait for the disks",
    )  # fmt: skip
    line.add_option("--hotplug", action="store_true", help="while the instance runs")
    line.add_option("--hotplug-if-possible", action="store_true", help="or else without")
    line.add_option("--no-hotplug", action="store_true", help="since 3.1, which tries it unasked")
    line.add_option("--new-primary", metavar="NODE", help="only change the record")
    line.ignored("-f", "--force", "--ignore-ipolicy")
    line.refuse("there is no network", "--net", values=1)
    line.refuse("there is no hypervisor", "-H", "--hypervisor-parameters", values=1)
    line.refuse("there is no hypervisor", "-B", "--backend-parameters", values=1)
    line.refuse("no OS runs here", "-o", "--os-type", values=1)
    line.add_option("-t", "--disk-template", metavar="TEMPLATE", help="convert to ext or file")
    line.add_option("-e", "--ext-params", metavar="KEY=VALUE,...", help="of the new disks")
    line.refuse("instances are up or down", "--offline", "--online")


def modify(context: Context) -> int | None:
    """``gnt-instance modify``."""
    options = context.options
    tries_unasked = context.job.at_least("3.1")
    if options.no_hotplug and not tries_unasked:
        raise UsageError(
            f"gnt-instance modify: no such option in Ganeti {context.job.cluster.release}:"
            " --no-hotplug, which 3.1 has"
        )
    wanted = [_modification(ident, given) for ident, given in options.disks or ()]
    if not (wanted or options.new_primary or options.disk_template):
        print("Please give at least one of the parameters.", file=sys.stderr)
        return 1
    if bool(options.ext_params) != (options.disk_template == EXT):
        print(
            _EXT_PARAMS_MISSING if not options.ext_params else _EXT_PARAMS_NEEDLESS, file=sys.stderr
        )
        return 1
    changes: list[tuple[str, str]] = []
    if options.new_primary:
        modification.new_primary(context.job, context.words[0], options.new_primary)
    if wanted:
        chosen = modification.Options(
            wait_for_sync=options.wait_for_sync,
            hotplug=bool(options.hotplug) or (tries_unasked and not options.no_hotplug),
            hotplug_if_possible=bool(options.hotplug_if_possible),
        )
        changes = modification.modify(context.job, context.words[0], wanted, chosen)
    if options.disk_template:
        changes.append(("disk_template", _convert(context)))
    _report(context.words[0], changes)
    return None


_EXT_PARAMS_MISSING = "Provider option is missing, use either the '--ext-params' or '-e' option"
_EXT_PARAMS_NEEDLESS = (
    "Specifying ExtStorage parameters requires converting to the 'ext' disk template"
)


def _convert(context: Context) -> str:
    options = context.options
    template = str(options.disk_template)
    if template not in adding.TEMPLATES:
        raise OpPrereqError(
            f"disk template {template!r} has no meaning here: expected -t ext or -t file"
        )
    parameters = _texts(keys_and_values(options.ext_params or "", "-e"))
    if options.ext_params and "provider" not in parameters:
        raise OpPrereqError(
            "Missing required parameter 'provider' when converting to an ExtStorage disk template"
        )
    for name in parameters:
        if name != "provider" and name in OWN_PARAMETERS:
            raise OpPrereqError(
                f"Invalid parameter '{name}' when converting to an ExtStorage template (it is not"
                " allowed modifying existing disk parameters)"
            )
    converting.convert(
        context.job,
        context.words[0],
        template,
        {name: str(value) for name, value in parameters.items()},
        wait_for_sync=options.wait_for_sync,
    )
    return template


def _report(name: str, changes: Sequence[tuple[str, str]]) -> None:
    if not changes:
        return
    print(f"Modified instance {name}")
    for what, value in changes:
        print(f" - {what:5} -> {value}")
    print(
        "Please don't forget that most parameters take effect only at the next (re)start of the"
        " instance initiated by ganeti; restarting from within the instance will not be enough."
    )


def _modification(ident: str, given: Mapping[str, str | bool | None]) -> modification.Modification:
    # _ConvertNicDiskModifications
    rest = dict(given)
    action = containers.MODIFY
    if ident in containers.ACTIONS and ident != containers.MODIFY:
        action, ident = ident, "-1"
    else:
        named = [name for name in containers.ACTIONS if rest.pop(name, None) is not None]
        if len(named) > 1:
            raise OpPrereqError(
                "Cannot do more than one of the following operations at the same time:"
                f" {', '.join(containers.ACTIONS)}"
            )
        action = named[0] if named else action
    if action in (containers.REMOVE, containers.DETACH) and rest:
        raise OpPrereqError("Not accepting parameters on removal/detach")
    return modification.Modification(action, ident, _sized(action, rest))


def _sized(action: str, given: Mapping[str, str | bool | None]) -> dict[str, str | int]:
    # _ParseDiskSizes
    found: dict[str, str | int] = {}
    for name, value in given.items():
        if not isinstance(value, str) or not (name and value):
            raise OpPrereqError("Parameter 'OP_INSTANCE_SET_PARAMS.disks' fails validation")
        found[name] = parse_unit(value) if name == "size" else value
    if action == containers.ADD and "size" not in found:
        raise OpPrereqError("Missing required parameter 'size'")
    return found


def recreate_options(line: CommandLine) -> None:
    """Add the options of recreate-disks."""
    _disk_option(line)
    line.add_option("-n", "--node", metavar="NODE", help="where to make the disks")
    line.refuse("name a node", "-I", "--iallocator", values=1)


def recreate(context: Context) -> None:
    """``gnt-instance recreate-disks``."""
    changes: dict[int, dict[str, str | int]] = {}
    for ident, given in context.options.disks or ():
        try:
            index = int(ident)
        except ValueError as error:
            raise OpPrereqError(f"Invalid disk index passed: {error}") from None
        if index in changes:
            raise OpPrereqError(f"Some disks have been specified more than once: {index}")
        changes[index] = _texts(given)
        if "size" in given:
            changes[index]["size"] = _size(index, str(given["size"]))
    nodes = [node for node in nodes_of(context.options.node or None) if node is not None]
    activation.recreate(context.job, context.words[0], changes, nodes)
