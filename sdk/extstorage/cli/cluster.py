"""``extstorage cluster``: make, show and remove a cluster for tests."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage import resources
from extstorage.cli import resident
from extstorage.cli.arguments import provider_directory
from extstorage.cli.errors import CannotRun, CommandError, UsageError
from extstorage.cluster import machines, power
from extstorage.cluster.errors import NoClusterError, StateError
from extstorage.cluster.location import DIRECTORY, VARIABLE
from extstorage.cluster.model import Cluster, NodeEntry, new_uuid
from extstorage.cluster.state import State, find
from extstorage.contract.releases import release
from extstorage.nodes import spec
from extstorage.nodes.node import NodeError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from extstorage.cluster.power import PoweredNode

SUMMARY = "make a cluster of nodes to try gnt-instance and gnt-storage on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument(
        "--cluster-dir", metavar="DIR", help=f"the state directory (default: ${VARIABLE}, or the"
        f" nearest {DIRECTORY} upward)",
    )  # fmt: skip
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    init = actions.add_parser("init", help="make a cluster")
    init.add_argument("--nodes", metavar="SPEC", default="namespaces:3", help=spec.SYNTAX)
    init.add_argument("--release", metavar="V", default="3.0", help="the Ganeti release to act as")
    actions.add_parser("info", help="show nodes, providers and instances")
    destroy = actions.add_parser("destroy", help="switch the nodes off and forget everything")
    destroy.add_argument("--force", action="store_true", help="even if there are instances")
    install = actions.add_parser("install-provider", help="copy a provider to the nodes")
    install.add_argument("directory", metavar="DIR", help="the provider's directory")
    install.add_argument("--node", action="append", metavar="NODE", help="only there")
    for name, text in _POWER.items():
        actions.add_parser(name, help=text).add_argument("node", metavar="NODE")


_POWER = {
    "kill": "cut a node's power: mappings and processes are gone",
    "boot": "start a node that was killed",
    "cut-off": "cut a node's network: nothing reaches it, what runs there runs on",
    "reconnect": "undo cut-off",
    "offline": "mark a node as offline: nothing is sent to it",
    "online": "undo offline",
}


def run(arguments: argparse.Namespace) -> int:
    """Carry out one action."""
    try:
        if arguments.action == "init":
            return _init(arguments)
        state = State(find(arguments.cluster_dir, Path.cwd()))
        return _ACTIONS[arguments.action](state, arguments)
    except NoClusterError as error:
        raise UsageError(str(error)) from None
    except StateError as error:
        raise CommandError(str(error)) from None
    except NodeError as error:
        raise CannotRun(str(error)) from None


def _init(arguments: argparse.Namespace) -> int:
    directory = _new_directory(arguments.cluster_dir)
    try:
        wanted = spec.parse(arguments.nodes)
        ganeti = release(arguments.release).name
    except ValueError as error:
        raise UsageError(str(error)) from None
    if arguments.nodes.startswith("namespaces") and os.geteuid() != 0:
        raise CannotRun("not root: namespace nodes need root; use sudo or a root shell")
    local = arguments.nodes == "local"
    state = State.create(
        directory,
        Cluster(
            name="cluster.example.com",
            nodes_spec=arguments.nodes,
            nodes=[],
            groups={"default": new_uuid()},
            release=ganeti,
            search_path=[f"{directory}/nodes/{{node}}/extstorage"]
            if local
            else list(machines.SEARCH_PATH),
            log_directory=f"{directory}/nodes/{{node}}/log" if local else machines.LOG_DIRECTORY,
        ),
    )
    (directory / "shared").mkdir()
    try:
        for provider in resources.reference_providers():
            machines.keep(state, provider)
        with machines.connected(state) as nodes:
            cluster = state.cluster()
            cluster.nodes = [NodeEntry(node.name, new_uuid()) for node in nodes]
            state.save_cluster(cluster)
            if not machines.are_kept_up(arguments.nodes):
                for node in nodes:
                    machines.furnish(state, node)
            else:
                resident.start(directory)
    except BaseException:
        power.end(directory)
        shutil.rmtree(directory)
        raise
    print(f"{directory}: {wanted.count} nodes; shared directory: {directory}/shared")
    return 0


def _new_directory(given: str | None) -> Path:
    named = given or os.environ.get(VARIABLE)
    return Path(named).resolve() if named else Path.cwd() / DIRECTORY


def _info(state: State, _arguments: argparse.Namespace) -> int:
    cluster = state.cluster()
    print(f"Cluster name: {cluster.name}")
    print(f"State directory: {state.directory}")
    print(f"Shared directory: {state.directory}/shared")
    print(f"Ganeti release: {cluster.release}")
    print(f"Nodes ({cluster.nodes_spec}):")
    for entry in cluster.nodes:
        print(f"  - {entry.name}{' (offline)' if entry.offline else ''}")
    print("Providers:")
    for line in _providers(state, [entry.name for entry in cluster.nodes]):
        print(f"  - {line}")
    print("Instances:")
    for name in state.instance_names():
        print(f"  - {name} on {state.instance(name).primary_node}")
    return 0


def _providers(state: State, nodes: list[str]) -> Iterator[str]:
    """Yield a line for each provider, which says what nodes have it if not all have the same."""
    everywhere = {copy.name for copy in machines.installed(state)}
    own = {node: {copy.name for copy in machines.installed(state, node)} for node in nodes}
    for name in sorted(everywhere.union(*own.values())):
        alone = ", ".join(node for node in nodes if name in own[node])
        if name not in everywhere:
            yield f"{name} on {alone}"
        else:
            yield f"{name} (a copy of its own on {alone})" if alone else name


def _destroy(state: State, arguments: argparse.Namespace) -> int:
    names = state.instance_names()
    if names and not arguments.force:
        raise CommandError(
            f"{len(names)} instances are left, whose volumes would stay behind: remove them first"
            " (gnt-instance remove), or give --force"
        )
    with state.all_locked():
        power.end(state.directory)
        shutil.rmtree(state.directory)
    return 0


def _install(state: State, arguments: argparse.Namespace) -> int:
    provider = provider_directory(arguments.directory)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", provider.name):
        raise UsageError(
            f"{provider.name!r} is no provider's name: expected letters, digits, '-' and '_'"
        )
    with state.all_locked():
        known = [entry.name for entry in state.cluster().nodes]
        chosen = [_node_name(name, known) for name in arguments.node or known]
        if arguments.node:
            copies = {name: machines.keep(state, provider, name) for name in chosen}
        else:
            copies = dict.fromkeys(chosen, machines.keep(state, provider))
        with machines.connected(state) as nodes:
            for node in nodes:
                if node.name in copies:
                    machines.install(state, node, copies[node.name])
    return 0


def _node_name(name: str, known: list[str]) -> str:
    found = [full for full in known if full == name or full.startswith(f"{name}.")]
    if len(found) != 1:
        raise UsageError(f"there is no node {name!r}: expected one of {', '.join(known)}")
    return found[0]


def _mark(state: State, name: str, *, offline: bool) -> int:
    with state.all_locked():
        cluster = state.cluster()
        full = _node_name(name, [entry.name for entry in cluster.nodes])
        cluster.node(full).offline = offline
        state.save_cluster(cluster)
    return 0


def _offline(state: State, arguments: argparse.Namespace) -> int:
    return _mark(state, arguments.node, offline=True)


def _online(state: State, arguments: argparse.Namespace) -> int:
    return _mark(state, arguments.node, offline=False)


def _machine(
    state: State, arguments: argparse.Namespace, act: Callable[[PoweredNode], None]
) -> int:
    if not machines.are_kept_up(state.cluster().nodes_spec):
        raise CommandError(
            "power and network of these nodes are not in our hands: make a cluster with"
            " --nodes namespaces:N or guests:N"
        )
    full = _node_name(arguments.node, [entry.name for entry in state.cluster().nodes])
    with machines.connected(state) as nodes:
        for node in nodes:
            if node.name == full:
                act(node)  # type: ignore[arg-type]  # nodes that are kept up are of that kind
    return 0


def _kill(state: State, arguments: argparse.Namespace) -> int:
    def act(machine: PoweredNode) -> None:
        machine.kill()
        shutil.rmtree(state.directory / "guests" / machine.name, ignore_errors=True)

    return _machine(state, arguments, act)


def _boot(state: State, arguments: argparse.Namespace) -> int:
    def act(machine: PoweredNode) -> None:
        with machine.booting():
            machines.furnish(state, machine)

    return _machine(state, arguments, act)


def _cut_off(state: State, arguments: argparse.Namespace) -> int:
    return _machine(state, arguments, lambda machine: machine.cut_off())


def _reconnect(state: State, arguments: argparse.Namespace) -> int:
    return _machine(state, arguments, lambda machine: machine.reconnect())


_ACTIONS = {
    "info": _info,
    "destroy": _destroy,
    "install-provider": _install,
    "kill": _kill,
    "boot": _boot,
    "cut-off": _cut_off,
    "reconnect": _reconnect,
    "offline": _offline,
    "online": _online,
}
