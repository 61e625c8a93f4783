"""Nodes that share a directory and a kernel: each has its own host name and its own /run."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from pathlib import Path

LOOPBACK = Path(__file__).parents[2] / "reference-providers" / "loopback"
VOLUME = f"{uuid.uuid4()}.ext.disk1"  # loop devices are the machine's: no two runs share a name
MIB = 1024 * 1024

# Names the machine and lays the node's own directory over /run, for one command.
_ENTER = 'echo "$1" > /proc/sys/kernel/hostname && mount --bind "$2" /run && shift 2 && exec "$@"'


class Answer:
    """What a script did: exit code, stdout and stderr."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.exit_code = done.returncode
        self.stdout = done.stdout
        self.stderr = done.stderr

    def __repr__(self) -> str:
        return f"exit code {self.exit_code}, stdout {self.stdout!r}, stderr {self.stderr!r}"


class Node:
    """One node, calling the provider as Ganeti's node daemon does."""

    def __init__(self, name: str, base: Path, *, provider: Path = LOOPBACK) -> None:
        self.name = name
        self.provider = provider
        self.parameters = {"EXTP_DIRECTORY": str(base / "pool")}
        self.run_directory = base / f"run-{name}"
        self.run_directory.mkdir(exist_ok=True)
        self.prefix: tuple[str, ...] = ()

    def command(self, method: str, *words: str) -> list[str]:
        """Return the command that runs the script of ``method`` on this node."""
        enter = ["unshare", "--uts", "--mount", "sh", "-c", _ENTER, "sh", self.name]
        return [*enter, str(self.run_directory), *self.prefix, str(self.provider / method), *words]

    def environment(self, volume: str, variables: dict[str, str]) -> dict[str, str]:
        """Return a call's environment."""
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C",
            "EXTP_PROVIDER": "loopback",
            "EXTP_ACCESS": "kernelspace",
            **self.parameters,
            "VOL_NAME": volume,
            **variables,
        }

    def start(
        self, method: str, volume: str = VOLUME, *words: str, **variables: str
    ) -> subprocess.Popen[str]:
        """Start the script of ``method``."""
        return subprocess.Popen(
            self.command(method, *words),
            env=self.environment(volume, variables),
            cwd=self.provider,
            umask=0o077,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, method: str, volume: str = VOLUME, *words: str, **variables: str) -> Answer:
        """Run the script of ``method``."""
        return finish(self.start(method, volume, *words, **variables))

    def do(self, method: str, volume: str = VOLUME, **variables: str) -> str:
        """Run the script of ``method``, which must succeed; return its stdout."""
        answer = self.call(method, volume, **variables)
        assert answer.exit_code == 0, f"{self.name}: {method}: {answer}"
        return answer.stdout

    def refuse(self, method: str, volume: str = VOLUME, **variables: str) -> str:
        """Run the script of ``method``, which must fail with one line; return that line."""
        return refusal(self.call(method, volume, **variables))

    def crash(self) -> None:
        """Lose everything that a node loses when it stops: its mappings and its /run."""
        for link in self.run_directory.glob("ganeti-extstorage/*/attached/*"):
            detach(str(link.readlink()))
            link.unlink()


def refusal(answer: Answer) -> str:
    """Return the one line of a script that failed as it should."""
    assert answer.exit_code in (1, 2), answer
    assert answer.stdout == ""
    assert answer.stderr.isascii()
    assert answer.stderr.count("\n") == 1, answer.stderr
    return answer.stderr


def finish(process: subprocess.Popen[str]) -> Answer:
    """Return what the started script did."""
    stdout, stderr = process.communicate(timeout=120)
    return Answer(subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr))


def mapped(directory: Path) -> dict[str, str]:
    """Return every loop device that maps a file below ``directory``, and the file."""
    found = {}
    for entry in Path("/sys/block").glob("loop*/loop/backing_file"):
        file = os.fsdecode(entry.read_bytes().rstrip(b"\n"))
        if file.startswith(f"{directory}/"):
            found[f"/dev/{entry.parts[3]}"] = file
    return found


def unmap(directory: Path) -> None:
    """Detach every loop device that maps a file below ``directory``."""
    for device in mapped(directory):
        detach(device)


def detach(device: str) -> None:
    """Detach the loop ``device`` and wait until it is free: anybody may have it open just now."""
    subprocess.run(["losetup", "--detach", device], check=True)
    give_up = time.monotonic() + 10
    while Path(f"/sys/block/{Path(device).name}/loop").exists():
        assert time.monotonic() < give_up, f"{device} stays in use"
        time.sleep(0.01)


def read(device: str, offset: int, length: int = 512) -> bytes:
    """Read from ``device`` past the page cache of other opens."""
    descriptor = os.open(device, os.O_RDONLY)
    try:
        return os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)


def write(device: str, offset: int, data: bytes) -> None:
    """Write to ``device`` without flushing."""
    descriptor = os.open(device, os.O_RDWR)
    try:
        os.pwrite(descriptor, data, offset)
    finally:
        os.close(descriptor)


def size(device: str) -> int:
    """Return the size of ``device`` in bytes."""
    descriptor = os.open(device, os.O_RDONLY)
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)


def is_read_only(device: str) -> bool:
    """Return whether the kernel refuses writes to ``device``."""
    return Path(f"/sys/block/{Path(device).name}/ro").read_text().strip() == "1"


def files(directory: Path) -> list[str]:
    """Return all paths below ``directory``."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))
