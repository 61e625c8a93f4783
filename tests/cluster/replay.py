"""A cluster in which one recorded operation can be carried out again.

The providers' scripts answer, call by call, what was recorded: exit code, attach's output, the
message of a failure. What the runtime calls, in which order and with what, is its own doing.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.cli import gnt, gnt_backup, gnt_cluster, gnt_instance, gnt_node, gnt_storage
from extstorage.cluster.exports import Export, Exports
from extstorage.cluster.model import Cluster, ClusterDisk, Instance, NodeEntry
from extstorage.cluster.session import Session
from extstorage.cluster.state import State
from extstorage.host.environment import daemon_environment
from extstorage.nodes.local import LocalNode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.cluster.recordings import Row

DOMAIN = "example.test"
NAME = f"inst1.{DOMAIN}"
NODES = tuple(f"node{number}.{DOMAIN}" for number in (1, 2, 3))
NODE_UUIDS = (
    "45754684-0395-4f3a-8d61-7ba06532eb0d",
    "e9f4f80f-40eb-4fd2-aa0a-d45c074fb801",
    "65827dbe-2b15-4841-bd7d-b3822267c534",
)
GROUP_UUID = "30b10070-2a77-4017-8281-00319cbc3492"
SEARCH_PATH = "/srv/ganeti/extstorage"
METHODS = ("create", "attach", "detach", "remove", "grow", "setinfo", "verify")
OPTIONAL = ("snapshot", "open", "close")
LACKING = {"min": OPTIONAL, "only1": OPTIONAL, "vnoopt": OPTIONAL, "vopen1": ("close", "snapshot")}
PARAMETERS = {
    "min": "pool Name of the pool\n",
    "hang": "pool Name of the pool\n",
    "trace2": "tier Storage tier\n",
}
_SCRIPT = """\
#!/bin/sh
read -r number <"$REPLAY/next"
printf '%s\\n' $((number + 1)) >"$REPLAY/next"
. "$REPLAY/$number"
"""
_MESSAGE = re.compile(r"last lines of output:(?:\\n(?P<line>.*)|\n(?P<lines>(?:.|\n)*?)\n*\Z)")
PROGRAMS = {
    "gnt-instance": gnt_instance.COMMANDS,
    "gnt-storage": gnt_storage.COMMANDS,
    "gnt-backup": gnt_backup.COMMANDS,
    "gnt-node": gnt_node.COMMANDS,
    "gnt-cluster": gnt_cluster.COMMANDS,
}


class Stage:
    """Three nodes on this machine, without providers and instances yet."""

    nodes = NODES

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.real_devices = False
        self._attached_devices: list[str] = []
        self.replay = directory / "replay"
        self.replay.mkdir(parents=True)
        (directory / "dev").mkdir()
        self.state = State.create(directory / "cluster", self._cluster())
        for node in NODES:
            self.search_path(node).mkdir(parents=True)
            (directory / node / "log").mkdir()

    def _cluster(self) -> Cluster:
        return Cluster(
            name="cluster." + DOMAIN,
            nodes_spec="local",
            nodes=[NodeEntry(name, uuid) for name, uuid in zip(NODES, NODE_UUIDS, strict=True)],
            groups={"default": GROUP_UUID},
            release="3.0",
            search_path=[f"{self.directory}/{{node}}{SEARCH_PATH}"],
            log_directory=f"{self.directory}/{{node}}/log",
            remove_retry_s=0.0,
        )

    def search_path(self, node: str) -> Path:
        """Return the directory of a node's providers."""
        return self.directory / node / SEARCH_PATH.lstrip("/")

    def install(self, provider: str, nodes: Sequence[str] = NODES) -> list[Path]:
        """Install a provider; return its directories."""
        directories = [self.search_path(node) / provider for node in nodes]
        for directory in directories:
            directory.mkdir()
            for method in (*METHODS, *OPTIONAL):
                if method not in LACKING.get(provider, ()):
                    (directory / method).write_text(_SCRIPT)
                    (directory / method).chmod(0o755)
            default = "pool Name of the pool\nreplicas Number of replicas\n"
            (directory / "parameters.list").write_text(PARAMETERS.get(provider, default))
        return directories

    def answer(self, row: Row, odd: Mapping[int, str]) -> None:
        """Have the scripts answer as they did; ``odd`` is what attach printed, by call."""
        (self.replay / "next").write_text("0\n")
        said = _said(row)
        for number, call in enumerate(row["calls"]):
            lines = []
            if number in odd:
                lines.append(odd[number])
            elif call["script"].endswith("/attach") and call["exit"] == 0:
                lines.append(self._attached(call["stdout"] or "/dev/loop1"))
            if call["exit"] is None:
                lines.append("kill -KILL $$")
            elif call["exit"]:
                lines += [f"printf %s {shlex.quote(said)} >&2", f"exit {call['exit']}"]
            (self.replay / str(number)).write_text("\n".join(lines) + "\n")

    def _attached(self, device: str) -> str:
        return f"printf '%s\\n' {shlex.quote(str(self.device(device)))}"

    def device(self, recorded: str) -> Path:
        """Return a device for a recorded one: a node with its number, which nobody opens.

        With ``real_devices`` it is a loop device of its own, because data is copied.
        """
        path = self.directory / recorded.lstrip("/")
        number = re.search(r"\d+$", recorded)
        if not number or path.exists() or path.is_symlink():
            return path
        if self.real_devices:
            path.symlink_to(self._loop_device(path))
        else:
            os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, int(number[0])))
        return path

    def _loop_device(self, path: Path) -> str:
        image = path.with_name(f"{path.name}.image")
        image.write_bytes(b"\0" * (32 << 20))
        words = ["losetup", "--find", "--show", str(image)]
        device = ""
        # Number 0 is no number to Ganeti: another one, while this one is taken.
        while device in ("", "/dev/loop0"):
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            device = done.stdout.strip()
            self._attached_devices.append(device)
        return device

    def export(self, node: str, name: str) -> None:
        """Have an export of an instance with one disk of 64 MiB on a node."""
        with Session(self.state, [LocalNode(name) for name in NODES], print).reading() as job:
            exports = Exports(job)
            Path(exports.new(node, name), "disk0").write_bytes(b"\1" * (1 << 20))
            exports.finish(node, Export(name, "noop+default", [64], [None]))

    def close(self) -> None:
        """Detach the loop devices."""
        for device in self._attached_devices:
            subprocess.run(["losetup", "--detach", device], check=True)

    def given(self, instance: Instance) -> None:
        """Put an instance on record."""
        self.state.save_instance(instance)

    def run(self, command: str, environment: Mapping[str, str] | None = None) -> Outcome:
        """Carry out a command as it was typed."""
        program, *words = shlex.split(re.sub(r"(v sp)\b", r"'\1'", command))
        nodes = [LocalNode(name) for name in NODES]
        daemon = daemon_environment() | {"REPLAY": str(self.replay)} | dict(environment or {})
        told = StringIO()
        trace = self.directory / "trace"
        traced = [words[0], f"--trace={trace}", *words[1:]]
        with redirect_stdout(told), redirect_stderr(told):
            try:
                status = gnt.execute(
                    program, PROGRAMS[program], traced, gnt.Cluster(self.state, nodes, daemon)
                )
            except SystemExit as end:
                status = int(end.code or 0)
        return Outcome(status, told.getvalue(), trace)


class Outcome:
    """What became of a command."""

    def __init__(self, status: int, output: str, trace: Path) -> None:
        self.status = status
        self.output = output
        lines = trace.read_text(encoding="utf-8").splitlines() if trace.exists() else []
        records = [json.loads(line) for line in lines]
        trace.unlink(missing_ok=True)
        self.calls = [call for record in records for call in record["calls"]]
        self.row = {"calls": self.calls}


def _said(row: Row) -> str:
    """Return what the script said that failed, as Ganeti quoted it."""
    message = _MESSAGE.search(row["output"])
    if not message:
        return ""
    text = message["line"] or message["lines"] or ""
    return text.replace("\\n", "\n") + "\n" if text else ""


def recorded_disks(row: Row) -> list[ClusterDisk]:
    """Return the disks that an operation's calls are about and that were there before it."""
    found: dict[str, ClusterDisk] = {}
    made = set()
    for call in row["calls"]:
        env = call["env"]
        volume = env.get("VOL_NAME", "")
        if call["script"].endswith("/create") and " recreate-disks " not in row["command"]:
            made.add(volume)
        known = found.get(volume)
        if known and "VOL_SNAPSHOT_SIZE" in env:
            known.size_mib = int(env["VOL_SNAPSHOT_SIZE"])
        if "VOL_UUID" in env and volume not in made and not volume.endswith(".snap"):
            found.setdefault(volume, _disk(env, row))
            found[volume].size_mib = int(env.get("VOL_SIZE", found[volume].size_mib))
    return list(found.values())


def _disk(env: Mapping[str, str], row: Row) -> ClusterDisk:
    said = re.search(r"size=(\d+)m|size (\d+)M$", row["output"], re.MULTILINE)
    parameters = {
        name.removeprefix("EXTP_").lower(): value
        for name, value in env.items()
        if name.startswith("EXTP_") and name != "EXTP_ACCESS"
    }
    return ClusterDisk(
        uuid=env["VOL_UUID"],
        location=env["VOL_NAME"],
        size_mib=int(said[1] or said[2]) if said else 64,
        parameters=parameters,
        name=env.get("VOL_CNAME"),
    )


def some_disk(number: int = 0, size_mib: int = 96) -> ClusterDisk:
    """Return a disk that no recorded call is about."""
    return ClusterDisk(
        uuid=f"00000000-0000-4000-8000-00000000000{number}",
        location=f"00000000-0000-4000-8000-00000000001{number}.ext.disk{number}",
        size_mib=size_mib,
        parameters={"provider": "trace", "pool": "p1"},
    )
