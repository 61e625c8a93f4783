"""The providers that the recorder broke, one way each."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cluster.replay import Stage

_NOBODY = 65534


def _mode(name: str, mode: int) -> Callable[[Path], None]:
    return lambda directory: (directory / name).chmod(mode)


def _without(*names: str) -> Callable[[Path], None]:
    def act(directory: Path) -> None:
        for name in names:
            (directory / name).unlink()

    return act


def _text(name: str, content: bytes) -> Callable[[Path], None]:
    def act(directory: Path) -> None:
        (directory / name).write_bytes(content)

    return act


def _is_directory(name: str) -> Callable[[Path], None]:
    def act(directory: Path) -> None:
        (directory / name).unlink()
        (directory / name).mkdir()

    return act


def _link(name: str, target: str) -> Callable[[Path], None]:
    def act(directory: Path) -> None:
        (directory / name).rename(directory / "real")
        (directory / name).symlink_to(target)

    return act


def _anybodys(directory: Path) -> None:
    (directory / "create").chmod(0o777)
    os.chown(directory / "create", _NOBODY, _NOBODY)


def _linked(directory: Path) -> None:
    elsewhere = directory.parents[2] / directory.name
    directory.rename(elsewhere)
    directory.symlink_to(elsewhere)


def _is_file(directory: Path) -> None:
    shutil.rmtree(directory)
    directory.write_text("no provider\n")


def _empty(directory: Path) -> None:
    shutil.rmtree(directory)
    directory.mkdir()


def _more(directory: Path) -> None:
    (directory / "README").write_text("?\n")
    (directory / "helper.sh").write_text(":\n")


def _each_its_own(directory: Path) -> None:
    node = directory.parents[3].name.partition(".")[0]
    (directory / "parameters.list").write_text(f"pool Name on {node}\n{node} Only here\n")


def _parameters(content: bytes) -> Callable[[Path], None]:
    return _text("parameters.list", content)


FAULTS: dict[str, Callable[[Path], None]] = {
    "vnox": _mode("create", 0o644),
    "vgx": _mode("create", 0o655),
    "vmiss": _without("create"),
    "vnover": _without("verify"),
    "vnoset": _without("setinfo"),
    "vopnx": _mode("open", 0o644),
    "vdir": _is_directory("create"),
    "vlink": _link("create", "real"),
    "vdang": _link("create", "nowhere"),
    "vnosheb": _text("create", b"echo hello\n"),
    "vnoint": _text("create", b"#!/nonexistent/interpreter\n"),
    "vcrlf": _text("create", b"#!/bin/sh\r\nexit 0\r\n"),
    "vempty": _text("create", b""),
    "vown": _anybodys,
    "vdlink": _linked,
    "vfile": _is_file,
    "vedir": _empty,
    "vextra": _more,
    "pmiss": _without("parameters.list"),
    "pempty": _parameters(b""),
    "pblank1": _parameters(b"\n"),
    "pblank": _parameters(b"pool Name\n\nreplicas Count\n"),
    "pws": _parameters(b"pool Name\n   \nreplicas Count\n"),
    "pword": _parameters(b"pool\n"),
    "pdup": _parameters(b"pool One\npool Two\n"),
    "pcase": _parameters(b"pool One\nPOOL Two\n"),
    "pupper": _parameters(b"POOL Name\n"),
    "pcrlf": _parameters(b"pool Name\r\nreplicas Count\r\n"),
    "pcomm": _parameters(b"# a comment here\npool Name\n"),
    "ptab": _parameters(b"  pool\tName of pool\n"),
    "pnonl": _parameters(b"pool Name"),
    "pres": _parameters(b"provider X\nsize Y\naccess Z\n"),
    "putf": _parameters("pool Grö".encode() + b"sse\n"),
    "plat": _parameters(b"pool Gr\xf6sse\n"),
    "pdir": _is_directory("parameters.list"),
    "pmode": _mode("parameters.list", 0),
    "px": _mode("parameters.list", 0o755),
    "pdiff": _each_its_own,
}
"""What was done to each provider, by its name."""

ONLY_ON_NODE1 = ("vpart", "only1")


def install(stage: Stage, provider: str) -> None:
    """Install a provider as the recorder had it."""
    nodes = stage.nodes[:1] if provider in ONLY_ON_NODE1 else stage.nodes
    for directory in stage.install(provider, nodes):
        fault = FAULTS.get(provider)
        if fault:
            fault(directory)
