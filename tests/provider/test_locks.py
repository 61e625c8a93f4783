"""Locks that die with their holder."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from extstorage.provider import ProviderError
from extstorage.provider.locks import Lock

if TYPE_CHECKING:
    from pathlib import Path


def fork_holder(path: Path) -> int:
    """Return a process that holds the lock."""
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        lock = Lock(str(path), create=True)
        os.write(write, b"x")
        time.sleep(60)
        lock.release()
        os._exit(0)
    os.read(read, 1)
    os.close(read)
    os.close(write)
    return process


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def test_a_held_lock_keeps_others_out_and_says_which(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with Lock(str(path), create=True), pytest.raises(ProviderError, match=str(path)):
        Lock(str(path), wait_s=0.05)


def test_a_released_lock_is_free(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    Lock(path, create=True).release()
    with Lock(path, wait_s=0):
        pass


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = fork_holder(path)
    try:
        with pytest.raises(ProviderError):
            Lock(str(path), wait_s=0)
    finally:
        kill(holder)
    Lock(str(path), wait_s=1).release()


def test_a_lock_file_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Lock(str(tmp_path / "lock"))


def test_a_file_that_was_removed_meanwhile_is_not_taken_for_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = fork_holder(path)
    waiter = os.fork()
    if waiter == 0:
        try:
            Lock(str(path), wait_s=30)
        except FileNotFoundError:
            os._exit(7)
        os._exit(0)
    time.sleep(0.2)  # the waiter now waits on the file that goes away
    path.unlink()
    kill(holder)
    _, status = os.waitpid(waiter, 0)
    assert os.waitstatus_to_exitcode(status) == 7
