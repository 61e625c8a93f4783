"""Answers what Ganeti's own code does with a provider: one JSON request a line, one answer a line.

Runs under the distribution's /usr/bin/python3, which Ganeti's modules are for, and knows nothing of
this project. The argument is the directory that holds the package ``ganeti``. Nothing is replaced
but two paths of configuration; two functions are wrapped to note which programs are started.

Request: search_path, log_directory, provider, disk (name, uuid, cname, size_mib, parameters) and
steps, a list of (operation, values). Answer: calls, results, error (type, text), device.
"""

# ruff: noqa: ANN401 - Ganeti's code has no types

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, sys.argv[1])

from ganeti import _constants, pathutils  # type: ignore[import-not-found]  # no package of ours
from ganeti.storage import extstorage  # type: ignore[import-not-found]  # as above
from ganeti.utils import process  # type: ignore[import-not-found]  # as above

_calls: list[dict[str, Any]] = []


def _note(
    argv: list[str], environment: dict[str, str], directory: str, log: str | None
) -> dict[str, Any]:
    call = {
        "argv": list(argv),
        "environment": environment,
        "directory": directory,
        "log": log and log.rsplit("/", 1)[1],
        "status": None,
    }
    _calls.append(call)
    return call


def _noted_pipe(real: Callable[..., Any]) -> Callable[..., Any]:
    def run(cmd: Any, env: Any, shell: Any, cwd: Any, *others: Any, **named: Any) -> Any:
        call = _note(cmd, env, cwd, None)
        ended = real(cmd, env, shell, cwd, *others, **named)
        call["status"] = ended[2]
        return ended

    return run


def _noted_file(real: Callable[..., Any]) -> Callable[..., Any]:
    def run(cmd: Any, env: Any, shell: Any, output: Any, cwd: Any, *others: Any) -> Any:
        call = _note(cmd, env, cwd, output)
        call["status"] = real(cmd, env, shell, output, cwd, *others)
        return call["status"]

    return run


class _Volume:
    """What noded is asked to do with one disk."""

    def __init__(self, provider: str, disk: dict[str, Any]) -> None:
        self.provider = provider
        self.unique_id = (provider, disk["name"])
        self.size = disk["size_mib"]
        # A cluster puts these two into every disk of the template ext.
        self.parameters = {"provider": provider, "access": "kernelspace", **disk["parameters"]}
        self.names = {"name": disk["cname"], "uuid": disk["uuid"]}
        self.device: Any = None

    def load(self) -> dict[str, Any]:
        valid, found = extstorage.ExtStorageFromDisk(self.provider)
        if not valid:
            raise extstorage.errors.BlockDeviceError(found)
        return {
            "name": found.name,
            "path": found.path,
            "parameters": found.supported_parameters,
            "scripts": {
                method: getattr(found, method + "_script")
                for method in sorted(extstorage.constants.ES_SCRIPTS)
            },
        }

    def create(self, *, exclusive_storage: bool = False) -> Any:
        self.device = extstorage.ExtStorageDevice.Create(
            self.unique_id,
            [],
            self.size,
            None,
            self.parameters,
            exclusive_storage,
            {},
            **self.names,
        )
        return self.device.attached

    def attach(self) -> Any:
        if self.device is not None:
            return self.device.Attach()
        self.device = extstorage.ExtStorageDevice(
            self.unique_id, [], self.size, self.parameters, {}, **self.names
        )
        return self.device.attached

    def detach(self) -> Any:
        return self.device.Shutdown()

    def remove(self) -> Any:
        return self.device.Remove()

    def open(self, *, exclusive: bool = True) -> Any:
        return self.device.Open(exclusive=exclusive)

    def close(self) -> Any:
        return self.device.Close()

    def grow(self, amount_mib: int, *, dryrun: bool = False, backingstore: bool = True) -> Any:
        return self.device.Grow(amount_mib, dryrun, backingstore, excl_stor=False)

    def setinfo(self, text: str) -> Any:
        return self.device.SetInfo(text)

    def snapshot(self, name: str | None = None, size_mib: int | None = None) -> Any:
        return self.device.Snapshot(name, size_mib)

    def uri(self, hypervisor: str) -> Any:
        return self.device.GetUserspaceAccessUri(hypervisor)

    def state(self) -> dict[str, Any] | None:
        if self.device is None:
            return None
        names = ("attached", "dev_path", "uris", "major", "minor")
        return {name: getattr(self.device, name) for name in names}


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    _calls.clear()
    pathutils.ES_SEARCH_PATH = request["search_path"]
    pathutils.LOG_ES_DIR = request["log_directory"]
    volume = _Volume(request["provider"], request["disk"])
    results, error = [], None
    try:
        for operation, values in request["steps"]:
            results.append(getattr(volume, operation)(**values))
    except Exception as raised:  # noqa: BLE001 - whatever it is, it is the answer
        kind = "OSError" if isinstance(raised, OSError) else type(raised).__name__
        error = [kind, str(raised)]
    return {"calls": _calls, "results": results, "error": error, "device": volume.state()}


def main() -> None:
    os.umask(0o077)  # SetupDaemonEnv
    # The two functions under RunCmd that start programs, with the environment that they get.
    for name, noted in (("_RunCmdPipe", _noted_pipe), ("_RunCmdFile", _noted_file)):
        setattr(process, name, noted(getattr(process, name)))
    print(f"{_constants.VERSION_MAJOR}.{_constants.VERSION_MINOR}", flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)


main()
