"""The state directory: one JSON file for the cluster and one for each instance.

A record is replaced as a whole (write, fsync, rename), so a killed command leaves either the old
one or the new one. Commands that change an instance hold its lock; reading needs none.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage.cluster import location
from extstorage.cluster.errors import NoClusterError, StateError
from extstorage.cluster.location import DIRECTORY, VARIABLE
from extstorage.cluster.model import Cluster, ClusterDisk, Instance, NodeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLUSTER = location.CLUSTER
_LOCKS = 64  # more locks than commands that run at once; instances share them


def find(given: str | None, start: Path) -> Path:
    """Return the state directory: the one given, the variable's, or the nearest one upward.

    Raises NoClusterError if there is none.
    """
    named = location.named(given, os.environ)
    if named is not None:
        if location.is_cluster(named):
            return Path(named).resolve()
        raise NoClusterError(f"{named} is no cluster: make one with extstorage cluster init")
    nearest = location.nearest(str(start))
    if nearest is not None:
        return Path(nearest)
    raise NoClusterError(
        f"no {DIRECTORY} in {start} or above: make a cluster with extstorage cluster init,"
        f" or name one with --cluster-dir or {VARIABLE}"
    )


class State:
    """The records of one cluster.

    Every method raises StateError for a record that cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._instances = directory / "instances"
        self._detached = directory / "detached"

    @classmethod
    def create(cls, directory: Path, cluster: Cluster) -> State:
        """Make a state directory. Raises StateError if there is one, or if it is not empty."""
        if directory.exists() and any(directory.iterdir()):
            raise StateError(f"{directory} is not empty: expected a new or an empty directory")
        state = cls(directory)
        for folder in (state._instances, state._detached, directory / "locks"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        state.save_cluster(cluster)
        return state

    def cluster(self) -> Cluster:
        """Return the cluster's record."""
        record = _read(self.directory / _CLUSTER)
        with _readable(self.directory / _CLUSTER):
            nodes = [NodeEntry(**entry) for entry in record.pop("nodes")]
            return Cluster(**record, nodes=nodes)

    def save_cluster(self, cluster: Cluster) -> None:
        """Replace the cluster's record."""
        _write(self.directory / _CLUSTER, dataclasses.asdict(cluster))

    def instance_names(self) -> list[str]:
        """Return the names of all instances, sorted."""
        return sorted(path.name.removesuffix(".json") for path in self._instances.glob("*.json"))

    def has_instance(self, name: str) -> bool:
        """Return whether there is an instance of that full name."""
        try:
            # What somebody typed: as a path it might lead anywhere.
            return os.sep not in name and self._instance(name).is_file()
        except OSError:  # longer than a file's name can be
            return False

    def instance(self, name: str) -> Instance:
        """Return an instance's record by its full name. Raises KeyError."""
        if not self.has_instance(name):
            raise KeyError(name)
        path = self._instance(name)
        record = _read(path)
        with _readable(path):
            disks = [ClusterDisk(**disk) for disk in record.pop("disks")]
            # The file's name is the instance's, so that one rename renames it.
            return Instance(**{**record, "name": name}, disks=disks)

    def save_instance(self, instance: Instance) -> None:
        """Replace an instance's record, or make it."""
        instance.serial += 1
        instance.changed = time.time()
        _write(self._instance(instance.name), dataclasses.asdict(instance))

    def rename_instance(self, instance: Instance, name: str) -> None:
        """Give an instance another name."""
        self._instance(instance.name).rename(self._instance(name))
        instance.name = name
        self.save_instance(instance)

    def remove_instance(self, instance: Instance) -> None:
        """Forget an instance and its disks."""
        self._instance(instance.name).unlink(missing_ok=True)

    def next_job(self) -> int:
        """Return a number that no job had before."""
        path = self.directory / "jobs"
        with self._lock("jobs", fcntl.LOCK_EX):
            number = int(path.read_text()) + 1 if path.exists() else 1
            path.write_text(str(number))
        return number

    def detached_disks(self) -> list[ClusterDisk]:
        """Return the disks that belong to no instance."""
        found = []
        for path in sorted(self._detached.glob("*.json")):
            record = _read(path)
            with _readable(path):
                found.append(ClusterDisk(**record))
        return found

    def save_detached(self, disk: ClusterDisk) -> None:
        """Keep a disk that belongs to no instance."""
        _write(self._detached / f"{disk.uuid}.json", dataclasses.asdict(disk))

    def remove_detached(self, disk: ClusterDisk) -> None:
        """Forget a disk that belongs to no instance, or that has one again."""
        (self._detached / f"{disk.uuid}.json").unlink(missing_ok=True)

    def _instance(self, name: str) -> Path:
        return self._instances / f"{name}.json"

    @contextlib.contextmanager
    def locked(self, *names: str) -> Iterator[None]:
        """Hold the locks of these instances; wait for whoever holds one."""
        numbers = sorted({zlib.crc32(name.encode()) % _LOCKS for name in names})
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._lock("cluster", fcntl.LOCK_SH))
            for number in numbers:
                stack.enter_context(self._lock(str(number), fcntl.LOCK_EX))
            yield

    @contextlib.contextmanager
    def all_locked(self) -> Iterator[None]:
        """Hold the whole cluster's lock: no command that changes anything runs meanwhile."""
        with self._lock("cluster", fcntl.LOCK_EX):
            yield

    @contextlib.contextmanager
    def _lock(self, name: str, kind: int) -> Iterator[None]:
        path = self.directory / "locks" / name
        # The scripts must not inherit it: O_CLOEXEC is Python's default.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)


def _read(path: Path) -> dict[str, Any]:
    with _readable(path):
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            raise TypeError("expected an object")
        return record


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StateError(
            f"{path} cannot be read ({error}): restore it, or remove it if what it records is gone"
        ) from error


def _write(path: Path, record: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
