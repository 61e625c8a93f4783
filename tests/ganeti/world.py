"""A world for one comparison: a provider, its storage, a log directory, all at one path.

Ganeti and this project act one after the other in the same world, made anew in between, so that
every path in a message is the same and only the time in a log file's name has to be overlooked.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage.contract.methods import METHOD_NAMES, PARAMETERS_FILE
from extstorage.contract.releases import release
from extstorage.host.disk import Disk
from extstorage.host.environment import daemon_environment
from tests.ganeti import ours

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "steady"
VOLUME = "11111111-2222-3333-4444-555555555555.ext.disk0"
UUID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

Steps = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Request:
    """What one node daemon is asked to do, by Ganeti's names; see ``oracle.py``."""

    search_path: list[str]
    log_directory: str
    provider: str
    disk: Disk
    steps: Steps


class Oracle:
    """A running ``oracle.py``; ``release`` is the Ganeti that it speaks for."""

    def __init__(self, ganeti: Path) -> None:
        program = Path(__file__).with_name("oracle.py")
        self._process = subprocess.Popen(
            # -B: Ganeti's directory is not ours to write byte code into.
            ["/usr/bin/python3", "-B", program, ganeti],
            env=daemon_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.release = release(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "Ganeti's code cannot be used; the reason is on standard error"
        return line.strip()

    def answer(self, request: Request) -> dict[str, Any]:
        """Return what Ganeti's code does with a request."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(dataclasses.asdict(request)) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._read())
        return answer

    def stop(self) -> None:
        self._process.communicate()


def _steady_scripts() -> dict[str, str]:
    """Return a provider whose volumes are names in a file and whose device is always the same."""
    scripts = dict.fromkeys(METHOD_NAMES, 'echo "$VOL_NAME" >>"$EXTP_STORE/calls"')
    scripts["create"] = ': >"$EXTP_STORE/$VOL_NAME"'
    scripts["attach"] = (
        '[ -e "$EXTP_STORE/$VOL_NAME" ] || { echo "no such volume" >&2; exit 1; }\n'
        'echo "$EXTP_STORE/device"'
    )
    scripts["remove"] = 'rm -f "$EXTP_STORE/$VOL_NAME"'
    scripts["snapshot"] = ': >"$EXTP_STORE/$VOL_SNAPSHOT_NAME"'
    return scripts


@dataclass
class World:
    """Where both act, and how it is made.

    Attributes:
        path: A directory that only this world uses.
        oracle: Ganeti.
        faults: For some methods of the steady provider the script's text instead of the good one;
            ``$GOOD`` runs the good one.
        change: What to do to the finished provider's directory.
        minor: The minor number of the steady provider's device: never used, so none of a driver's.
        source: A provider to copy instead of the steady one.
        store_parameter: The provider's parameter that gets the path of the store.
    """

    path: Path
    oracle: Oracle
    faults: dict[str, str] = field(default_factory=dict)
    change: Callable[[Path], object] | None = None
    minor: int = 5
    source: Path | None = None
    provider: str = NAME
    store_parameter: str = "store"
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        return self.path / "providers" / self.provider

    @property
    def store(self) -> Path:
        return self.path / "store"

    def build(self) -> None:
        self.clean_up()
        for name in ("providers", "store", "log"):
            (self.path / name).mkdir(parents=True, mode=0o700)
        # Only its kind and its number are looked at: no driver has to be there.
        os.mknod(self.store / "device", 0o600 | stat.S_IFBLK, os.makedev(7, self.minor))
        if self.source:
            shutil.copytree(self.source, self.directory, symlinks=True)
        else:
            write_steady(self.directory, self.faults)
        if self.change:
            self.change(self.directory)

    def clean_up(self) -> None:
        """Remove the world, and the loop devices on files in it."""
        for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
            if _content(backing).startswith(f"{self.path}/"):
                subprocess.run(["losetup", "--detach", f"/dev/{backing.parts[3]}"], check=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def request(self, *steps: str | tuple[str, dict[str, Any]], **disk: Any) -> Request:  # noqa: ANN401 - fields of Disk
        values: dict[str, Any] = {
            "name": VOLUME,
            "uuid": UUID,
            "size_mib": 64,
            "parameters": {self.store_parameter: str(self.store), **self.parameters},
        } | disk
        return Request(
            search_path=[str(self.path / "nowhere"), str(self.path / "providers")],
            log_directory=str(self.path / "log"),
            provider=self.provider,
            disk=Disk(**values),
            steps=[(step, {}) if isinstance(step, str) else step for step in steps],
        )

    def compare(self, request: Request) -> dict[str, Any]:
        """Have both do it; return the answer if it is the same."""
        return self.compare_all([request])[0]

    def compare_all(self, requests: list[Request]) -> list[dict[str, Any]]:
        """Have both do one thing after the other in one world; return the answers."""
        self.build()
        theirs = [comparable(self.oracle.answer(request)) for request in requests]
        self.build()
        mine = [comparable(ours.answer(request, self.oracle.release)) for request in requests]
        assert mine == theirs
        return mine


def _content(backing: Path) -> str:
    try:
        return backing.read_text()
    except OSError:  # somebody else's device, which has just gone
        return ""


def write_steady(directory: Path, faults: dict[str, str]) -> None:
    """Write the steady provider, with other scripts for some methods."""
    directory.mkdir()
    (directory / PARAMETERS_FILE).write_text("store Directory with the volumes\n")
    for method, text in _steady_scripts().items():
        script = directory / method
        if method in faults:
            good = directory / f"good-{method}"
            _write_script(good, text)
            text = f"GOOD='{good}'\n{faults[method]}"  # noqa: PLW2901 - the good one is written
        _write_script(script, text)


def _write_script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without what differs by nature: a log's time, a loop device's number."""
    text = re.sub(r"-\d{4}-\d\d-\d\d_\d\d_\d\d_\d\d\.log", "-TIME.log", json.dumps(answer))
    text = re.sub(r"/dev/loop\d+", "/dev/loopN", text)
    result: dict[str, Any] = json.loads(text)
    return result
