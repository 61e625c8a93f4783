"""The trials that passed, on disk, so that an interrupted sweep can go on where it was."""

from __future__ import annotations

import fcntl
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from extstorage_conformance.journal import state_directory
from extstorage_conformance.provider_files import content

if TYPE_CHECKING:
    from pathlib import Path

    from extstorage_conformance.faults.trial import Trial

_BROKEN = "broken "
"""Before the name of a trial that no longer passes; methods are called otherwise."""
_NOT_THE_PROVIDER = {"__pycache__", ".pytest_cache"}


@dataclass
class Done:
    """The passed trials of one provider, one name a line; the first line names the run.

    A provider whose files have changed, or that is called in another way, is another one: what
    passed before says nothing. The files are read when the first trial is looked up, so a run
    without any pays nothing.

    Attributes:
        provider: The provider's directory.
        run: What the workers of one run have in common, and no other run has.
        is_resumed: Whether what passed before counts.
        called: How it is called: parameters, nodes and the like.
    """

    provider: Path
    run: str
    is_resumed: bool = False
    called: str = ""

    def begin(self) -> None:
        """Forget what passed in other runs, unless this one resumes them."""
        if self.is_resumed:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # one worker of a run begins for all
            file.seek(0)
            if file.readline() != f"run {self.run}\n":
                file.truncate(0)
                file.write(f"run {self.run}\n")

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of the trials that passed in other runs, and need not be tried."""
        return frozenset(self._passed if self.is_resumed else ())

    def has(self, trial: Trial) -> bool:
        """Return whether ``trial`` passed before."""
        return trial.name in self.names

    def note(self, trial: Trial, *, passed: bool) -> None:
        """Note what came of ``trial``, if that is news."""
        if passed != (trial.name in self._passed):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Appended whole: the workers of one run share the file.
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{'' if passed else _BROKEN}{trial.name}\n")
            (self._passed.add if passed else self._passed.discard)(trial.name)

    @cached_property
    def _passed(self) -> set[str]:
        passed: set[str] = set()
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        for line in lines:
            if line.startswith(_BROKEN):
                passed.discard(line.removeprefix(_BROKEN))
            else:
                passed.add(line)
        return passed

    @cached_property
    def _path(self) -> Path:
        directory = state_directory().parent / "sweeps"
        return directory / f"{self.provider.name}-{_fingerprint(self.provider, self.called)}"


def _fingerprint(provider: Path, called: str) -> str:
    digest = hashlib.sha256(f"{provider}\0{called}".encode())
    for path in sorted(provider.rglob("*")):
        if _NOT_THE_PROVIDER.isdisjoint(path.parts):
            digest.update(str(path.relative_to(provider)).encode() + b"\0" + content(path))
    return digest.hexdigest()[:16]
