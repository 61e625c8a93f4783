"""The state directory: found like git's, whole after a kill, safe with two commands at once."""

from __future__ import annotations

import multiprocessing
import os
import time
from typing import TYPE_CHECKING

import pytest

from extstorage.cluster import location
from extstorage.cluster.errors import StateError
from extstorage.cluster.model import Cluster, ClusterDisk, Instance, NodeEntry
from extstorage.cluster.state import State, find

if TYPE_CHECKING:
    from pathlib import Path


def cluster() -> Cluster:
    return Cluster("c", "local", [NodeEntry("node1", "u1")], {"default": "g"}, "3.0", ["/p"], "/l")


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.create(tmp_path / location.DIRECTORY, cluster())


def instance(name: str = "inst1") -> Instance:
    disk = ClusterDisk("u", "v.ext.disk0", 64, {"provider": "p", "Pool": "a,b=c"}, name="data")
    return Instance(name, "uuid", "node1", disks=[disk])


def test_what_was_saved_is_read(state: State) -> None:
    given = instance()
    state.save_instance(given)

    assert state.cluster() == cluster()
    assert state.instance("inst1") == given
    assert state.instance_names() == ["inst1"]


def test_the_nearest_one_upward(state: State, tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)

    assert find(None, below) == state.directory


def test_the_option_wins_over_the_variable(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(location.VARIABLE, str(tmp_path / "other"))

    assert find(str(state.directory), tmp_path) == state.directory
    with pytest.raises(StateError, match="other is no cluster"):
        find(None, tmp_path)


def test_nothing_upward(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="extstorage cluster init"):
        find(None, tmp_path)


def test_a_directory_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("!")

    with pytest.raises(StateError, match="not empty"):
        State.create(tmp_path, cluster())
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_rename_keeps_the_record(state: State) -> None:
    given = instance()
    state.save_instance(given)

    state.rename_instance(given, "inst2")

    assert state.instance_names() == ["inst2"]
    assert state.instance("inst2").disks == given.disks


@pytest.mark.parametrize("content", ["", '{"uuid": "x"', "[]", '{"uuid": "x", "disks": 5}'])
def test_a_record_cut_short_is_told(state: State, content: str) -> None:
    state.save_instance(instance())
    path = state.directory / "instances" / "inst1.json"
    path.write_text(content)

    with pytest.raises(StateError, match=r"inst1\.json cannot be read"):
        state.instance("inst1")


def test_a_write_that_fails_leaves_the_old_record(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.save_instance(instance())

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    changed = instance()
    changed.admin_state = "up"
    with pytest.raises(OSError, match="No space"):
        state.save_instance(changed)

    assert state.instance("inst1").admin_state == "down"
    assert [path.name for path in (state.directory / "instances").iterdir()] == ["inst1.json"]


def _hold(directory: Path, name: str, seconds: float) -> None:
    with State(directory).locked(name):
        time.sleep(seconds)


def test_a_lock_is_waited_for_and_dies_with_its_holder(state: State) -> None:
    context = multiprocessing.get_context("fork")
    holder = context.Process(target=_hold, args=(state.directory, "inst1", 60))
    holder.start()
    time.sleep(0.3)
    waiting = context.Process(target=_hold, args=(state.directory, "inst1", 0))
    waiting.start()
    waiting.join(0.3)
    was_waiting = waiting.is_alive()

    holder.kill()
    holder.join()
    waiting.join(10)

    assert was_waiting
    assert waiting.exitcode == 0


def test_numbers_of_jobs_differ(state: State) -> None:
    assert [state.next_job() for _ in range(3)] == [1, 2, 3]
