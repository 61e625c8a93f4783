"""What another process can do to a loop device between two steps of a script."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.reference_providers.nodes import MIB, Answer, Node, finish, mapped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOP_CLR_FD = 0x4C01
LOOP_CTL_GET_FREE = 0x4C82
ASKED_FOR_A_FREE_DEVICE = r"LOOP_CTL_GET_FREE\) *= (\d+)"


@contextmanager
def being_given_up(path: str, file: Path) -> Iterator[bool]:
    """Map ``file`` as the device and take it back: in the block nobody can open the device.

    False is yielded if somebody else was faster.
    """
    file.write_bytes(bytes(MIB))
    taken = subprocess.run(["losetup", path, str(file)], check=False)
    if taken.returncode != 0:
        yield False
        return
    device = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(device, LOOP_CLR_FD)
        yield True
    finally:
        os.close(device)


def answers_in(trace: Path, process: subprocess.Popen[str], number: int) -> list[str]:
    """Wait until the script has asked for a free device so often, or has ended."""
    while True:
        ended = process.poll() is not None
        answers = re.findall(ASKED_FOR_A_FREE_DEVICE, trace.read_text() if trace.exists() else "")
        if ended or len(answers) >= number:
            return answers
        time.sleep(0.01)


def attached_meanwhile(node: Node, base: Path) -> tuple[Answer, bool]:
    """Attach while a device that was free is given up; return whether it was."""
    trace = base / "trace"
    trace.unlink(missing_ok=True)
    node.prefix = (
        *("strace", "-qq", "-o", str(trace), "-P", "/dev/loop-control", "-e", "trace=ioctl"),
        *("-e", "inject=ioctl:delay_exit=1500000:when=1"),
    )
    with node.start("attach") as attach:
        node.prefix = ()
        (number,) = answers_in(trace, attach, 1)
        with being_given_up(f"/dev/loop{number}", base / "another") as was_given_up:
            if was_given_up:
                answers_in(trace, attach, 2)
        return finish(attach), was_given_up


@pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace, to stop attach in mid-air: install it"
)
def test_attach_asks_again_if_the_free_device_was_taken_and_is_being_given_up(
    node: Node, base: Path
) -> None:
    node.do("create", VOL_SIZE="1")
    for _attempt in range(20):  # what runs beside this test may take the device first
        answer, was_given_up = attached_meanwhile(node, base)
        assert answer.exit_code == 0, answer
        assert list(mapped(base / "pool")) == [answer.stdout.strip()]
        if was_given_up:
            return
        node.do("detach")
    pytest.fail("others have taken each of 20 free devices first")


@contextmanager
def held_by_another_process() -> Iterator[str]:
    """Have the free device open as an attach does that stands still before it maps its file."""
    control = os.open("/dev/loop-control", os.O_RDWR)
    try:
        path = f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}"
    finally:
        os.close(control)
    device = os.open(path, os.O_RDWR | os.O_EXCL)
    try:
        yield path
    finally:
        os.close(device)


def test_attach_makes_a_device_if_the_free_one_stays_with_another_process(
    node: Node, base: Path
) -> None:
    node.do("create", VOL_SIZE="1")
    with held_by_another_process() as held:
        path = node.do("attach").strip()
    assert path != held
    assert list(mapped(base / "pool")) == [path]
