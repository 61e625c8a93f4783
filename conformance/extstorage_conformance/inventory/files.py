"""Files: those whose name carries a volume's, and all in the back end's directories."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage_conformance.inventory.item import Item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# Where providers keep state, locks, links and temporary files on a node, and how
# many levels down: a survey is taken around every test and has to be quick.
_STATE_DIRECTORIES = {
    "/run": 5,
    "/dev": 4,
    "/tmp": 3,  # noqa: S108 - looked at, not used
    "/var/tmp": 3,  # noqa: S108 - looked at, not used
    "/dev/shm": 3,  # noqa: S108 - looked at, not used
    "/var/lib": 2,
}


def items(owns: Callable[[str], bool], directories: Iterable[str], ignore: str) -> Iterator[Item]:
    """Yield files of ours on the node, and every file below ``directories``.

    A directory without a volume's name counts for nothing: providers divide their
    space once and for all. ``ignore`` is the run's own directory, the suite's.
    """
    for directory, depth in _STATE_DIRECTORIES.items():
        for path in _walk(directory, depth, ignore):
            if owns(path.rpartition("/")[2]):
                yield Item("file", path)
    for directory in directories:
        for path in _walk(directory, None, ""):
            if owns(path.rpartition("/")[2]) or not Path(path).is_dir():
                yield Item("file", path)


def _walk(directory: str, depth: int | None, ignore: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(directory))
    except OSError:
        return
    for entry in entries:
        if entry.path == ignore:
            continue
        yield entry.path
        if depth != 1 and entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, depth and depth - 1, ignore)


def release(item: Item) -> None:
    """Delete the file or directory ``item``; raises OSError."""
    path = Path(item.name)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
