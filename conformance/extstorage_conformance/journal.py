"""What a run has made, written down before it is made, so that it can be undone.

One file a worker in the state directory, locked while the run lives. A run that
ends in order deletes its file; ``--reap`` finds the files whose lock is free.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def state_directory() -> Path:
    """Return where journals are kept: ``$XDG_STATE_HOME/extstorage/runs``."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local/state") / "extstorage" / "runs"


class Journal:
    """The journal of one worker of a run that is going on."""

    def __init__(
        self, run: str, worker: int, provider: Path, run_directory: Path, nodes: str = "local"
    ) -> None:
        directory = state_directory()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = directory / f"{run}-{worker:04x}.jsonl"
        self._file: IO[str] = self.path.open("x", encoding="utf-8")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._write(
            {"provider": str(provider), "run_directory": str(run_directory), "nodes": nodes}
        )

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()

    def made(self, volume: str) -> None:
        """Note that the volume named ``volume`` is about to be made."""
        self._write({"made": volume})

    def gone(self, volume: str) -> None:
        """Note that the volume named ``volume`` exists no more."""
        self._write({"gone": volume})

    def close(self) -> None:
        """End the run: everything has been undone."""
        self.path.unlink(missing_ok=True)
        self._file.close()


@dataclass
class DeadRun:
    """A run that ended without undoing what it made."""

    path: Path
    provider: Path
    run_directory: Path
    nodes: str = "local"
    volumes: list[str] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        """The run id and worker that all its volumes' names begin with."""
        return self.path.stem

    def forget(self) -> None:
        """Delete the journal."""
        self.path.unlink(missing_ok=True)


def dead_runs() -> Iterator[DeadRun]:
    """Yield the runs whose process is gone; those that are going on are left alone."""
    for path in sorted(state_directory().glob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            run = _read(path, file)
        if run is not None:
            yield run


def _read(path: Path, lines: IO[str]) -> DeadRun | None:
    run: DeadRun | None = None
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # the last line of a run that was killed while it wrote
        if run is None:
            directories = Path(entry["provider"]), Path(entry["run_directory"])
            run = DeadRun(path, *directories, entry.get("nodes", "local"))
        elif "made" in entry:
            run.volumes.append(entry["made"])
        elif entry.get("gone") in run.volumes:
            run.volumes.remove(entry["gone"])
    return run
