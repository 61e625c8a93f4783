"""What lets guests run on processors with registers that User-Mode Linux does not know."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from extstorage.nodes import guest_registers
from extstorage.nodes.guests import GuestNodes, missing
from extstorage.nodes.node import Command, NodeError
from tests.nodes.conftest import need_guests

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
FLAGS = "processor\t: 0\nflags\t\t: fpu sse2 avx512f{}\nbugs\t\t: spectre_v1\n"

# What fills pages that were never touched, with registers as wide as the processor has, and starts
# processes meanwhile.
COPIES = """
import os
pattern = bytes(range(256)) * 4096
for _ in range(4):
    child = os.fork()
    if bytearray(pattern) * 2 != bytearray(pattern * 2):
        os._exit(1)
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
print("all the same")
"""


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A processor that has AMX, as /proc/cpuinfo tells of it."""
    file = tmp_path / "cpuinfo"
    file.write_text(FLAGS.format(" amx_bf16 amx_tile amx_int8"), encoding="ascii")
    monkeypatch.setattr(guest_registers, "_PROCESSORS", file)
    return file


@pytest.mark.usefixtures("processor")
def test_a_guest_keeps_its_registers_with_the_library_loaded(tmp_path: Path) -> None:
    need_guests()
    with GuestNodes(1, str(tmp_path)) as (node,):
        command = Command(("python3", "-c", COPIES), {"PATH": PATH}, "/", timeout_s=60)
        done = node.run(command)
    assert (done.exit_code, done.stdout) == (0, b"all the same\n"), done


def test_processors_without_more_registers_need_nothing(processor: Path) -> None:
    processor.write_text(FLAGS.format(""), encoding="ascii")
    assert guest_registers.library("/nowhere", PATH) == ""
    assert guest_registers.missing("/nowhere") is None


@pytest.mark.usefixtures("processor")
def test_a_missing_compiler_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_guests()
    for program in ("linux.uml", "mkfs.ext4"):
        tool = shutil.which(program, path=PATH)
        assert tool is not None
        (tmp_path / program).symlink_to(tool)
    monkeypatch.setattr("extstorage.nodes.guest_supervisor.TOOLS", str(tmp_path))
    assert missing() == "guests need a C compiler on processors with AMX: apt-get install gcc"


@pytest.mark.usefixtures("processor")
def test_what_the_compiler_says_is_told(tmp_path: Path) -> None:
    compiler = tmp_path / "gcc"
    compiler.write_text("#!/bin/sh\necho no space left >&2\nexit 1\n", encoding="ascii")
    compiler.chmod(0o755)
    with pytest.raises(NodeError, match=r"gcc .*registers\.c failed: no space left"):
        guest_registers.library(str(tmp_path), str(tmp_path))
