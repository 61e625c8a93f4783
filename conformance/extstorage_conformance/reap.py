"""Undoes what runs left behind that were killed before they could clean up."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING

from extstorage.contract.releases import release
from extstorage.host.daemon import Host
from extstorage.host.disk import Disk
from extstorage.host.errors import BlockDeviceError
from extstorage.nodes.local import LocalNode
from extstorage_conformance.configuration import Configuration, expand
from extstorage_conformance.inventory import Survey
from extstorage_conformance.journal import DeadRun, dead_runs
from extstorage_conformance.naming import Namer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def reap(provider_directory: Path, configuration: Configuration, release_name: str) -> list[str]:
    """Undo the dead runs of the provider in ``provider_directory``; return a line for each.

    Only volumes that such a run's journal names, and what carries their names,
    is touched.
    """
    return [
        f"{run.prefix}: {len(run.volumes)} volumes, {_undo(run, configuration, release_name)}"
        for run in list(dead_runs())
        if run.provider == provider_directory
    ]


def _undo(run: DeadRun, configuration: Configuration, release_name: str) -> str:
    failed = list(_remove_volumes(run, configuration, release_name))
    run_id, worker = run.prefix.split("-")
    directories = [
        expand(directory, run.run_directory)
        for directory in configuration.run["inventory_directories"]
    ]
    survey = Survey(Namer(run_id, int(worker, 16)), run.run_directory, directories, list)
    survey.clear(survey.take())
    if run.run_directory.name.startswith(f"extstorage-{run.prefix}-"):
        shutil.rmtree(run.run_directory, ignore_errors=True)
    if failed:
        return f"not removed by the provider: {', '.join(failed)}"
    run.forget()
    return "all undone"


def _remove_volumes(run: DeadRun, configuration: Configuration, release_name: str) -> Iterator[str]:
    parameters = configuration.parameters_for(run.run_directory)
    with tempfile.TemporaryDirectory() as logs:
        host = Host(LocalNode(), (str(run.provider.parent),), release(release_name), logs)
        try:
            provider = host.provider(run.provider.name)
        except BlockDeviceError:
            yield from run.volumes
            return
        for name in reversed(run.volumes):
            disk = Disk(name, name[:36], None, 1, parameters)
            host.call(provider, "detach", disk)
            if host.call(provider, "remove", disk).failed:
                yield name
