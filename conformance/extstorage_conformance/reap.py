"""Undoes what runs left behind that were killed before they could clean up."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from extstorage.contract.releases import release
from extstorage.host.disk import Disk
from extstorage.host.errors import BlockDeviceError, OpExecError
from extstorage.nodes.node import NodeError
from extstorage_conformance.configuration import Configuration, expand
from extstorage_conformance.inventory import Survey
from extstorage_conformance.journal import DeadRun, dead_runs
from extstorage_conformance.naming import Namer
from extstorage_conformance.nodeset import NodeSet
from extstorage_conformance.suite_node import looks
from extstorage_conformance.violation import CannotRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from extstorage.host.provider import Provider
    from extstorage_conformance.suite_node import SuiteNode


def reap(provider_directory: Path, configuration: Configuration, release_name: str) -> list[str]:
    """Undo the dead runs of the provider in ``provider_directory``; return a line for each.

    Only volumes that such a run's journal names, and what carries their names,
    is touched, on the nodes that the run had.
    """
    return [
        f"{run.prefix}: {len(run.volumes)} volumes, {_undo(run, configuration, release_name)}"
        for run in list(dead_runs())
        if run.provider == provider_directory
    ]


def _undo(run: DeadRun, configuration: Configuration, release_name: str) -> str:
    if run.nodes.startswith("guests:"):
        if _has_own_directory(run):  # their logs, on this machine
            shutil.rmtree(run.run_directory, ignore_errors=True)
        run.forget()
        return "gone with their guests"
    # Without it nodes that share it cannot be started, nor is there anything in it to lose.
    if run.nodes.startswith("namespaces:"):
        run.run_directory.mkdir(exist_ok=True)
    try:
        nodes = NodeSet(
            run.nodes,
            run.provider,
            str(configuration.nodes["directory"]),
            f"extstorage-{run.prefix}-",
            run.run_directory,
        )
    except CannotRun as reason:
        return f"nothing undone: {reason}"
    try:
        return _undo_on(nodes, run, configuration, release_name)
    except (NodeError, CannotRun) as reason:
        nodes.close()
        return f"not all undone: {reason}"


def _has_own_directory(run: DeadRun) -> bool:
    return run.run_directory.name.startswith(f"extstorage-{run.prefix}-")


def _undo_on(nodes: NodeSet, run: DeadRun, configuration: Configuration, release_name: str) -> str:
    for node in nodes.nodes:
        nodes.settle(node, release(release_name), float(configuration.run["script_timeout"]))
    failed = list(_remove_volumes(nodes, run, configuration))
    run_id, worker = run.prefix.split("-")
    directories = [
        expand(directory, run.run_directory)
        for directory in configuration.run["inventory_directories"]
    ]
    survey = Survey(
        Namer(run_id, int(worker, 16)),
        run.run_directory,
        directories,
        list,
        looks(nodes.nodes, named=len(nodes.nodes) > 1),
    )
    survey.clear(survey.take_all())
    if _has_own_directory(run):
        nodes.discard()
    else:
        nodes.close()
    if failed:
        return f"not removed by the provider: {', '.join(failed)}"
    run.forget()
    return "all undone"


def _remove_volumes(nodes: NodeSet, run: DeadRun, configuration: Configuration) -> Iterator[str]:
    """Detach the run's volumes on each node and remove them; yield those that stay."""
    parameters = configuration.parameters_for(run.run_directory)
    try:
        providers = [node.host.provider(node.provider_name) for node in nodes.nodes]
    except BlockDeviceError:
        yield from run.volumes
        return
    for name in reversed(run.volumes):
        disk = Disk(name, name[:36], None, 1, parameters)
        for node, provider in zip(nodes.nodes, providers, strict=True):
            _has_worked(node, provider, "detach", disk)
        if not _has_worked(nodes.nodes[0], providers[0], "remove", disk):
            yield name


def _has_worked(node: SuiteNode, provider: Provider, method: str, disk: Disk) -> bool:
    try:
        return node.host.call(provider, method, disk).succeeded
    except (OSError, OpExecError, ValueError):  # no script that can be run, or no name for a log
        return False
