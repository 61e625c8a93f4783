"""The same answers as ``oracle.py`` gives, from this project's host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage.host.daemon import Host
from extstorage.host.device import Device
from extstorage.nodes.local import LocalNode

if TYPE_CHECKING:
    from extstorage.contract.releases import Release
    from extstorage.host.disk import Disk
    from extstorage.nodes.node import Command, Completed
    from tests.ganeti.world import Request


class _NotingNode(LocalNode):
    """This machine, and a note of every program that was started on it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[dict[str, Any]] = []

    def run(self, command: Command) -> Completed:
        call: dict[str, Any] = {
            "argv": list(command.argv),
            "environment": dict(command.environment),
            "directory": command.directory,
            "log": command.output_file and Path(command.output_file).name,
            "status": None,
        }
        self.calls.append(call)
        completed = super().run(command)
        call["status"] = -completed.signal if completed.signal else completed.exit_code
        return completed


class _Volume:
    """The operations of the oracle's requests, on this project's Device."""

    def __init__(self, host: Host, provider: str, disk: Disk) -> None:
        self.host = host
        self.provider = provider
        self.disk = disk
        self.made: Device | None = None

    @property
    def device(self) -> Device:
        assert self.made is not None, "steps begin with create or attach"
        return self.made

    def load(self) -> dict[str, Any]:
        provider = self.host.provider(self.provider)
        return {
            "name": provider.name,
            "path": provider.path,
            "parameters": provider.parameters,
            "scripts": dict(provider.scripts),
        }

    def create(self, **values: bool) -> bool:
        self.made = Device.create(self.host, self.provider, self.disk, **values)
        return self.made.attached

    def attach(self) -> bool:
        if self.made is not None:
            return self.made.attach()
        self.made = Device(self.host, self.provider, self.disk)
        return self.made.attached

    def detach(self) -> None:
        self.device.shutdown()

    def remove(self) -> None:
        self.device.remove()

    def open(self, **values: bool) -> None:
        self.device.open(**values)

    def close(self) -> None:
        self.device.close()

    def grow(self, amount_mib: int, **values: bool) -> None:
        self.device.grow(amount_mib, **values)

    def setinfo(self, text: str) -> None:
        self.device.set_info(text)

    def snapshot(self, name: str | None = None, size_mib: int | None = None) -> list[str]:
        return list(self.device.snapshot(name, size_mib))

    def uri(self, hypervisor: str) -> str:
        return self.device.userspace_access_uri(hypervisor)

    def state(self) -> dict[str, Any] | None:
        if self.made is None:
            return None
        names = ("attached", "dev_path", "uris", "major", "minor")
        return {name: getattr(self.made, name) for name in names}


def answer(request: Request, release: Release) -> dict[str, Any]:
    """Return what the host does with a request."""
    node = _NotingNode()
    host = Host(node, request.search_path, release, request.log_directory)
    volume = _Volume(host, request.provider, request.disk)
    results, error = [], None
    try:
        for operation, values in request.steps:
            results.append(getattr(volume, operation)(**values))
    except Exception as raised:  # noqa: BLE001 - whatever it is, Ganeti's has to be the same
        error = _error(raised)
        if error[0] == "UnicodeDecodeError" and node.calls and node.calls[-1]["log"] is None:
            # Ganeti stops reading in the middle of attach and never learns its exit code.
            node.calls[-1]["status"] = None
    return {"calls": node.calls, "results": results, "error": error, "device": volume.state()}


def _error(raised: Exception) -> list[str]:
    return ["OSError" if isinstance(raised, OSError) else type(raised).__name__, str(raised)]
