"""What a mutant's script in Python needs to be a script of the plain provider."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

SCRIPT = Path(sys.argv[0])


def fail(message: str) -> NoReturn:
    """Say what is wrong and end the script."""
    sys.exit(f"{SCRIPT.name}: {message}")


def takes_no_arguments(summary: str) -> None:
    """Answer -h and --help, refuse any other argument."""
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(f"usage: {SCRIPT.name}\n{summary}")
        sys.exit(0)
    if len(sys.argv) > 1:
        print(f"usage: {SCRIPT.name} (no arguments; got {len(sys.argv) - 1})", file=sys.stderr)
        sys.exit(2)


def check_directory() -> Path:
    """Return the parameter directory, or fail."""
    value = os.environ.get("EXTP_DIRECTORY", "")
    if not re.fullmatch(r"/[A-Za-z0-9/._,:@+-]*", value):
        fail("parameter directory: expected an absolute path")
    directory = Path(value)
    if not directory.is_dir() and (directory.exists() or not directory.parent.is_dir()):
        fail(f"parameter directory: {directory} is no directory")
    return directory


def check_layout() -> str:
    """Return the parameter layout, or fail."""
    layout = os.environ.get("EXTP_LAYOUT", "sparse")
    if layout not in {"sparse", "full"}:
        fail("parameter layout: expected sparse or full")
    return layout


def check_name(variable: str) -> str:
    """Return the volume's name in ``variable``, or fail."""
    value = os.environ.get(variable, "")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,179}", value):
        fail(f"{variable} is missing or no volume name")
    return value


def check_size(variable: str) -> int:
    """Return the size in ``variable`` in MiB, or fail."""
    value = os.environ.get(variable, "")
    if not re.fullmatch(r"[1-9][0-9]{0,7}", value):
        fail(f"{variable}: expected 1 to 99999999 (MiB)")
    return int(value)


def run(*command: str | Path) -> str:
    """Return what a tool prints, without the last line end, or fail."""
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    completed = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if completed.returncode:
        fail(f"{command[0]} failed")
    return completed.stdout.strip()


class Volume:
    """The volume called VOL_NAME."""

    def __init__(self, layout: str | None = None) -> None:
        """Check the name and the parameters; ``layout`` replaces the parameter."""
        os.umask(0o077)
        self.name = check_name("VOL_NAME")
        self.directory = check_directory()
        self.layout = layout or check_layout()
        self.path = self.directory / f"{SCRIPT.absolute().parent.name}.{self.name}"
        self.image = self.path / "image"
        self._lock = -1

    def exists(self) -> bool:
        """Take the volume's lock; return whether there is such a volume."""
        while self.image.exists():
            self._lock = os.open(self.path, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if Path(f"/proc/self/fd/{self._lock}/image").exists():
                return True
            os.close(self._lock)
        return False

    def must_exist(self) -> None:
        """Take the volume's lock, or fail."""
        if not self.exists():
            fail(f"there is no volume {self.name}")

    def must_not_exist(self) -> None:
        """Fail if the name is taken."""
        if self.image.exists():
            fail(f"volume {self.name} exists already")

    def device(self) -> str:
        """Return the loop device of the volume on this node, or an empty string."""
        columns = ("--raw", "--noheadings", "--output", "NAME,BACK-FILE")
        path = os.path.realpath(self.image)
        for line in run("losetup", *columns, "--associated", self.image).splitlines():
            name, _, file = line.partition(" ")
            if file == path:
                return name
        return ""

    def attach(self) -> str:
        """Attach as the provider's own script does; return the device."""
        self.image.open("a").close()  # losetup would map it read-only, and say nothing
        device = self.device()
        if device:
            run("losetup", "--set-capacity", device)
        else:
            device = run("losetup", "--find", "--show", "--", self.image)
            run("blockdev", "--setrw", device)
        return device

    def detach(self) -> None:
        """Detach as the provider's own script does, or fail."""
        environment = os.environ | {"VOL_NAME": self.name}
        if subprocess.run([SCRIPT.parent / "detach"], env=environment, check=False).returncode:
            sys.exit(1)

    def create(self, length: int) -> None:
        """Make the volume of ``length`` bytes, all or nothing."""
        self.directory.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new.", dir=self.directory) as work:
            new = Path(work, "volume")
            new.mkdir()
            self.extend(new / "image", length)
            new.rename(self.path)

    def extend(self, image: Path, length: int) -> None:
        """Make a file, which may be new, at least ``length`` bytes long."""
        image.touch()
        if self.layout == "full":
            run("fallocate", "--length", str(length), "--", image)
        else:
            run("truncate", f"--size=>{length}", "--", image)

    def copy_to(self, target: Path) -> None:
        """Copy the image, again if it was written to meanwhile."""
        copied = 0
        while copied != (written := self.image.stat().st_mtime_ns):
            copied = written
            time.sleep(0.02)  # files have their times in ticks of the clock
            run("cp", "--sparse=always", "--", self.image, target)

    def set_info(self, text: str) -> None:
        """Replace the volume's metadata."""
        new = self.path / "info.new"
        new.write_text(f"{text}\n", encoding="ascii")
        new.rename(self.path / "info")
