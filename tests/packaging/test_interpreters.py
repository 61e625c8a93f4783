"""Provider code on every Python from 3.9 up that this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage.resources import reference_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

SDK = Path(__file__).parents[2] / "sdk"
NODE_PACKAGES = ("contract", "provider")
VOLUME = "0b7c2c55-8a4e-4f0e-8a0e-3f5a3a1f2c77.ext.disk0"
DESCRIBE = (
    "import os, sys; print(os.path.realpath(sys.executable), sys.implementation.name,"
    " *sys.version_info[:2])"
)
OLDEST = (3, 9)


@cache
def interpreters() -> dict[str, str]:
    """Return the path of each interpreter by its name and level: ``pypy3.9``."""
    found: dict[tuple[int, int, str], str] = {}
    for candidate in candidates():
        described = run(candidate, "-c", DESCRIBE)
        if described.returncode == 0:
            path, implementation, *level = described.stdout.split()
            major, minor = map(int, level)
            if (major, minor) >= OLDEST:
                found.setdefault((major, minor, implementation), path)
    return {f"{key[2]}{key[0]}.{key[1]}": path for key, path in sorted(found.items())}


def candidates() -> Iterator[str]:
    names = ["python3", *(f"python3.{minor}" for minor in range(9, 20)), "pypy3"]
    for name in names:
        path = shutil.which(name)
        if path is not None:
            yield path
        yield f"/usr/bin/{name}"
    yield from sorted(map(str, Path.home().glob(".pyenv/versions/*/bin/python3")))


def run(python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [python, *arguments], capture_output=True, text=True, check=False, timeout=60
        )
    except OSError as error:
        return subprocess.CompletedProcess(arguments, 127, "", str(error))


def modules() -> list[str]:
    return [
        ".".join(path.relative_to(SDK).with_suffix("").parts).removesuffix(".__init__")
        for package in NODE_PACKAGES
        for path in sorted((SDK / "extstorage" / package).rglob("*.py"))
    ]


every_interpreter = pytest.mark.parametrize(
    "python", interpreters().values(), ids=interpreters().keys()
)


def test_oldest_level_is_among_them(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("\nprovider code is run on:", ", ".join(interpreters()))

    if not any(name.endswith("3.9") for name in interpreters()):
        pytest.skip("needs an interpreter of level python3.9: apt-get install pypy3")


@every_interpreter
def test_every_module_imports(python: str) -> None:
    program = f"import sys; sys.path.insert(0, {str(SDK)!r})\n"
    program += "\n".join(f"import {module}" for module in modules())

    completed = run(python, "-I", "-S", "-B", "-W", "error", "-c", program)

    assert completed.returncode == 0, completed.stderr


@pytest.fixture
def provider(tmp_path: Path) -> Path:
    """A copy of the loopback provider, its pool beside it."""
    (tmp_path / "pool").mkdir()
    return Path(shutil.copytree(reference_provider("loopback"), tmp_path / "loopback"))


def call(provider: Path, method: str, **variables: str) -> str:
    """Run one script; return its output."""
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        "EXTP_DIRECTORY": str(provider.parent / "pool"),
        "EXTP_PROVIDER": "loopback",
        "EXTP_ACCESS": "kernelspace",
        "VOL_NAME": VOLUME,
    }
    completed = subprocess.run(
        [provider / method],
        cwd=provider,
        env=environment | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, f"{method}: {completed.stderr}{completed.stdout}"
    return completed.stdout


def run_by(python: str, provider: Path) -> None:
    """Make each script name this interpreter in its first line."""
    for script in provider.iterdir():
        if script.is_file() and not script.is_symlink():
            first_line, separator, rest = script.read_text().partition("\n")
            if first_line.startswith("#!"):
                options = first_line.split()[1:]
                script.write_text(" ".join([f"#!{python}", *options]) + separator + rest)


@every_interpreter
@pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)
def test_life_of_a_volume(python: str, provider: Path) -> None:
    run_by(python, provider)
    call(provider, "create", VOL_SIZE="8")
    try:
        device = call(provider, "attach").strip()
        call(provider, "open", VOL_OPEN_EXCLUSIVE="True")
        call(provider, "grow", VOL_SIZE="8", VOL_NEW_SIZE="12")
        call(provider, "setinfo", VOL_METADATA="originstname+test")
        with Path(device).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
        call(provider, "close")
    finally:
        call(provider, "detach")
        call(provider, "remove")

    assert size == 12 << 20
    assert not [path for path in (provider.parent / "pool").rglob("*") if VOLUME in path.name]
