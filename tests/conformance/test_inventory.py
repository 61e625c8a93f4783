"""The inventory of a node, on real devices, mounts, processes and files."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from extstorage_conformance.inventory import Item, Look, Survey
from extstorage_conformance.naming import Namer, new_run
from extstorage_conformance.node_side import block
from extstorage_conformance.node_side.side import NodeSide
from tests.conformance.loop import loop_device

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not root: no loop devices")


def ask(method: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever JSON can say
    """Call a method of this machine's side."""
    return getattr(NodeSide(), method)(*arguments)


LOOKS = (Look(ask),)


@pytest.fixture
def namer() -> Namer:
    return Namer(new_run())


@pytest.fixture
def name(namer: Namer) -> str:
    return f"{namer.uuid()}.ext.disk0"


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    directory = tmp_path / "pool"
    directory.mkdir()
    return directory


@pytest.fixture
def survey(namer: Namer, tmp_path: Path, pool: Path) -> Survey:
    return Survey(namer, tmp_path, [str(pool)], list, LOOKS)


@contextmanager
def _sleeper(name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process as a script leaves it behind: VOL_NAME in its environment."""
    process = subprocess.Popen(["sleep", "60"], env={**os.environ, "VOL_NAME": name})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def _mounted(device: str, directory: Path) -> Iterator[None]:
    subprocess.run(["mkfs.ext4", "-q", device], check=True)
    directory.mkdir()
    subprocess.run(["mount", device, str(directory)], check=True)
    try:
        yield
    finally:
        if os.path.ismount(directory):
            subprocess.run(["umount", str(directory)], check=True)


def _kinds(survey: Survey, baseline: frozenset[Item]) -> set[str]:
    return {item.kind for item in survey.take() - baseline}


def test_nothing_is_left_where_nothing_was_made(survey: Survey) -> None:
    assert survey.left_since(survey.take()) == []


def test_loop_device_is_seen_with_its_backing_file(
    survey: Survey, tmp_path: Path, name: str
) -> None:
    baseline = survey.take()

    with loop_device(tmp_path / name) as path:
        assert survey.take() - baseline == {Item("loop device", path, str(tmp_path / name))}
    assert survey.left_since(baseline) == []


def test_loop_device_of_another_run_is_not_seen(survey: Survey, tmp_path: Path) -> None:
    baseline = survey.take()

    with loop_device(tmp_path / f"{Namer(new_run()).uuid()}.ext.disk0"):
        assert survey.take() == baseline


def test_loop_device_beside_the_runs_directory_is_not_seen(
    namer: Namer, tmp_path: Path, name: str
) -> None:
    run_directory = tmp_path / f"extstorage-{namer.prefix}-abcdefgh"
    pool = run_directory / "pool"
    survey = Survey(namer, run_directory, [], list, LOOKS)
    pool.mkdir(parents=True)
    with loop_device(pool / name) as path:
        survey.learn(block.mapping_of(path))
    baseline = survey.take()

    with loop_device(tmp_path / "image"):
        assert "loop device" not in _kinds(survey, baseline)


def test_loop_device_over_a_deleted_file_is_seen(survey: Survey, tmp_path: Path, name: str) -> None:
    baseline = survey.take()
    image = tmp_path / name

    with loop_device(image) as path:
        image.rename(tmp_path / "aside")
        (tmp_path / "aside").unlink()
        try:
            found = survey.take() - baseline
            assert {item.name for item in found if "(deleted)" in item.detail} == {path}
        finally:
            survey.clear(found)
    assert survey.left_since(baseline) == []


def test_mapping_tells_what_a_device_shows(tmp_path: Path, name: str) -> None:
    with loop_device(tmp_path / name) as path:
        link = tmp_path / "link"
        link.symlink_to(path)

        assert block.mapping_of(path) == str(tmp_path / name)
        assert block.mapping_of(str(link)) == str(tmp_path / name)
        assert block.is_mapped(str(link))
        assert not block.is_read_only(path)


@pytest.mark.parametrize("path", ["/dev/null", "/etc/passwd", "/nowhere", "/dev"])
def test_what_is_no_block_device_maps_nothing(path: str) -> None:
    assert block.mapping_of(path) == ""
    assert not block.is_mapped(path)


def test_free_loop_device_is_not_mapped(tmp_path: Path, name: str) -> None:
    with loop_device(tmp_path / name) as path:
        pass

    shown = block.mapping_of(path)

    assert name not in shown
    assert block.is_mapped(path) == bool(shown)  # free, unless somebody else took it at once


def test_mount_of_ours_is_seen(survey: Survey, tmp_path: Path, name: str) -> None:
    with loop_device(tmp_path / name, 8) as path:
        baseline = survey.take()
        with _mounted(path, tmp_path / "mnt"):
            assert Item("mount", str(tmp_path / "mnt"), path) in survey.take() - baseline
        assert "mount" not in _kinds(survey, baseline)


def test_process_of_ours_is_seen_and_others_are_not(survey: Survey, name: str) -> None:
    baseline = survey.take()

    with _sleeper(name) as process, _sleeper(f"{Namer(new_run()).uuid()}.ext.disk0"):
        assert survey.take() - baseline == {Item("process", str(process.pid), "sleep 60 ")}


def test_a_daemon_that_a_hook_has_started_is_nothing_left(
    survey: Survey, tmp_path: Path, name: str
) -> None:
    baseline = survey.take()
    variables = {"RUN_DIRECTORY": str(tmp_path / name)}
    with subprocess.Popen(["/bin/sleep", "60"], env=variables) as daemon:
        try:
            assert survey.take() == baseline
            left = survey.take_all() - baseline
            assert {(item.kind, item.name) for item in left} == {
                ("process of a hook", str(daemon.pid))
            }
            survey.clear(left)  # as --reap does
            assert daemon.wait(timeout=10) == -9
        finally:
            daemon.kill()


def test_file_in_the_back_end_is_seen_whatever_its_name(survey: Survey, pool: Path) -> None:
    baseline = survey.take()
    (pool / "deep").mkdir()
    (pool / "deep" / "orphan").touch()

    (item,) = survey.take() - baseline

    assert item == Item("file", str(pool / "deep" / "orphan"))
    assert survey.is_of_back_end(item)


def test_directory_of_the_back_end_counts_only_with_a_volumes_name(
    survey: Survey, pool: Path, name: str
) -> None:
    baseline = survey.take()
    (pool / "locks").mkdir()
    (pool / name).mkdir()

    assert survey.take() - baseline == {Item("file", str(pool / name))}


def test_file_of_ours_on_the_node_is_seen(survey: Survey, name: str) -> None:
    baseline = survey.take()
    path = Path("/run") / f"array-{name}.lock"
    path.touch()
    try:
        (item,) = survey.take() - baseline
    finally:
        path.unlink()

    assert item == Item("file", str(path))
    assert not survey.is_of_back_end(item)


def test_file_of_somebody_else_on_the_node_is_not_seen(survey: Survey, tmp_path: Path) -> None:
    baseline = survey.take()
    path = Path("/run") / f"nobodys-{tmp_path.name}"
    path.touch()
    try:
        assert survey.take() == baseline
    finally:
        path.unlink()


def test_objects_are_what_the_hook_lists(namer: Namer, tmp_path: Path) -> None:
    objects = ["volume a", "volume b"]
    survey = Survey(namer, tmp_path, [], lambda: objects, LOOKS)
    baseline = survey.take()
    objects.append("clone c")

    (item,) = survey.left_since(baseline)

    assert str(item) == "object clone c"
    assert survey.is_of_back_end(item)


def test_what_goes_within_a_moment_is_not_left(survey: Survey, pool: Path) -> None:
    baseline = survey.take()
    late = pool / "late"
    late.touch()
    remover = subprocess.Popen(["/bin/sh", "-c", f"sleep 0.3; rm '{late}'"])
    try:
        assert survey.left_since(baseline) == []
    finally:
        remover.wait()


def test_what_stays_is_told_after_a_moment(survey: Survey, pool: Path) -> None:
    baseline = survey.take()
    (pool / "stays").touch()
    started = time.monotonic()

    left = survey.left_since(baseline)

    assert [item.name for item in left] == [str(pool / "stays")]
    assert time.monotonic() - started < 10


def test_clearing_takes_what_carries_our_name(
    survey: Survey, tmp_path: Path, pool: Path, name: str
) -> None:
    baseline = survey.take()
    (pool / "orphan").touch()
    with loop_device(pool / name, 8) as path, _mounted(path, tmp_path / "mnt"), _sleeper(name) as p:
        left = survey.left_since(baseline)
        assert {item.kind for item in left} == {"file", "loop device", "mount", "process"}

        survey.clear(left)

        assert p.wait(timeout=10) == -9
        assert not os.path.ismount(tmp_path / "mnt")
        assert survey.left_since(baseline) == []
    assert list(pool.iterdir()) == []


def test_clearing_leaves_alone_what_is_not_ours(namer: Namer, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    survey = Survey(namer, tmp_path / "run", [str(elsewhere)], list, LOOKS)
    with loop_device(elsewhere / "image") as path:
        items = [
            Item("file", str(elsewhere / "precious")),
            Item("loop device", path, str(elsewhere / "image")),
        ]

        survey.clear(items)

        assert block.mapping_of(path) == str(elsewhere / "image")
    assert (elsewhere / "precious").exists()
