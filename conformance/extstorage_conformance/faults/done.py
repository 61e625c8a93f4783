"""The trials that passed, on disk, so that an interrupted sweep can go on where it was."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from extstorage_conformance.journal import state_directory

if TYPE_CHECKING:
    from pathlib import Path

    from extstorage_conformance.faults.trial import Trial

_LARGEST = 10_000_000


class Done:
    """The passed trials of one provider, one name a line.

    A provider whose files have changed is another one: what passed before says nothing.
    """

    def __init__(self, provider: Path) -> None:
        directory = state_directory().parent / "sweeps"
        self._path = directory / f"{provider.name}-{_fingerprint(provider)}"
        self._names: set[str] = set()

    def begin(self) -> None:
        """Forget what passed before."""
        self._path.unlink(missing_ok=True)

    def resume(self) -> None:
        """Take over what passed before."""
        if self._path.exists():
            self._names = set(self._path.read_text(encoding="utf-8").splitlines())

    def has(self, trial: Trial) -> bool:
        """Return whether ``trial`` passed before."""
        return trial.name in self._names

    def note(self, trial: Trial) -> None:
        """Note that ``trial`` has passed."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Appended whole: the workers of one run share the file.
        with self._path.open("a", encoding="utf-8") as file:
            file.write(trial.name + "\n")


def _fingerprint(provider: Path) -> str:
    digest = hashlib.sha256(str(provider).encode())
    for path in sorted(provider.rglob("*")):
        if path.is_file() and path.stat().st_size < _LARGEST and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(provider)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
